import type { Assumption, Loss } from '../events/trace.js';
import { IO_TLB_SIZE } from '../kernel/constants.js';
import type { Load } from '../sizing/load.js';
import type { NoneFits, Smallest, TooSmall } from '../sizing/search.js';
import type { FailedRequest, Trial } from '../sizing/trial.js';
import type { HeldTally, Workload, WorkloadTrace } from '../sizing/workload.js';

/** Schema of what `size` finds; it changes when a field changes. */
export const SIZE_SCHEMA = 'swiotlb-replay/size@1';

/** The pool that answers are about: the default one, or a region of the device tree. */
export interface SizedPool {
  name: string;
  restricted: boolean;
}

/** A pool size by number of areas. */
export interface PoolSize {
  nslabs: number;
  areas: number;
  /** Bytes of the pool. */
  bytes: number;
  /** What `swiotlb=` must say; undefined for a region of the device tree. */
  parameter: string | undefined;
}

/** The smallest pool with so many areas. */
export interface SizeAnswer extends PoolSize {
  pool: SizedPool;
  /** Most slots in use at a time, and those that are in use, or fewer, after 99.9 % of the events. */
  peakSlots: number;
  percentile999: number;
  /** Slots above the peak: what rounding, fragmentation and areas cost. */
  headroomSlots: number;
  failsAt: TooSmall | undefined;
  failsAbove: TooSmall | undefined;
  /** The smallest pool for a workload of the same shape one half larger; undefined where none is large enough. */
  burst: PoolSize | undefined;
}

/** A number of areas for which no pool that was tried is large enough. */
export interface Unanswered {
  pool: SizedPool;
  areas: number;
  failsAt: TooSmall | undefined;
}

/** One point of a sweep. */
export interface SweepPoint extends PoolSize {
  pool: SizedPool;
  kernel: string;
  /** Slots and areas that were asked for; the kernel rounds them. */
  asked: { nslabs: number; areas: number };
  requests: number;
  /** Requests that failed, without those that no pool serves. */
  failed: number;
  never: number;
  first: FailedRequest | undefined;
  peakSlots: number;
  percentile999: number;
}

/** What `size` found: plain data, ready for any renderer. */
export interface SizeReport {
  /** The traces as the user gave them, with a blank between. */
  path: string;
  traces: WorkloadTrace[];
  /** Merged to one workload; else the answer holds for each. */
  merged: boolean;
  kernel: string;
  kernelReason: string | undefined;
  /** Bytes. */
  pageSize: number;
  requests: number;
  load: Load;
  cpus: number;
  heldTally: HeldTally;
  /** Best first: the smallest pool, and of several the one with most areas. */
  answers: SizeAnswer[];
  unanswered: Unanswered[];
  /** The first requests that fail at any size; `never` counts all. */
  neverServed: FailedRequest[];
  never: number;
  /** Undefined where no sweep was asked for. */
  sweep: SweepPoint[] | undefined;
  assumptions: Assumption[];
  losses: Loss[];
}

/** A pool's size in the words of an answer. */
export function poolSize(nslabs: number, areas: number, parameter: string | undefined): PoolSize {
  return { nslabs, areas, bytes: nslabs * IO_TLB_SIZE, parameter };
}

/** An answer from what the searches for the workload and for one half larger found. */
export function sizeAnswer(
  pool: SizedPool,
  areas: number,
  found: Smallest,
  burst: Smallest | NoneFits,
  parameter: (nslabs: number) => string | undefined,
): SizeAnswer {
  const { nslabs, trial, failsAt, failsAbove } = found;
  return {
    pool,
    ...poolSize(nslabs, areas, parameter(nslabs)),
    peakSlots: trial.peak,
    percentile999: trial.percentile999,
    headroomSlots: nslabs - trial.peak,
    failsAt,
    failsAbove,
    burst:
      burst.nslabs === undefined
        ? undefined
        : poolSize(burst.nslabs, areas, parameter(burst.nslabs)),
  };
}

/** A point of a sweep from its trial. */
export function sweepPoint(
  point: Pick<SweepPoint, 'pool' | 'kernel' | 'asked' | 'requests'>,
  size: PoolSize,
  trial: Trial,
): SweepPoint {
  const { failed, never, first, peak, percentile999 } = trial;
  return { ...point, ...size, failed, never, first, peakSlots: peak, percentile999 };
}

/** Best answers first, pool by pool. */
export function sortAnswers(answers: SizeAnswer[]): SizeAnswer[] {
  const pools = [...new Set(answers.map(({ pool }) => pool))];
  return answers.sort(
    (a, b) =>
      pools.indexOf(a.pool) - pools.indexOf(b.pool) || a.nslabs - b.nslabs || b.areas - a.areas,
  );
}

/**
 * What answers rest on besides what the traces say.
 * @param bySegments some pool's sizes go by segments, and were found by halving
 */
export function sizingAssumptions(
  workloads: readonly Workload[],
  load: Load,
  bySegments: boolean,
): Assumption[] {
  const said: Assumption[] = [];
  const say = (message: string): void => {
    said.push({ line: undefined, message });
  };
  say('every pool lies where the recorded one lay, and is empty at first, as after a boot');
  if (bySegments) {
    say(
      'sizes by segments were found by halving the gap between one that fits and one that fails: one' +
        ' that is smaller by more than a step may happen to fit',
    );
  }
  for (const { traces, heldTally } of workloads) {
    if (heldTally.requests > 0) say(heldWords(heldTally));
    for (const trace of traces) sayOfTrace(trace, traces.length + workloads.length > 2, say);
  }
  if (!Number.isInteger(load.scale)) {
    say(
      `of ${load.scale} times the load the part beyond ${Math.floor(load.scale)} is that share of the requests, spread evenly`,
    );
  }
  return said;
}

function heldWords({ requests, untilRetry, medianLifetime, forever }: HeldTally): string {
  const parts = [
    untilRetry > 0 ? `${untilRetry} until the same buffer was asked for again` : '',
    medianLifetime > 0
      ? `${medianLifetime} for the median lifetime of their device's buffers, counted in events`
      : '',
    forever > 0 ? `${forever} to the end, as the trace tells of no buffer's release` : '',
  ].filter(Boolean);
  return (
    `requests that were refused when they were recorded (${requests}) are asked for again; where they are` +
    ` served they hold their buffers, for which the trace has no release: ${parts.join(', ')}`
  );
}

function sayOfTrace(
  { path, isRecordedKernel, recorded, reproduced, ...trace }: WorkloadTrace,
  isOneOfMany: boolean,
  say: (message: string) => void,
): void {
  const { olderBuffers, olderSlots, strayReleases, dynamic } = trace;
  const where = isOneOfMany ? `${path}: ` : '';
  if (isRecordedKernel && reproduced < recorded) {
    say(
      `${where}${recorded - reproduced} of ${recorded} recorded results are not what the recorded kernel` +
        ' gives: events are missing or stand in another order, and the load may have been another',
    );
  }
  if (olderBuffers > 0) {
    const size = olderSlots > 0 ? ` (at least ${olderSlots} slots in all)` : '';
    say(
      `${where}${olderBuffers} releases are of buffers older than the trace${size}: what was in use` +
        ' when it began comes on top of the answer',
    );
  }
  if (strayReleases > 0) {
    say(`${where}${strayReleases} releases of what had been released before were left out`);
  }
  if (dynamic) {
    say(
      `${where}pools that grew, and transient ones (CONFIG_SWIOTLB_DYNAMIC), are left out: the answer` +
        ' is the pool that needs none of them',
    );
  }
}
