import type { EventBatch } from '../events/batch.js';
import type { IommuRecord } from '../events/iommuRecords.js';
import { type Assumption, emptyTraceInfo, type TraceInfo } from '../events/trace.js';
import type { TraceFormat } from '../formats/format.js';
import type { IommuFormat } from '../formats/iommuRead.js';
import type { ReadOptions, ReadTally } from '../formats/read.js';
import type { Release } from '../kernel/release.js';
import { mayAgree } from '../replay/agreement.js';
import { type BootParameter, bootPool } from '../replay/bootPool.js';
import type { SessionOptions } from '../replay/devices.js';
import type { DeviceOverride, PoolOverride } from '../replay/geometry.js';
import { createOrderFinder, needsOrder, type OrderFinder } from '../replay/order.js';
import { explainingRelease } from '../replay/recordedRelease.js';
import { createSession, type Session } from '../replay/session.js';
import { createUntoldReleases } from '../replay/untoldReleases.js';
import type { TraceSummary } from '../report/report.js';
import { type ReleaseChoice, recordedRelease, type Variant } from './choice.js';
import {
  createElection,
  type Election,
  favouriteOf,
  type Watched,
  WRONG_FAVOURITE,
} from './election.js';
import type { TraceFeed } from './feed.js';
import { createPair, PARTED, type Pair } from './together.js';

/** What the user says about a trace, besides the release to replay it in. */
export interface ReplaySettings {
  /** Bytes; undefined: what the trace says, else 4096. */
  pageSize?: number;
  pool: readonly PoolOverride[];
  device: readonly DeviceOverride[];
  swiotlb?: BootParameter;
  /** A name in SEARCHERS. */
  search?: string;
  inputFormat?: TraceFormat | IommuFormat;
}

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

/** How a trace is to be read, as far as the user said. */
export function readOptionsOf(
  { inputFormat, pageSize, pool: pools }: ReplaySettings,
  onIommu?: (record: IommuRecord) => void,
): ReadOptions {
  return {
    format: typeof inputFormat === 'string' ? undefined : inputFormat,
    pageSize: pageSize ?? DEFAULT_PAGE_SIZE,
    ...(onIommu && { onIommu }),
    pools: pools.flatMap(({ name = 'default', base, nslabs, restricted = false }) =>
      base === undefined || nslabs === undefined ? [] : [{ name, base, nslabs, restricted }],
    ),
  };
}

/**
 * Replays a trace in every release of `choose`, reading it once if it can.
 * @param choose asked when the trace's declarations are known
 * @param attach sets up what watches a session
 * @param onIommu takes records of an IOMMU's page tables, each once; a trace of nothing else is then
 *   replayed in no release
 * @throws UserError for what the user can mend
 */
export async function replayFeed<W>(
  feed: TraceFeed,
  settings: ReplaySettings,
  choose: (info: TraceInfo) => ReleaseChoice,
  attach: (session: Session) => W,
  onIommu?: (record: IommuRecord) => void,
): Promise<Replayed<W>> {
  let haste = feed.canRepeat ? FIRST_HASTE : Number.POSITIVE_INFINITY;
  let told = 0;
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
  let info = emptyTraceInfo();
  const sides: SidesOfReadings<W> = { pair: undefined, runs: [], canRepeat: feed.canRepeat };
  for (;;) {
    const player = createPlayer(info, settings, choose, attach, haste, sides);
    try {
      const tally = await feed.run(info, readOptionsOf(settings, eachOnce()), player.run);
      return { info, trace: summaryOf(feed, tally, info), ...player.finish() };
    } catch (error) {
      if (error === WRONG_FAVOURITE) {
        haste *= LESS_HASTE;
        info = emptyTraceInfo();
      } else if (error === PARTED) {
        // The sides live on, and know this object.
        Object.assign(info, emptyTraceInfo());
      } else {
        throw error;
      }
    }
  }
}

function summaryOf(feed: TraceFeed, tally: ReadTally, info: TraceInfo): TraceSummary {
  return {
    path: feed.path,
    format: tally.format,
    lines: tally.lines,
    events: tally.events,
    skipped: info.problems.count,
    otherLines: info.otherLines,
  };
}

/** The two sides of a comparison, which live on where their trace is read again. */
interface SidesOfReadings<W> {
  pair: Pair | undefined;
  runs: Watched<W>[];
  canRepeat: boolean;
}

/** Plays the events of one reading. */
interface Player<W> {
  run: (batch: EventBatch) => void;
  /** To be called once, after the last event. */
  finish(): Pick<Replayed<W>, 'runs' | 'kernelReason'>;
}

