import { IO_TLB_SEGSIZE, IO_TLB_SHIFT } from '../kernel/constants.js';
import type { MapRequest, SearchPlan } from '../kernel/plan.js';
import type { Release } from '../kernel/release.js';
import {
  type Allocator,
  areaRoom,
  type Device,
  findPool,
  isRefusedAtOnce,
  type MapAnswer,
  type Refusal,
  storedSizeOf,
  windowOf,
} from './allocator.js';
import { createPool, type Pool, slotAddress, slotAt, takeSlots } from './pool.js';
import { ENDLESS, NOT_FOUND } from './search.js';

/** Fills an answer with a refusal. */
export function refuse(answer: MapAnswer, refusal: Refusal): void {
  answer.refusal = refusal;
  answer.pool = undefined;
  answer.slot = -1;
  answer.address = Number.NaN;
}

/** The address that a release makes of a slot; up to v6.0 the slot's offset is a 32-bit number. */
function resultAddress(release: Release, pool: Pool, slot: number): number {
  if (!release.wrapsSlotOffset) return slotAddress(pool, slot);
  return pool.base + ((slot << IO_TLB_SHIFT) >>> 0);
}

/** Slots found in a pool are taken, counted and told; or only told, where the answer foretells. */
export function take(
  release: Release,
  allocator: Allocator,
  pool: Pool,
  area: number,
  slot: number,
  answer: MapAnswer,
): void {
  const { plan } = answer;
  answer.indexBefore = pool.areaIndex[area];
  if (!answer.foretells) {
    takeSlots(pool, area, slot, plan.nslots, storedSizeOf(plan));
    allocator.used += plan.nslots;
    if (allocator.used > allocator.usedHiwater) allocator.usedHiwater = allocator.used;
  }
  answer.refusal = undefined;
  answer.pool = pool;
  answer.slot = slot;
  answer.address = resultAddress(release, pool, slot) + plan.offset;
}

/** Searches one area and takes what it finds; NOT_FOUND or ENDLESS if nothing. */
function searchArea(
  release: Release,
  device: Device,
  pool: Pool,
  area: number,
  answer: MapAnswer,
): number {
  const { allocator } = device;
  const { plan } = answer;
  if (plan.nslots > areaRoom(pool, area)) return NOT_FOUND;
  const slot = allocator.search(pool, area, plan, windowOf(device, pool), answer);
  if (slot >= 0) take(release, allocator, pool, area, slot, answer);
  return slot;
}

/** All areas of a pool, the CPU's own first (swiotlb_pool_find_slots()); their number is a power of two. */
function searchPool(
  release: Release,
  device: Device,
  pool: Pool,
  cpu: number,
  answer: MapAnswer,
): number {
  const mask = pool.areas - 1;
  for (let k = 0; k < pool.areas; k++) {
    const found = searchArea(release, device, pool, (cpu + k) & mask, answer);
    if (found !== NOT_FOUND) return found;
  }
  return NOT_FOUND;
}

/** One area of every pool before the next area (55c543865b76). */
function searchAreaByArea(
  release: Release,
  device: Device,
  areas: number,
  cpu: number,
  answer: MapAnswer,
): number {
  for (let k = 0; k < areas; k++) {
    for (const pool of device.allocator.pools) {
      if (k >= pool.areas) continue;
      const found = searchArea(release, device, pool, (cpu + k) & (pool.areas - 1), answer);
      if (found !== NOT_FOUND) return found;
    }
  }
  return NOT_FOUND;
}

function searchPools(release: Release, device: Device, cpu: number, answer: MapAnswer): number {
  const { pool, pools, dynamic } = device.allocator;
  if (dynamic === undefined) return searchPool(release, device, pool, cpu, answer);
  if (dynamic.order === 'area-by-area') {
    return searchAreaByArea(release, device, dynamic.defaultAreas, cpu, answer);
  }
  for (const candidate of pools) {
    const found = searchPool(release, device, candidate, cpu, answer);
    if (found !== NOT_FOUND) return found;
  }
  return NOT_FOUND;
}

/** The area that holds an address, and no other. */
function searchAround(
  release: Release,
  device: Device,
  { lookAt }: MapRequest,
  answer: MapAnswer,
): number {
  const { pools } = device.allocator;
  const pool = findPool(device, lookAt);
  if (pool === undefined || !pools.includes(pool)) return NOT_FOUND;
  const slot = slotAt(pool, lookAt - answer.plan.offset);
  const area = Math.floor(slot / pool.areaNslabs);
  if (!(area >= 0 && area < pool.areas)) return NOT_FOUND;
  return searchArea(release, device, pool, area, answer);
}

/**
 * A pool of just the slots that are needed, on pages of its own (79636caad361). It belongs to the
 * device if the search in it succeeds, and is gone again if not.
 */
function searchTransient(
  release: Release,
  device: Device,
  base: number,
  plan: SearchPlan,
  answer: MapAnswer,
): void {
  // Whatever pages were had, no run is longer than a segment.
  if (plan.nslots > IO_TLB_SEGSIZE) return;
  const geometry = { name: 'transient', base, nslabs: plan.nslots, areas: 1 };
  const pool = createPool(geometry, release.clampsTail);
  answer.transient = pool;
  const isFound = searchArea(release, device, pool, 0, answer) >= 0;
  if (isFound && !answer.foretells) device.transientPools.push(pool);
  else device.otherWindows.delete(pool);
}

/**
 * Finds and takes slots for the plan in `answer` (swiotlb_find_slots()).
 * @param request its cpu, transientBase and lookAt
 */
export function findSlots(
  release: Release,
  device: Device,
  request: MapRequest,
  answer: MapAnswer,
): void {
  const { allocator } = device;
  const { cpu, transientBase, lookAt } = request;
  const { plan } = answer;
  refuse(answer, 'full');
  if (isRefusedAtOnce(allocator, plan)) return;
  const found = Number.isNaN(lookAt)
    ? searchPools(release, device, cpu, answer)
    : searchAround(release, device, request, answer);
  if (found === ENDLESS) answer.refusal = 'endless';
  if (found !== NOT_FOUND || allocator.dynamic === undefined || allocator.restricted) return;
  if (!Number.isNaN(transientBase)) searchTransient(release, device, transientBase, plan, answer);
}
