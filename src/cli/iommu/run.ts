import { UserError } from '../../events/errors.js';
import type { DmaIommuTrace, IommuKernelLine, IovaTrace } from '../../events/iommu.js';
import { emptyTraceInfo } from '../../events/trace.js';
import { type IommuFormat, type IommuTally, readIommuTrace } from '../../formats/iommuRead.js';
import type { IommuRelease } from '../../kernel/iommuRelease.js';
import {
  findIommuRelease,
  latestIommuRelease,
  nearestIommuReleases,
  withLargeGranules,
} from '../../kernel/iommuSelect.js';
import { placeRelease } from '../../kernel/select.js';
import type { PlacedRelease } from '../../pipeline/choice.js';
import { readBeside } from '../../pipeline/feed.js';
import { lossLines } from '../../render/losses.js';
import {
  type IommuOverrides,
  overrideDma,
  overrideIova,
  refusedGranule,
} from '../../replay/iommuOverrides.js';
import { createDmaReplay, createIovaReplay, type IommuReplay } from '../../replay/iommuReplay.js';
import type { Source } from '../../source/open.js';
import { complain } from '../eachTrace.js';
import { Exit } from '../exit.js';
import type { ReplayOptions } from '../options.js';
import { kernelNamed } from '../policies.js';
import { createProgress } from '../progress.js';

/** An opened IOMMU trace. */
export interface IommuInput {
  /** As the user gave it. */
  path: string;
  source: Source;
  format: IommuFormat;
}

/** Which releases a trace is replayed in. */
export interface IommuChoice {
  releases: IommuRelease[];
  /** Why, where the name that was given does not say it. */
  reason: string | undefined;
  /** Releases that would stop at boot are replayed as if granules larger than a page were allowed. */
  allowsLargeGranules?: boolean;
}

/** A replay and what watches it. */
export interface IommuWatched<W> {
  replay: IommuReplay;
  watch: W;
}

/** A trace that has been replayed. */
export interface IommuReplayed<W> {
  tally: IommuTally;
  runs: IommuWatched<W>[];
  reason: string | undefined;
}

/** What watches a replay; told of rows that it does not reach. */
export interface IommuWatch {
  onUnreached?(line: number): void;
}

/** The release of that name, or a message that helps. */
export function requireIommuRelease(name: string): IommuRelease {
  if (name === 'latest') return latestIommuRelease();
  const kernel = kernelNamed(name);
  if (typeof kernel !== 'string') return withBouncer(kernel);
  const release = findIommuRelease(name);
  if (release !== undefined) return release;
  const near = nearestIommuReleases(name);
  throw new UserError(
    `unknown kernel ${name}: the nearest whose IOMMU code can be replayed` +
      ` ${near.length === 1 ? 'is' : 'are'} ${near.join(', ')}; any tag from v5.10 on, a stable version,` +
      ' or v5.14+s1 to v5.14+s1-5 will do',
  );
}

/** The IOMMU code of a policy's base, with bounce buffers from the policy. */
function withBouncer({ release: swiotlb }: PlacedRelease): IommuRelease {
  const base = requireIommuRelease(swiotlb.name.replace(/\+.*/, ''));
  return { ...base, name: swiotlb.name, kind: 'patched', swiotlb };
}

/** The release that `--kernel` names, or that its absence means: the recorded one. */
export function chooseIommuRelease(
  name: string | undefined,
  { version }: IommuKernelLine,
): IommuChoice {
  if (name !== undefined && name !== 'recorded') {
    return { releases: [requireIommuRelease(name)], reason: undefined };
  }
  const release = findIommuRelease(version);
  if (release === undefined) {
    const near = nearestIommuReleases(version).join(', ');
    throw new UserError(
      version === ''
        ? 'the trace does not name its kernel: choose one with --kernel, or give the boot log with --dmesg'
        : `the trace was recorded on ${version}, which cannot be replayed: choose one with --kernel, such as ${near}`,
    );
  }
  return { releases: [release], reason: 'the one that the trace names' };
}