/** @param haste of an election; `run` throws WRONG_FAVOURITE where it was too much */
function createPlayer<W>(
  info: TraceInfo,
  settings: ReplaySettings,
  choose: (info: TraceInfo) => ReleaseChoice,
  attach: (session: Session) => W,
  haste: number,
  sides: SidesOfReadings<W>,
): Player<W> {
  let choice: ReleaseChoice | undefined;
  let runs: Watched<W>[] = [];
  let finder: OrderFinder | undefined;
  let election: Election<W> | undefined;
  /** A new session of one of the chosen releases. */
  let begin: (n: number) => Session;

  function start(batch: EventBatch): void {
    if (settings.pageSize === undefined && info.pageSize === undefined) {
      info.assumptions.push({
        line: undefined,
        message: `pages of ${DEFAULT_PAGE_SIZE} bytes; --page-size says otherwise`,
      });
    }
    const optionsOf = sessionOptions(settings, info);
    choice = choose(info);
    if (choice.elect && needsOrder(info)) {
      const release = explainingRelease(info, batch, choice.releases, optionsOf);
      choice = { releases: [release], reason: MOST_EXPLAINING, elect: false };
    }
    const recorded = recordedRelease(info, choice);
    if (recorded !== undefined) finder = createOrderFinder(info, optionsOf(recorded), replay);
    const { releases, variants, elect } = choice;
    begin = (n) => startSession(info, settings, releases[n], variants?.[n], recorded);
    if (sides.pair !== undefined) takeUp(sides.pair);
    else if (!elect) watchAll(releases);
    if (choice.onParting !== undefined && sides.pair === undefined) join(choice.onParting);
  }

  /** The sides of the last reading go on in this one. */
  function takeUp(pair: Pair): void {
    runs = sides.runs;
    pair.rewind();
  }

  /** Two sides are one for now, if they can be. */
  function join(onParting: () => void): void {
    const [fresh, old] = runs.map(({ session }) => session);
    if (sides.canRepeat && mayAgree(info, old.options, fresh.options)) {
      sides.pair = createPair(info, fresh, old, onParting);
      sides.runs = runs;
    } else {
      onParting();
    }
  }

  function watchAll(releases: readonly Release[]): void {
    runs = releases.map((_, n) => watched(n));
  }

  function watched(n: number): Watched<W> {
    const session = begin(n);
    return { session, watch: attach(session) };
  }

  /** Only the favourite is watched, if the first batch is enough to find one. */
  function holdElection({ releases }: ReleaseChoice, batch: EventBatch): Election<W> {
    if (batch.length < haste) {
      watchAll(releases);
      return createElection(runs, haste);
    }
    const sessions = releases.map((_, n) => begin(n));
    const { number, hasRivals } = favouriteOf(sessions, batch, haste);
    runs = [watched(number)];
    return createElection(runs, haste, hasRivals);
  }

  function replay(batch: EventBatch): void {
    if (choice?.elect) {
      election ??= holdElection(choice, batch);
      election.run(batch);
    } else if (sides.pair !== undefined) {
      sides.pair.run(batch);
    } else {
      for (const { session } of runs) session.run(batch);
    }
  }

  const untold = createUntoldReleases(info, (batch) => {
    if (finder === undefined) replay(batch);
    else finder.run(batch);
  });

  return {
    run(batch) {
      if (choice === undefined) start(batch);
      untold.run(batch);
    },
    finish() {
      finder?.finish();
      const end = election?.end();
      if (end !== undefined) runs = [end.elected];
      if (sides.pair !== undefined) sides.pair.finish();
      else for (const { session } of runs) session.finish();
      return { runs, kernelReason: end?.reason ?? choice?.reason };
    },
  };
}

/** Where the order is not recorded, a release cannot be judged by every address: see explainingRelease(). */
const MOST_EXPLAINING = 'the newest that explains most of the first recorded addresses';

type OptionsOf = (release: Release, variant?: Variant) => SessionOptions;

function sessionOptions(
  { pageSize, pool, device, search }: ReplaySettings,
  info: TraceInfo,
): OptionsOf {
  const pages = pageSize ?? info.pageSize ?? DEFAULT_PAGE_SIZE;
  return (release, variant = {}) => {
    const searcher = variant.search ?? search;
    return {
      release,
      pageSize: pages,
      pools: variant.pool ?? pool,
      devices: device,
      ...(searcher && { search: searcher }),
    };
  };
}

/** A session of one release; orders that were found are `recorded`'s, with the pools of the trace. */
function startSession(
  info: TraceInfo,
  settings: ReplaySettings,
  release: Release,
  variant: Variant | undefined,
  recorded: Release | undefined,
): Session {
  const assumptions: Assumption[] = [];
  const { swiotlb, pool } = { ...settings, ...variant };
  const atBoot = swiotlb ? [bootPool(release, swiotlb, info, assumptions)] : [];
  const hasPools = swiotlb === undefined && pool === settings.pool;
  const session = createSession(info, {
    ...sessionOptions(settings, info)(release, variant),
    pools: [...atBoot, ...pool],
    followsLook: release.name === recorded?.name && hasPools,
  });
  session.assumptions.push(...assumptions);
  return session;
}
