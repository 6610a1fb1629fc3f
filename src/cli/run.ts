import type { IommuRecord } from '../events/iommuRecords.js';
import type { TraceInfo } from '../events/trace.js';
import type { Release } from '../kernel/release.js';
import * as choice from '../pipeline/choice.js';
import { feedFromFile } from '../pipeline/feed.js';
import { type Replayed, replayFeed } from '../pipeline/replaying.js';
import { lossLines } from '../render/losses.js';
import type { Session } from '../replay/session.js';
import type { Source } from '../source/open.js';
import { complain } from './eachTrace.js';
import { Exit } from './exit.js';
import type { ReplayOptions } from './options.js';
import { kernelNamed } from './policies.js';
import { createProgress } from './progress.js';

export type { ReleaseChoice, Variant } from '../pipeline/choice.js';
export type { Replayed } from '../pipeline/replaying.js';

/** The release of that name, or a message that helps. */
export function requireRelease(name: string): Release {
  return choice.requirePlacement(name).release;
}

/** The release or policy that `--kernel` names, or that its absence means for a trace. */
export function chooseReleases(name: string | undefined, info: TraceInfo): choice.ReleaseChoice {
  return choice.chooseReleases(name === undefined ? undefined : kernelNamed(name), info);
}

/** What a command knows of a trace, or wants besides its events. */
export interface ReadHints {
  /** The trace, where it has been opened to see what it is. */
  opened?: Source | undefined;
  /** Takes records of an IOMMU's page tables; a trace of nothing else is then replayed in no release. */
  onIommu?: ((record: IommuRecord) => void) | undefined;
}

/**
 * Reads a trace, once if it can, and replays it in every release of `choose`, with progress on a terminal.
 * @param attach sets up what watches a session
 * @throws UserError for what the user can mend
 */
export function replayTrace<W>(
  path: string,
  options: ReplayOptions,
  choose: (info: TraceInfo) => choice.ReleaseChoice,
  attach: (session: Session) => W,
  { opened, onIommu }: ReadHints = {},
): Promise<Replayed<W>> {
  const { dmesg, inputFormat } = options;
  const progress = (source: Source) => createProgress(source, process.stderr);
  const feed = feedFromFile(path, { opened, dmesg, inputFormat, progress });
  return replayFeed(feed, options, choose, attach, onIommu);
}

/** With `--strict`, exit status 2 and a word about it for a trace with lines that were not understood. */
export function strictProblem(
  options: ReplayOptions,
  path: string,
  info: TraceInfo,
): number | undefined {
  if (!options.strict || info.problems.count === 0) return undefined;
  const [{ line, message, text }] = info.problems.first;
  complain(
    `${path}: ${info.problems.count} lines were not understood, which --strict makes an error;` +
      ` the first: line ${line}: ${message}: ${text}`,
  );
  return Exit.unusable;
}

/** Says on stderr that a trace is not whole, for commands whose result has no place for it. */
export function tellLosses(path: string, { losses }: TraceInfo): void {
  if (losses.length === 0) return;
  complain(`${path}: ${lossLines(losses, 100).join('\n')}`);
}

/** What is wrong in an incomplete trace may stand; that nothing is wrong does not. */
export function unlessIncomplete(status: number, { losses }: TraceInfo): number {
  return status === Exit.ok && losses.length > 0 ? Exit.unproved : status;
}
