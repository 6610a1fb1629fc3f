import type { EventBatch } from '../events/batch.js';
import { UserError } from '../events/errors.js';
import type { IommuRecord } from '../events/iommuRecords.js';
import { type Assumption, emptyTraceInfo, type TraceInfo } from '../events/trace.js';
import { readBootLog, readTrace } from '../formats/read.js';
import type { Release } from '../kernel/release.js';
import {
  candidateReleases,
  latestRelease,
  nearestReleases,
  placeRelease,
} from '../kernel/select.js';
import { lossLines } from '../render/losses.js';
import { bootPool } from '../replay/bootPool.js';
import type { SessionOptions } from '../replay/devices.js';
import { createOrderFinder, needsOrder, type OrderFinder } from '../replay/order.js';
import { explainingRelease } from '../replay/recordedRelease.js';
import { createSession, type Session } from '../replay/session.js';
import { createUntoldReleases } from '../replay/untoldReleases.js';
import type { TraceSummary } from '../report/report.js';
import { openSource, type Source } from '../source/open.js';
import { complain } from './eachTrace.js';
import {
  canBeReadAgain,
  createElection,
  type Election,
  type Watched,
  WRONG_FAVOURITE,
} from './election.js';
import { Exit } from './exit.js';
import { openSwiotlbTrace } from './iommu/byKind.js';
import type { ReplayOptions } from './options.js';
import { createProgress } from './progress.js';

/** Which releases a trace is replayed in. */
export interface ReleaseChoice {
  releases: Release[];
  /** Why, where the name that was given does not say it; undefined while candidates are tried. */
  reason: string | undefined;
  /** What else sets each of the releases apart; undefined where nothing does. */
  variants?: readonly Variant[];
  /** Drop releases as soon as they differ from the record; the newest that never does is wanted. */
  elect: boolean;
}

/** Options that one of several replays of a trace may have for itself. */
export type Variant = Partial<Pick<ReplayOptions, 'pool' | 'swiotlb' | 'search'>>;

/** A trace that has been replayed. */
export interface Replayed<W> {
  info: TraceInfo;
  trace: TraceSummary;
  /** One per release of the choice; one alone after an election; none for a trace of page tables alone. */
  runs: Watched<W>[];
  kernelReason: string | undefined;
}

/** PAGE_SIZE of a trace that does not tell, and most kernels'. */
const DEFAULT_PAGE_SIZE = 4096;

/** Events after which an election goes on with its favourite alone, and how much later at each new try. */
const FIRST_HASTE = 256;
const LESS_HASTE = 64;

/** The release of that name, or a message that helps. */
export function requireRelease(name: string): Release {
  return requirePlacement(name).release;
}

/** As requireRelease, and why it is that release, where its name does not say so. */
export function requirePlacement(
  name: string,
): Pick<ReleaseChoice, 'reason'> & { release: Release } {
  if (name === 'latest') return { release: latestRelease(), reason: undefined };
  const placement = placeRelease(name);
  if (placement?.release !== undefined) return placement;
  const why = placement === undefined ? '' : `${placement.reason}; `;
  throw new UserError(
    `unknown kernel ${name}: ${why}the nearest that can be replayed ${are(nearestReleases(name))};` +
      ' `swiotlb-replay kernels` lists all',
  );
}

function are(names: string[]): string {
  return `${names.length === 1 ? 'is' : 'are'} ${names.join(' and ')}`;
}

/** The release that `--kernel` names, or that its absence means for a trace. */
export function chooseReleases(name: string | undefined, info: TraceInfo): ReleaseChoice {
  if (name !== undefined && name !== 'recorded') {
    const { release, reason } = requirePlacement(name);
    return { releases: [release], reason, elect: false };
  }
  if (info.kernel !== undefined) {
    const placement = placeRelease(info.kernel);
    if (placement?.release === undefined) {
      const why = placement === undefined ? '' : `: ${placement.reason}`;
      throw new UserError(
        `the trace was recorded on ${info.kernel}, which cannot be replayed${why};` +
          ` choose one with --kernel: the nearest ${are(nearestReleases(info.kernel))}`,
      );
    }
    const named = 'the one that the trace names';
    const reason = placement.reason === undefined ? named : `${named}, ${placement.reason}`;
    return { releases: [placement.release], reason, elect: false };
  }
  if (name === 'recorded') {
    throw new UserError('the trace does not name its kernel: choose one with --kernel');
  }
  return { releases: candidateReleases(), reason: undefined, elect: true };
}

/** The release whose results a trace records, as far as that is known. */
function recordedRelease(info: TraceInfo, { releases, elect }: ReleaseChoice): Release | undefined {
  const named = info.kernel === undefined ? undefined : placeRelease(info.kernel)?.release;
  return named ?? (releases.length === 1 && !elect ? releases[0] : undefined);
}

/** What a command knows of a trace, or wants besides its events. */
export interface ReadHints {
  /** The trace, where it has been opened to see what it is. */
  opened?: Source | undefined;
  /** Takes records of an IOMMU's page tables; a trace of nothing else is then replayed in no release. */
  onIommu?: ((record: IommuRecord) => void) | undefined;
}

/**
 * Reads a trace, once if it can, and replays it in every release of `choose`.
 * @param attach sets up what watches a session
 * @throws UserError for what the user can mend
 */
