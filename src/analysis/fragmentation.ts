import { Op } from '../events/batch.js';
import { IO_TLB_SEGSIZE, IO_TLB_SIZE } from '../kernel/constants.js';
import { nslotsOf, offsetOf, sizeOf } from '../replay/allocations.js';
import { Match, type Observer, type Outcome } from '../replay/outcome.js';
import type { Session } from '../replay/session.js';
import { eachRun } from '../swiotlb/freeRuns.js';
import { freeRunsOf, type Pool, slotAddress } from '../swiotlb/pool.js';

/** Free runs of a range of lengths. */
export interface RunBucket {
  /** Shortest and longest run of the bucket, in slots. */
  from: number;
  to: number;
  runs: number;
  slots: number;
}

/** How one pool is broken up at one moment. */
export interface PoolFragmentation {
  pool: string;
  /** Line of the event after which this was seen. */
  line: number;
  freeSlots: number;
  freeRuns: number;
  histogram: RunBucket[];
  /** Longest free run, in slots, in the whole pool and from a slot of each area on. */
  largestRun: number;
  largestRunPerArea: number[];
  /**
   * 0 to 1: how much shorter the longest run is than the free slots would allow. An allocation has
   * at most 128 slots, so that much in a row counts as unbroken.
   */
  external: number;
  /** Bytes inside live allocations that nobody asked for. */
  lost: {
    /** Behind the data: the rest of the last slot, and what alloc_size adds. */
    rounding: number;
    /** In front of it: the offset inside the slot, and padding slots. */
    alignment: number;
  };
  /** Largest request that could still be served, by the alignment of its start; bytes. */
  servable: { align: number; largest: number }[];
}

/** Fragmentation of the pools of a replay. */
export interface FragmentationWatch extends Observer {
  /** Each pool at the end; to be read after the replay. */
  atEnd(): void;
  end: PoolFragmentation[];
  /** Each pool when its external fragmentation was highest. */
  worst: PoolFragmentation[];
}

/** Alignments that `servable` is told for. */
const ALIGNMENTS = [2048, 4096, 8192, 16384, 32768, 65536, 131072, 262144];

/** Bytes lost inside the live allocations of one pool, kept up with every event. */
interface Losses {
  rounding: number;
  alignment: number;
}

function externalFragmentation(largestRun: number, freeSlots: number): number {
  return freeSlots === 0 ? 0 : 1 - largestRun / Math.min(freeSlots, IO_TLB_SEGSIZE);
}

function histogramOf(countOf: Int32Array): RunBucket[] {
  const buckets: RunBucket[] = [];
  for (let from = 1; from <= IO_TLB_SEGSIZE; from *= 2) {
    const to = from === IO_TLB_SEGSIZE ? countOf.length - 1 : from * 2 - 1;
    const bucket: RunBucket = { from, to: Math.min(to, IO_TLB_SEGSIZE), runs: 0, slots: 0 };
    for (let length = from; length <= to; length++) {
      bucket.runs += countOf[length];
      bucket.slots += countOf[length] * length;
    }
    if (bucket.runs > 0) buckets.push(bucket);
  }
  return buckets;
}

/** The state of a pool at one moment, as far as its fragmentation goes by it. */
interface Moment {
  line: number;
  list: Uint16Array;
  countOf: Int32Array;
  slots: number;
  longest: number;
  lost: Losses;
}

/** Keeps a moment; copies what changes, into the moment kept before if there is one. */
function keep(pool: Pool, line: number, lost: Losses, before: Moment | undefined): Moment {
  const { countOf, slots, longest } = freeRunsOf(pool);
  const list = before?.list ?? new Uint16Array(pool.list.length);
  list.set(pool.list);
  return { line, list, countOf: countOf.slice(), slots, longest, lost: { ...lost } };
}