function refuseOptions(options: ReplayOptions, { path, format }: IommuInput): void {
  // A recording by probes does not name its kernel: the boot log beside it does.
  const isDmesgIdle = options.dmesg !== undefined && format !== 'iova-text';
  const wrong = options.swiotlb !== undefined ? '--swiotlb' : isDmesgIdle && '--dmesg';
  if (!wrong) return;
  throw new UserError(
    `${path}: ${wrong} says nothing about an ${format} trace, which declares its pool;` +
      ' --pool base=,nslabs=,areas= changes it',
  );
}

/** The release of the kernel that a boot log names; empty where that cannot be placed. */
async function kernelOf(path: string): Promise<string> {
  const info = emptyTraceInfo();
  await readBeside(path, info);
  return (info.kernel && placeRelease(info.kernel)?.release?.name) ?? '';
}

function overridesOf(options: ReplayOptions): IommuOverrides {
  return {
    pageSize: options.pageSize,
    pools: options.pool,
    devices: options.device,
    iommu: Object.assign({}, ...options.iommu),
  };
}

/** A release that boots with these granules. */
function bootable(
  trace: IovaTrace | DmaIommuTrace,
  granules: readonly number[],
  release: IommuRelease,
  choice: IommuChoice,
): IommuRelease {
  const granule = refusedGranule(trace, granules, release);
  if (granule === undefined) return release;
  if (choice.allowsLargeGranules) return withLargeGranules(release);
  throw new UserError(
    `${release.name} stops at boot with an IOMMU granule of ${granule} and pages of ${trace.kernel.pageSize} bytes:` +
      ` --kernel ${release.name}+large-granules replays what was proposed for that`,
  );
}

/**
 * Reads an IOMMU trace once and replays it in every release of `choose`.
 * @param attach sets up what watches a replay
 * @throws UserError for what the user can mend
 */
export async function replayIommu<W extends IommuWatch>(
  input: IommuInput,
  options: ReplayOptions,
  choose: (kernel: IommuKernelLine) => IommuChoice,
  attach: (replay: IommuReplay) => W,
): Promise<IommuReplayed<W>> {
  refuseOptions(options, input);
  const { source, format } = input;
  const overrides = overridesOf(options);
  const progress = createProgress(source, process.stderr);
  let reason: string | undefined;
  let runs: (IommuWatched<W> & { isOver: boolean })[] | undefined;
  let iova: IovaTrace | undefined;
  const kernelBeside = options.dmesg === undefined ? '' : await kernelOf(options.dmesg);

  function start(
    trace: IovaTrace | DmaIommuTrace,
    granules: readonly number[],
    create: (release: IommuRelease) => IommuReplay,
  ): NonNullable<typeof runs> {
    const choice = choose(trace.kernel);
    reason = choice.reason;
    return choice.releases.map((release) => {
      const replay = create(bootable(trace, granules, release, choice));
      return { replay, watch: attach(replay), isOver: false };
    });
  }

  /** Probes tell of a domain only when it is used. */
  function declareMore(trace: IovaTrace, read: IovaTrace): void {
    const domains = read.domains.slice(trace.domains.length);
    trace.domains.push(...overrideIova({ ...read, domains }, overrides).domains);
  }

  function play(row: Parameters<IommuReplay['run']>[0]): void {
    for (const run of runs ?? []) {
      if (run.isOver) run.watch.onUnreached?.(row.line);
      else if (!run.replay.run(row)) run.isOver = true;
    }
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
            runs = start(trace, granules, (release) => createIovaReplay(trace, release));
            iova = trace;
          }
          if (read.domains.length > iova.domains.length) declareMore(iova, read);
          play(row);
        },
        dma(read, row) {
          if (runs === undefined) {
            const trace = overrideDma(read, overrides);
            const granules = trace.devices.map(({ granule }) => granule);
            runs = start(trace, granules, (release) => createDmaReplay(trace, release));
          }
          play(row);
        },
      },
      () => progress.tick(),
    );
    if (runs === undefined) throw nothingRead(input, tally);
    for (const { replay } of runs) replay.finish();
    return { tally, runs, reason };
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
