import { createRecordWatch, type RecordWatch } from '../../analysis/iommu/recordWatch.js';
import { watchColumns } from '../../analysis/iommu/watchColumns.js';
import { UserError } from '../../events/errors.js';
import type { IommuKernelLine, IovaTrace } from '../../events/iommu.js';
import { type IommuFormat, type IommuTally, readIommuTrace } from '../../formats/iommuRead.js';
import type { IommuRelease } from '../../kernel/iommuRelease.js';
import { lossLines } from '../../render/losses.js';
import { overrideDma, overrideIova } from '../../replay/iommuOverrides.js';
import { createDmaReplay, createIovaReplay, type IommuReplay } from '../../replay/iommuReplay.js';
import type { Source } from '../../source/open.js';
import { complain } from '../eachTrace.js';
import { Exit } from '../exit.js';
import type { ReplayOptions } from '../options.js';
import { createProgress } from '../progress.js';
import { bootable, type IommuChoice, kernelOf } from './choice.js';
import { notesOn, notesOnDevices, overridesOf, refuseOptions, tellUnmatched } from './settings.js';

/** An opened IOMMU trace. */
export interface IommuInput {
  /** As the user gave it. */
  path: string;
  source: Source;
  format: IommuFormat;
}

/** A replay and what watches it. */
export interface IommuWatched<W> {
  replay: IommuReplay;
  watch: W;
}

/** A trace that has been replayed. */
export interface IommuReplayed<W> {
  tally: IommuTally;
  /** One per release of the choice; one alone after an election. */
  runs: IommuWatched<W>[];
  reason: string | undefined;
  /** What the releases do not do for this trace; among the tally's assumptions too. */
  notes: string[];
}

/** A replay in the race for the newest release that gives every recorded row. */
type Candidate<W> = IommuWatched<W> & { record: RecordWatch | undefined };

/** The newest release that gives every recorded row, and why it is that. */
function elect<W>(candidates: readonly Candidate<W>[]): { elected: Candidate<W>; reason: string } {
  const exact = candidates.findLast(({ record }) => record?.mismatches === 0);
  const elected = exact ?? candidates[candidates.length - 1];
  if (exact === undefined) {
    return { elected, reason: 'the latest: no release gives all the recorded rows' };
  }
  const reason =
    exact.record?.recorded === 0
      ? 'the latest: the trace records no results'
      : 'the newest that gives every recorded row';
  return { elected, reason };
}

/**
 * Reads an IOMMU trace once and replays it in every release of `choose`.
 * @param attach sets up what watches a replay
 * @throws UserError for what the user can mend
 */
export async function replayIommu<W>(
  input: IommuInput,
  options: ReplayOptions,
  choose: (kernel: IommuKernelLine) => IommuChoice,
  attach: (replay: IommuReplay) => W,
): Promise<IommuReplayed<W>> {
  refuseOptions(options, input);
  const { source, format } = input;
  const overrides = overridesOf(options);
  const progress = createProgress(source, process.stderr);
  let choice: IommuChoice | undefined;
  let runs: Candidate<W>[] | undefined;
  let iova: IovaTrace | undefined;
  const notes: string[] = [];
  const kernelBeside = options.dmesg === undefined ? '' : await kernelOf(options.dmesg);

  function start(
    kernel: IommuKernelLine,
    create: (release: IommuRelease, chosen: IommuChoice, n: number) => IommuReplay,
  ): void {
    const chosen = choose(kernel);
    choice = chosen;
    runs = chosen.releases.map((release, n) => {
      const replay = create(release, chosen, n);
      const watch = attach(replay);
      if (!chosen.elects) return { replay, watch, record: undefined };
      const record = createRecordWatch(0);
      watchColumns(replay, false, record.onRow);
      return { replay, watch, record };
    });
  }

  /** Probes tell of a domain only when it is used. */
  function declareMore(trace: IovaTrace, read: IovaTrace): void {
    const domains = read.domains.slice(trace.domains.length);
    trace.domains.push(...overrideIova({ ...read, domains }, overrides).domains);
  }

  function play(row: Parameters<IommuReplay['run']>[0]): void {
    for (const { replay } of runs ?? []) replay.run(row);
    if (!choice?.elects) return;
    // Who differs is out, but for the last, which is replayed if nobody is left.
    runs = runs?.filter(({ record }, n, all) => n === all.length - 1 || record?.mismatches === 0);
  }

  try {
    const tally = await readIommuTrace(
      source,
      format,
      {
        iova(read, row) {
          if (iova === undefined) {
            read.kernel.version ||= kernelBeside;
            const trace = overrideIova(read, overrides);
            const granules = trace.domains.map(({ granule }) => granule);
            start(trace.kernel, (release, chosen) =>
              createIovaReplay(trace, bootable(trace, granules, release, chosen)),
            );
            iova = trace;
          }
          if (read.domains.length > iova.domains.length) declareMore(iova, read);
          play(row);
        },
        dma(read, row) {
          if (runs === undefined) {
            tellUnmatched(input.path, options, read);
            start(read.kernel, (release, chosen, n) => {
              const pools = [...overrides.pools, ...(chosen.pools?.[n] ?? [])];
              const trace = overrideDma(read, { ...overrides, pools });
              const granules = trace.devices.map(({ granule }) => granule);
              return createDmaReplay(trace, bootable(trace, granules, release, chosen));
            });
          }
          play(row);
        },
      },
      () => progress.tick(),
    );
    if (runs === undefined) throw nothingRead(input, tally);
    const election = choice?.elects ? elect(runs) : undefined;
    if (election !== undefined) runs = [election.elected];
    for (const { replay } of runs) {
      replay.finish();
      if (replay.kind === 'dma-iommu') notes.push(...notesOnDevices(replay.trace, replay.release));
    }
    const told = [...notesOn(tally.trace.kernel, options), ...notes];
    tally.assumptions.push(...told.map((message) => ({ line: undefined, message })));
    return { tally, runs, reason: election?.reason ?? choice?.reason, notes };
  } catch (error) {
    const isNamed = !(error instanceof UserError) || error.message.startsWith(source.name);
    throw isNamed ? error : new UserError(`${source.name}: ${error.message}`);
  } finally {
    progress.end();
  }
}

function nothingRead({ source, format }: IommuInput, { trace, lines }: IommuTally): UserError {
  const [first] = trace.problems.first;
  const why =
    first === undefined
      ? 'it holds no rows'
      : `line ${first.line}: ${first.message}: ${first.text}; ${trace.problems.count} lines were not understood`;
  return new UserError(
    `${source.name}: no row of this ${format} trace (${lines} lines) can be replayed: ${why}`,
  );
}

/** With `--strict`, exit status 2 and a word about it for a trace with lines that were not understood. */
export function strictIommuProblem(
  options: ReplayOptions,
  path: string,
  { trace: { problems } }: IommuTally,
): number | undefined {
  if (!options.strict || problems.count === 0) return undefined;
  const [{ line, message, text }] = problems.first;
  complain(
    `${path}: ${problems.count} lines were not understood, which --strict makes an error;` +
      ` the first: line ${line}: ${message}: ${text}`,
  );
  return Exit.unusable;
}

/** Says on stderr what of a trace was not read or is missing, for results that have no place for it. */
export function tellGaps(path: string, { losses, trace: { problems } }: IommuTally): void {
  if (losses.length > 0) complain(`${path}: ${lossLines(losses, 100).join('\n')}`);
  if (problems.count === 0) return;
  const [{ line, message }] = problems.first;
  complain(
    `${path}: ${problems.count} lines not understood; the first is line ${line}: ${message}`,
  );
}
