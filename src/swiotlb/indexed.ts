import { IO_TLB_SEGSIZE, IO_TLB_SHIFT, IO_TLB_SIZE } from '../kernel/constants.js';
import type { SearchPlan } from '../kernel/plan.js';
import {
  boundsOf,
  type ClassBounds,
  MAX_PERIOD,
  nextSegment,
  SEGMENT_SHIFT,
  tighten,
  WORD_SHIFT,
} from './freeIndex.js';
import type { Pool } from './pool.js';
import { ENDLESS, NOT_FOUND, type Searcher, type SearchTally, searchLinear } from './search.js';
import { type AddressWindow, spansBoundary } from './window.js';

/**
 * The walk that the kernel's loops make through an area: by 1 from a misaligned slot, by the stride
 * from an aligned one. Where the masks' bits are a run of low ones, aligned slots are a period apart,
 * so that after the first all those that the walk meets are `distance` apart: the stride rounded up
 * to the period, what it lacks in steps of 1.
 */
interface Walk {
  /** Slots from one aligned slot to the next, less one: a power of two less one. */
  periodMask: number;
  /** An aligned slot of the pool, modulo the period. */
  phase: number;
  stride: number;
  /** Slots from one aligned slot that the walk meets to the next that it meets. */
  distance: number;
  /** The largest power of two that divides the distance, or MAX_PERIOD if that is less. */
  classPeriod: number;
}

/** Reused for every search. */
const walk: Walk = { periodMask: 0, phase: 0, stride: 1, distance: 1, classPeriod: 1 };

/** Bits of an address inside its slot. */
const IN_SLOT = IO_TLB_SIZE - 1;

/**
 * Finds what the kernel's loop finds and counts what it examines, but jumps over segments that
 * cannot hold the request, and reckons the steps instead of making them.
 */
export const searchIndexed: Searcher = (pool, area, plan, window, tally) => {
  const mask = (plan.clearMask | plan.matchMask) >>> IO_TLB_SHIFT;
  const hasGaps = (mask & (mask + 1)) !== 0;
  const index = pool.areaIndex[area];
  if (hasGaps || !(plan.nslots >= 1) || !(index >= 0 && index < pool.areaNslabs)) {
    return searchLinear(pool, area, plan, window, tally);
  }
  if (contradictsItself(plan, window)) {
    // No slot is aligned: steps of 1, once around the area, in either loop.
    tally.examined += pool.areaNslabs;
    return NOT_FOUND;
  }
  const { stride } = plan;
  walk.periodMask = mask;
  walk.phase = ((plan.matchBits >>> IO_TLB_SHIFT) - (window.low >>> IO_TLB_SHIFT)) & mask;
  walk.stride = stride;
  walk.distance = (stride + mask) & ~mask;
  walk.classPeriod = Math.min(walk.distance & -walk.distance, MAX_PERIOD);
  return plan.endsAtStart
    ? searchUntilStart(pool, area, plan, window, tally)
    : searchCounted(pool, area, plan, window, tally);
};

/** Whether a plan asks a bit to be 0 and 1, or bits inside a slot to be what no slot's address has. */
function contradictsItself(plan: SearchPlan, window: AddressWindow): boolean {
  const { clearMask, matchMask, matchBits } = plan;
  const inSlot = (window.low & clearMask) | ((window.low & matchMask) ^ matchBits);
  return ((matchBits & (clearMask | ~matchMask)) | (inSlot & IN_SLOT)) !== 0;
}

/**
 * v6.3 and later. Up to the wrap `checked` is the way that was made, so it cannot end the loop there;
 * after it the way is made from slot 0 again, with the overshoot of the last stride on the account.
 */
function searchCounted(
  pool: Pool,
  area: number,
  plan: SearchPlan,
  window: AddressWindow,
  tally: SearchTally,
): number {
  const { areaNslabs } = pool;
  const areaStart = area * areaNslabs;
  const start = areaStart + pool.areaIndex[area];
  const end = scan(pool, plan, window, start, areaStart + areaNslabs, tally);
  if (end >= 0) return end;
  const checked = ~end - start;
  if (checked >= areaNslabs) return NOT_FOUND;
  const again = scan(pool, plan, window, areaStart, areaStart + areaNslabs - checked, tally);
  return again >= 0 ? again : NOT_FOUND;
}

/**
 * Up to v6.2. After the wrap the walk either lands on its start, which ends it, or jumps over it; then
 * it goes on to the area's end, and at the second wrap it is where it was at the first: for ever.
 */