function fragmentationAt(pool: Pool, moment: Moment): PoolFragmentation {
  const { line, list, countOf, slots, longest, lost } = moment;
  const largestRunPerArea = new Array<number>(pool.areas).fill(0);
  const servable = ALIGNMENTS.map((align) => ({ align, largest: 0 }));
  let freeRuns = 0;
  eachRun(list, pool.nslabs, (slot, length) => {
    freeRuns++;
    // Where areas are shorter than segments a run reaches over several, and each sees what is left of it.
    const first = Math.floor(slot / pool.areaNslabs);
    const last = Math.min(Math.floor((slot + length - 1) / pool.areaNslabs), pool.areas - 1);
    for (let area = first; area <= last; area++) {
      const left = slot + length - Math.max(slot, area * pool.areaNslabs);
      largestRunPerArea[area] = Math.max(largestRunPerArea[area], left);
    }
    const start = slotAddress(pool, slot);
    const end = start + length * IO_TLB_SIZE;
    for (const entry of servable) {
      const aligned = Math.ceil(start / entry.align) * entry.align;
      if (end - aligned > entry.largest) entry.largest = end - aligned;
    }
  });
  return {
    pool: pool.name,
    line,
    freeSlots: slots,
    freeRuns,
    histogram: histogramOf(countOf),
    largestRun: longest,
    largestRunPerArea,
    external: externalFragmentation(longest, slots),
    lost,
    servable,
  };
}

/** Hot path: most allocators have one pool. */
function isOneOf(pools: readonly Pool[], pool: Pool): boolean {
  return pools[0] === pool || pools.includes(pool);
}

/**
 * Watches how pools break up. The free runs are counted by the pool itself, so that an event costs
 * next to nothing; the pool is copied only when it is more broken up than ever before, and looked into at
 * the end. Transient pools, which are as large as their one buffer, are left out.
 */
export function watchFragmentation(session: Session): FragmentationWatch {
  const losses = new Map<Pool, Losses>();
  const worst = new Map<Pool, Moment>();
  let lastLine = 0;
  let last: Pool | undefined;
  let lastLosses: Losses = { rounding: 0, alignment: 0 };
  let lastWorst = 0;

  /** Hot path: consecutive events are nearly always about the same pool. */
  function turnTo(pool: Pool): void {
    if (pool === last) return;
    last = pool;
    lastLosses = losses.get(pool) ?? { rounding: 0, alignment: 0 };
    losses.set(pool, lastLosses);
    const moment = worst.get(pool);
    lastWorst = moment === undefined ? 0 : externalFragmentation(moment.longest, moment.slots);
  }

  function count(number: number, sign: 1 | -1): void {
    const { allocations } = session;
    const offset = offsetOf(allocations, number);
    const bytes = nslotsOf(allocations, number) * IO_TLB_SIZE;
    lastLosses.alignment += sign * offset;
    lastLosses.rounding += sign * (bytes - offset - sizeOf(allocations, number));
  }

  function look(pool: Pool, line: number): void {
    turnTo(pool);
    const { longest, slots } = freeRunsOf(pool);
    // With fewer free slots than a segment has it is less than this, so that most events need no division.
    if (1 - longest / IO_TLB_SEGSIZE <= lastWorst) return;
    const external = externalFragmentation(longest, slots);
    if (external <= lastWorst) return;
    lastWorst = external;
    worst.set(pool, keep(pool, line, lastLosses, worst.get(pool)));
  }

  const watch: FragmentationWatch = {
    end: [],
    worst: [],
    onRequest(outcome: Outcome) {
      const { pool } = outcome.answer;
      if (pool === undefined || !isOneOf(outcome.device.allocator.pools, pool)) return;
      turnTo(pool);
      if (outcome.allocation >= 0) count(outcome.allocation, 1);
      look(pool, outcome.line);
    },
    onRelease(outcome: Outcome) {
      const { pools } = outcome.device.allocator;
      const owned =
        outcome.match === Match.live ? session.allocations.pool[outcome.allocation] : undefined;
      if (owned !== undefined && isOneOf(pools, owned)) {
        turnTo(owned);
        count(outcome.allocation, -1);
      }
      // An unmap that is nobody's releases slots as well: what the kernel finds at its address.
      const { pool } = outcome.released;
      if (pool !== undefined && isOneOf(pools, pool)) look(pool, outcome.line);
    },
    onBatch({ op, line }, from, to) {
      for (let n = to - 1; n >= from; n--) {
        if (op[n] > Op.free) continue;
        lastLine = line[n];
        return;
      }
    },
    atEnd() {
      for (const pool of session.allocators.flatMap(({ pools }) => [...pools].reverse())) {
        turnTo(pool);
        const end = keep(pool, lastLine, lastLosses, undefined);
        watch.end.push(fragmentationAt(pool, end));
        watch.worst.push(fragmentationAt(pool, worst.get(pool) ?? end));
      }
    },
  };
  return watch;
}
