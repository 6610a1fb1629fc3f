import { IO_TLB_SHIFT } from '../kernel/constants.js';
import type { SearchPlan } from '../kernel/plan.js';
import type { Pool } from './pool.js';
import { type AddressWindow, spansBoundary } from './window.js';

/** What a search found, and what it cost. Reused, never kept. */
export interface SearchTally {
  /** Candidate slots that searches have examined so far. */
  examined: number;
  /** Told each candidate by the linear searcher, which alone looks at every one. */
  visit?: (slot: number) => void;
}

/**
 * Finds slots in one area of a pool.
 * @returns the slot, counted from the pool's start, NOT_FOUND or ENDLESS
 */
export type Searcher = (
  pool: Pool,
  area: number,
  plan: SearchPlan,
  window: AddressWindow,
  tally: SearchTally,
) => number;

/** What a search returns when no slot fits. */
export const NOT_FOUND = -1;

/** What a search returns when the kernel's loop would never end. */
export const ENDLESS = -2;

/** Whether a plan's slots can begin at a slot: the tests that all loops make. */
function isAligned(plan: SearchPlan, window: AddressWindow, slot: number): boolean {
  const address = (window.low + (slot << IO_TLB_SHIFT)) | 0;
  return (address & plan.clearMask) === 0 && (address & plan.matchMask) === plan.matchBits;
}

/**
 * The kernel's loop, statement by statement (swiotlb_search_pool_area() and its forerunners): the
 * reference for every other searcher.
 */
export const searchLinear: Searcher = (pool, area, plan, window, tally) =>
  plan.endsAtStart
    ? searchUntilStart(pool, area, plan, window, tally)
    : searchCounted(pool, area, plan, window, tally);

/** v6.3 and later: as many slots as the area has, each stride counted whole. A hot loop. */
function searchCounted(
  pool: Pool,
  area: number,
  plan: SearchPlan,
  window: AddressWindow,
  tally: SearchTally,
): number {
  const { list, areaNslabs } = pool;
  const { nslots, stride } = plan;
  const areaStart = area * areaNslabs;
  let index = pool.areaIndex[area];
  let checked = 0;
  while (checked < areaNslabs) {
    tally.examined++;
    const slot = areaStart + index;
    tally.visit?.(slot);
    if (!isAligned(plan, window, slot)) {
      index = index + 1 < areaNslabs ? index + 1 : 0;
      checked++;
      continue;
    }
    if (list[slot] >= nslots && !spansBoundary(window, slot, nslots)) return slot;
    index = index + stride < areaNslabs ? index + stride : 0;
    checked += stride;
  }
  return NOT_FOUND;
}

/**
 * Up to v6.2: from the rounded start index until the index is there again. After more steps than
 * the area has slots some index came twice, and so will everything after it: the loop never ends.
 */
function searchUntilStart(
  pool: Pool,
  area: number,
  plan: SearchPlan,
  window: AddressWindow,
  tally: SearchTally,
): number {
  const { list, areaNslabs } = pool;
  const { nslots, stride } = plan;
  const areaStart = area * areaNslabs;
  // ALIGN() is bit arithmetic; 51b30ecb73b4's backports have strides that are no powers of two.
  const rounded = ((pool.areaIndex[area] + stride - 1) & ~(stride - 1)) >>> 0;
  const start = rounded < areaNslabs ? rounded : 0;
  let index = start;
  for (let steps = 0; steps <= areaNslabs; steps++) {
    tally.examined++;
    const slot = areaStart + index;
    tally.visit?.(slot);
    if (!isAligned(plan, window, slot)) {
      index = index + 1 < areaNslabs ? index + 1 : 0;
    } else {
      if (list[slot] >= nslots && !spansBoundary(window, slot, nslots)) return slot;
      index = index + stride < areaNslabs ? index + stride : 0;
    }
    if (index === start) return NOT_FOUND;
  }
  return ENDLESS;
}