export async function replayTrace<W>(
  path: string,
  options: ReplayOptions,
  choose: (info: TraceInfo) => ReleaseChoice,
  attach: (session: Session) => W,
  { opened, onIommu }: ReadHints = {},
): Promise<Replayed<W>> {
  let haste = canBeReadAgain([path, options.dmesg]) ? FIRST_HASTE : Number.POSITIVE_INFINITY;
  let source = opened;
  let told = 0;
  /** Takes each record of a trace once, however often the trace is read. */
  function eachOnce(): ((record: IommuRecord) => void) | undefined {
    let seen = 0;
    return onIommu === undefined
      ? undefined
      : (record) => {
          if (seen++ < told) return;
          told = seen;
          onIommu(record);
        };
  }
  for (;;) {
    const hints = { opened: source, onIommu: eachOnce() };
    const replayed = await replayOnce(path, options, choose, attach, haste, hints);
    if (replayed !== undefined) return replayed;
    haste *= LESS_HASTE;
    source = undefined;
  }
}

/** @returns undefined where an election was too hasty */
async function replayOnce<W>(
  path: string,
  options: ReplayOptions,
  choose: (info: TraceInfo) => ReleaseChoice,
  attach: (session: Session) => W,
  haste: number,
  { opened, onIommu }: ReadHints,
): Promise<Replayed<W> | undefined> {
  const info = emptyTraceInfo();
  if (options.dmesg !== undefined) await readBeside(options.dmesg, info);
  const source = opened ?? (await openSwiotlbTrace(path, options));
  const progress = createProgress(source, process.stderr);
  let choice: ReleaseChoice | undefined;
  let runs: Watched<W>[] = [];
  let finder: OrderFinder | undefined;
  let election: Election<W> | undefined;

  function start(batch: EventBatch): void {
    if (options.pageSize === undefined && info.pageSize === undefined) {
      info.assumptions.push({
        line: undefined,
        message: `pages of ${DEFAULT_PAGE_SIZE} bytes; --page-size says otherwise`,
      });
    }
    const pageSize = options.pageSize ?? info.pageSize ?? DEFAULT_PAGE_SIZE;
    const optionsOf = (release: Release, { pool, search }: Variant = options): SessionOptions => ({
      release,
      pageSize,
      pools: pool ?? [],
      devices: options.device,
      ...(search && { search }),
    });
    choice = choose(info);
    if (choice.elect && needsOrder(info)) choice = electBeforehand(choice, batch, optionsOf);
    const recorded = recordedRelease(info, choice);
    runs = choice.releases.map((release, n) => {
      const assumptions: Assumption[] = [];
      const own = { ...options, ...choice?.variants?.[n] };
      const { swiotlb, pool } = own;
      const atBoot = swiotlb ? [bootPool(release, swiotlb, info, assumptions)] : [];
      const hasPools = swiotlb === undefined && pool === options.pool;
      const session = createSession(info, {
        ...optionsOf(release, own),
        pools: [...atBoot, ...pool],
        followsLook: release.name === recorded?.name && hasPools,
      });
      session.assumptions.push(...assumptions);
      return { session, watch: attach(session) };
    });
    if (choice.elect) election = createElection(runs, haste);
    if (recorded !== undefined) finder = createOrderFinder(info, optionsOf(recorded), replay);
  }

  /** Where the order is not recorded, a release cannot be judged by every address: see explainingRelease(). */
  function electBeforehand(
    { releases }: ReleaseChoice,
    batch: EventBatch,
    optionsOf: (release: Release) => SessionOptions,
  ): ReleaseChoice {
    const release = explainingRelease(info, batch, releases, optionsOf);
    return {
      releases: [release],
      reason: 'the newest that explains most of the first recorded addresses',
      elect: false,
    };
  }

  function replay(batch: EventBatch): void {
    if (election !== undefined) election.run(batch);
    else for (const { session } of runs) session.run(batch);
  }

  const untold = createUntoldReleases(info, (batch) => {
    if (finder === undefined) replay(batch);
    else finder.run(batch);
  });

  try {
    const readOptions = {
      format: typeof options.inputFormat === 'string' ? undefined : options.inputFormat,
      pageSize: options.pageSize ?? DEFAULT_PAGE_SIZE,
      ...(onIommu && { onIommu }),
      pools: options.pool.flatMap(({ name = 'default', base, nslabs, restricted = false }) =>
        base === undefined || nslabs === undefined ? [] : [{ name, base, nslabs, restricted }],
      ),
    };
    const tally = await readTrace(source, info, readOptions, (batch) => {
      if (choice === undefined) start(batch);
      untold.run(batch);
      progress.tick();
    });
    finder?.finish();
    const end = election?.end();
    if (end !== undefined) runs = [end.elected];
    for (const { session } of runs) session.finish();
    return {
      info,
      trace: {
        path,
        format: tally.format,
        lines: tally.lines,
        events: tally.events,
        skipped: info.problems.count,
        otherLines: info.otherLines,
      },
      runs,
      kernelReason: end?.reason ?? choice?.reason,
    };
  } catch (error) {
    if (error === WRONG_FAVOURITE) return undefined;
    throw error;
  } finally {
    progress.end();
    source.close();
  }
}

/** Reads the boot log beside a trace. */
export async function readBeside(path: string, info: TraceInfo): Promise<void> {
  const source = await openSource(path);
  try {
    await readBootLog(source, info);
  } finally {
    source.close();
  }
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
