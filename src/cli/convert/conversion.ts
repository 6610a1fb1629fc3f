import { type Anonymizer, createAnonymizer } from '../../convert/anonymize.js';
import type { Selection } from '../../convert/selection.js';
import { UserError } from '../../events/errors.js';
import type { TraceInfo } from '../../events/trace.js';
import { counted } from '../../render/columns.js';
import type { Session } from '../../replay/session.js';
import type { Source } from '../../source/open.js';
import { complain } from '../eachTrace.js';
import type { ReplayOptions } from '../options.js';
import { tellLosses } from '../run.js';

/** What is to be converted, and how. */
export interface Conversion {
  path: string;
  opened: Source;
  options: ReplayOptions;
  selection: Selection;
  /** Something is left out. */
  isPart: boolean;
  anonymize: boolean;
}

/** An anonymizer of what a session replays, where one is wanted. */
export function anonymizerFor(
  { anonymize, options }: Conversion,
  info: TraceInfo,
  session: Session,
): Anonymizer | undefined {
  if (!anonymize) return undefined;
  return createAnonymizer({
    pools: () => session.allocators.flatMap(({ pools }) => pools),
    boundaries: () =>
      [...info.devices, ...options.device].flatMap(({ segBoundaryMask }) => segBoundaryMask ?? []),
  });
}

/** Where nothing is left of a trace. */
export function nothingLeft({ path, selection }: Conversion, hasTimes: boolean): UserError {
  const byTime = [selection.from, selection.to].some((place) => place?.by === 'time');
  const why =
    byTime && !hasTimes
      ? 'the trace tells no times: give lines, such as --from 500'
      : 'no event has such a device, line or time';
  return new UserError(`${path}: nothing is left to write: ${why}`);
}

/** Says on stderr what a reader of the result cannot see in it. */
export function tellOf({ path }: Conversion, info: TraceInfo, notes: readonly string[]): void {
  tellLosses(path, info);
  const { count, first } = info.problems;
  const [problem] = first;
  if (problem !== undefined) {
    complain(
      `${path}: ${counted(count, 'line')} not understood and left out; the first is line` +
        ` ${problem.line}: ${problem.message}`,
    );
  }
  for (const note of notes) complain(`${path}: ${note}`);
}