function searchUntilStart(
  pool: Pool,
  area: number,
  plan: SearchPlan,
  window: AddressWindow,
  tally: SearchTally,
): number {
  const { areaNslabs } = pool;
  const { stride } = plan;
  const areaStart = area * areaNslabs;
  const areaEnd = areaStart + areaNslabs;
  const rounded = ((pool.areaIndex[area] + stride - 1) & ~(stride - 1)) >>> 0;
  const start = areaStart + (rounded < areaNslabs ? rounded : 0);
  const examinedBefore = tally.examined;

  const end = scan(pool, plan, window, start, areaEnd, tally);
  if (end >= 0) return end;
  if (start === areaStart) return NOT_FOUND;
  const again = scan(pool, plan, window, areaStart, start, tally);
  if (again >= 0) return again;
  const landed = ~again;
  if (landed === start) return NOT_FOUND;
  if (landed < areaEnd) {
    const beyond = scan(pool, plan, window, landed, areaEnd, tally);
    if (beyond >= 0) return beyond;
  }
  // The linear loop gives up after one step more than the area has slots.
  tally.examined = examinedBefore + areaNslabs + 1;
  return ENDLESS;
}

/**
 * The walk from slot `from` as long as it is below `limit` (both of the pool, from < limit).
 * @returns the slot that fits; else the complement of the slot, `limit` or beyond, where the walk gets to
 */
function scan(
  pool: Pool,
  plan: SearchPlan,
  window: AddressWindow,
  from: number,
  limit: number,
  tally: SearchTally,
): number {
  const { stride, distance, classPeriod } = walk;
  const first = from + ((walk.phase - from) & walk.periodMask);
  if (first >= limit) {
    tally.examined += limit - from;
    return ~limit;
  }
  if (fits(pool, plan, window, first)) {
    // As often as not in a pool with room: no need to ask the index.
    tally.examined += first - from + 1;
    return first;
  }
  const tree = boundsOf(pool.freeIndex, classPeriod, first & (classPeriod - 1), pool.list);
  const found = seek(pool, plan, window, tree, first, limit);
  const last = found >= 0 ? found : limit - 1 - ((limit - 1 - first) % distance);
  const examinedPerDistance = 1 + distance - stride;
  tally.examined += first - from + 1 + ((last - first) / distance) * examinedPerDistance;
  if (found >= 0) return found;
  const end = last + stride;
  if (end >= limit) return ~end;
  tally.examined += limit - end;
  return ~limit;
}

/**
 * The first slot that fits among `first` and those at multiples of the walk's distance behind it,
 * below `limit`; -1 if there is none.
 */
function seek(
  pool: Pool,
  plan: SearchPlan,
  window: AddressWindow,
  tree: ClassBounds,
  first: number,
  limit: number,
): number {
  const { distance } = walk;
  const { period, residue } = tree;
  const least = Math.min(plan.nslots, 255);
  let slot = first;
  while (slot < limit) {
    const segment = nextSegment(tree, slot >>> SEGMENT_SHIFT, least);
    if (segment < 0) return -1;
    const segmentStart = segment << SEGMENT_SHIFT;
    const segmentEnd = Math.min(segmentStart + IO_TLB_SEGSIZE, pool.nslabs);
    const end = Math.min(segmentEnd, limit);
    if (distance !== period) {
      if (slot < segmentStart) slot = stepOver(slot, segmentStart, distance);
      for (; slot < end; slot += distance) if (fits(pool, plan, window, slot)) return slot;
      continue;
    }
    const from = Math.max(slot, segmentStart + residue);
    const found = seekFree(pool, plan, window, tree, from, end);
    if (found >= 0) return found;
    if (from === segmentStart + residue && end === segmentEnd) tighten(tree, segment, ~found);
    slot = segmentStart + IO_TLB_SEGSIZE + residue;
  }
  return -1;
}

/** The first slot from `to` on that steps of `distance` from `slot` lead to. */
function stepOver(slot: number, to: number, distance: number): number {
  const over = (to - slot) % distance;
  return over === 0 ? to : to + distance - over;
}

/** The kernel's tests of an aligned slot. */
function fits(pool: Pool, plan: SearchPlan, window: AddressWindow, slot: number): boolean {
  return pool.list[slot] >= plan.nslots && !spansBoundary(window, slot, plan.nslots);
}

/**
 * The first slot that fits among those of a class from `from` up to before `end`, all in one segment.
 * The hot loop of the search, from free run to free run: inside a run that is too short counters only
 * become less, even where a release has damaged them.
 * @returns the complement of the largest counter seen if no slot fits
 */
function seekFree(
  pool: Pool,
  plan: SearchPlan,
  window: AddressWindow,
  tree: ClassBounds,
  from: number,
  end: number,
): number {
  const { list } = pool;
  const { free } = pool.freeIndex;
  const { slotBits } = tree;
  const { nslots } = plan;
  let longest = 0;
  let slot = from;
  while (slot < end) {
    const bits = (free[slot >>> WORD_SHIFT] & slotBits) >> slot;
    if (bits === 0) {
      slot = ((slot >>> WORD_SHIFT) + 1) << WORD_SHIFT;
      continue;
    }
    slot += 31 - Math.clz32(bits & -bits);
    if (slot >= end) break;
    const run = list[slot];
    if (run > longest) longest = run;
    if (run < nslots) slot += Math.max(run, 1);
    else if (spansBoundary(window, slot, nslots)) slot++;
    else return slot;
  }
  return ~longest;
}
