import type { Release } from '../kernel/release.js';
import type { Load } from './load.js';
import type { Steps } from './steps.js';
import type { FailedRequest, Trial, TrialPool } from './trial.js';

/** A trial to be made: plain data, so that it can go to a worker. */
export interface Question {
  /** Which of the workloads. */
  workload: number;
  /** Name of the release. */
  kernel: string;
  pool: TrialPool;
  load: Load;
  stopsAtFailure: boolean;
}

/** Makes a trial, wherever there is a free processor. */
export type Evaluate = (question: Question) => Promise<Trial>;

/** A size that was tried and found too small. */
export interface TooSmall {
  nslabs: number;
  request: FailedRequest;
}

/** The smallest size, and the trials that show it. */
export interface Smallest {
  nslabs: number;
  /** Of the trials of every workload, the worst. */
  trial: Trial;
  /** One step smaller; undefined where there is no smaller pool. */
  failsAt: TooSmall | undefined;
  /** One step larger, where that fails again; undefined where it fits or there is none. */
  failsAbove: TooSmall | undefined;
}

/** No size that is tried serves the workloads. */
export interface NoneFits {
  nslabs: undefined;
  failsAt: TooSmall | undefined;
}

/** What is sized: workloads that one pool must serve, each by itself. */
export interface Sizing {
  release: Release;
  /** Of each workload, which of its pools; undefined where it does not use the pool. */
  pools: readonly (number | undefined)[];
  areas: number;
  load: Load;
  steps: Steps;
}

/**
 * The smallest pool in which no request fails but those that no pool serves: it fits by an exact replay,
 * and the next smaller one fails by another.
 *
 * A larger pool is not always a better one: slots are placed otherwise, and fragments with them. Where
 * sizes double, every one is tried from the smallest up, so that none that fits is passed over. Where
 * they go by segments, sizes are doubled until one fits, and the gap below it is halved until its ends
 * are one step apart: a smaller size that happens to fit may be passed over, and is no advice.
 */
export async function smallestPool(
  sizing: Sizing,
  evaluate: Evaluate,
): Promise<Smallest | NoneFits> {
  const tried = new Map<number, Promise<Combined>>();
  const attempt = (nslabs: number): Promise<Combined> => {
    const known = tried.get(nslabs);
    if (known !== undefined) return known;
    const made = tryAll(sizing, nslabs, evaluate);
    tried.set(nslabs, made);
    return made;
  };
  const { steps } = sizing;
  let failsAt: TooSmall | undefined;
  let nslabs = steps.first;
  while (nslabs !== undefined) {
    const trial = await attempt(nslabs);
    if (trial.first === undefined) break;
    failsAt = { nslabs, request: trial.first };
    nslabs = steps.isDoubling ? steps.next(nslabs) : doubled(steps, nslabs);
  }
  if (nslabs === undefined) return { nslabs, failsAt };
  while (failsAt !== undefined) {
    const middle = between(steps, failsAt.nslabs, nslabs);
    if (middle === undefined) break;
    const { first } = await attempt(middle);
    if (first === undefined) nslabs = middle;
    else failsAt = { nslabs: middle, request: first };
  }
  const above = steps.next(nslabs);
  const next = above === undefined ? undefined : await attempt(above);
  return {
    nslabs,
    trial: await attempt(nslabs),
    failsAt,
    failsAbove: above && next?.first ? { nslabs: above, request: next.first } : undefined,
  };
}

/** A trial over all workloads: its `first` is that of the first workload that fails. */
type Combined = Trial;

async function tryAll(
  { release, pools, areas, load }: Sizing,
  nslabs: number,
  evaluate: Evaluate,
): Promise<Combined> {
  const trials = await Promise.all(
    pools.flatMap((pool, workload) =>
      pool === undefined
        ? []
        : [
            evaluate({
              workload,
              kernel: release.name,
              pool: { pool, nslabs, areas },
              load,
              stopsAtFailure: true,
            }),
          ],
    ),
  );
  return combine(trials);
}

/** Trials of several workloads as one: sums of what failed, and the most of what was used. */
export function combine(trials: readonly Trial[]): Trial {
  const sum = (of: (trial: Trial) => number): number =>
    trials.reduce((total, trial) => total + of(trial), 0);
  return {
    failed: sum(({ failed }) => failed),
    first: trials.find(({ first }) => first !== undefined)?.first,
    never: sum(({ never }) => never),
    firstNever: trials.flatMap(({ firstNever }) => firstNever),
    peak: Math.max(...trials.map(({ peak }) => peak)),
    percentile999: Math.max(...trials.map(({ percentile999 }) => percentile999)),
  };
}

/** Twice the size, or the largest that there is; undefined beyond it. */
function doubled({ next }: Steps, nslabs: number): number | undefined {
  return next(nslabs) === undefined ? undefined : nslabs * 2;
}

/** A size in the middle of two, undefined where they are one step apart. */
function between({ next, isDoubling }: Steps, low: number, high: number): number | undefined {
  const step = next(low);
  if (isDoubling || step === undefined || step >= high) return undefined;
  const unit = step - low;
  return low + Math.floor((high - low) / unit / 2) * unit;
}
