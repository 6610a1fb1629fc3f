import { IO_TLB_SHIFT } from '../kernel/constants.js';
import type { SearchPlan } from '../kernel/plan.js';
import type { Pool } from './pool.js';
import { type AddressWindow, spansBoundary } from './window.js';

/** What a search found, and what it cost. Reused, never kept. */
export interface SearchTally {
  /** Candidate slots that searches have examined so far. */
  examined: number;
}

/**
 * The kernel's loop, statement by statement (swiotlb_search_pool_area(), v6.3 and later): the
 * reference for every other searcher. A hot loop, and plain for that reason.
 * @returns the slot, counted from the pool's start, or -1
 */
export function searchAreaLinear(
  pool: Pool,
  area: number,
  plan: SearchPlan,
  window: AddressWindow,
  tally: SearchTally,
): number {
  const { list, areaNslabs } = pool;
  const { nslots, stride, clearMask, matchMask, matchBits } = plan;
  const areaStart = area * areaNslabs;
  let index = pool.areaIndex[area];
  let checked = 0;
  while (checked < areaNslabs) {
    tally.examined++;
    const slot = areaStart + index;
    const address = (window.low + (slot << IO_TLB_SHIFT)) | 0;
    if ((address & clearMask) !== 0 || (address & matchMask) !== matchBits) {
      index = index + 1 < areaNslabs ? index + 1 : 0;
      checked++;
      continue;
    }
    if (list[slot] >= nslots && !spansBoundary(window, slot, nslots)) return slot;
    index = index + stride < areaNslabs ? index + stride : 0;
    checked += stride;
  }
  return -1;
}
