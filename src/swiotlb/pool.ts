import { IO_TLB_SEGSIZE, IO_TLB_SHIFT, slotsOf } from '../kernel/constants.js';
import { createFreeIndex, type FreeIndex, indexReleased, indexTaken } from './freeIndex.js';
import { addRun, createFreeRuns, type FreeRuns, recountRuns, removeRun } from './freeRuns.js';

/** Where a pool lies and how it is cut. */
export interface PoolGeometry {
  name: string;
  /** Physical address of the first slot; a multiple of the slot size, below 2^52. */
  base: number;
  /** Number of slots. */
  nslabs: number;
  /** Number of areas, a power of two. */
  areas: number;
}

/**
 * The state of one pool (struct io_tlb_pool), in columns: one entry per slot or per area. A
 * release is allowed to damage it just as the kernel's would.
 */
export interface Pool {
  name: string;
  base: number;
  nslabs: number;
  areas: number;
  /** Slots in an area. */
  areaNslabs: number;
  /** Per slot: 0 if in use, else free slots from here to the end of the free run (`list`). */
  list: Uint16Array;
  /** Per slot: bytes of its allocation that are left from this slot on (`alloc_size`). */
  storedSize: Int32Array;
  /** Per slot: padding slots in front of it (`pad_slots`, af133562d5af). */
  padSlots: Uint16Array;
  /** Whether a slot ever had padding in front of it: where none had, nothing needs to be looked up or cleared. */
  hasPadding: boolean;
  /** Per area: slot in the area where the next search starts (`index`). */
  areaIndex: Int32Array;
  /** Per area: slots in use (`used`, unsigned in the kernel). */
  areaUsed: Int32Array;
  freeRuns: FreeRuns;
  /** For the indexed search; empty, and nothing to keep up, until there is one. */
  freeIndex: FreeIndex;
}

/**
 * An empty pool, as swiotlb_init_io_tlb_pool() leaves it.
 * @param clampTail whether the counters of the last, partial segment end at the pool's end (53c87e846e33)
 */
export function createPool(geometry: PoolGeometry, clampTail: boolean): Pool {
  const { name, base, nslabs, areas } = geometry;
  const list = new Uint16Array(nslabs);
  for (let slot = 0; slot < nslabs; slot++) {
    const toSegmentEnd = IO_TLB_SEGSIZE - (slot % IO_TLB_SEGSIZE);
    list[slot] = clampTail ? Math.min(toSegmentEnd, nslabs - slot) : toSegmentEnd;
  }
  const pool: Pool = {
    name,
    base,
    nslabs,
    areas,
    areaNslabs: Math.floor(nslabs / areas),
    list,
    storedSize: new Int32Array(nslabs),
    padSlots: new Uint16Array(nslabs),
    hasPadding: false,
    areaIndex: new Int32Array(areas),
    areaUsed: new Int32Array(areas),
    freeRuns: createFreeRuns(),
    freeIndex: createFreeIndex(),
  };
  recountRuns(pool.freeRuns, list, nslabs);
  return pool;
}

/** The address of a slot's first byte. */
export function slotAddress(pool: Pool, slot: number): number {
  return pool.base + slot * (1 << IO_TLB_SHIFT);
}

/** The slot that holds an address; negative or at least `nslabs` for an address outside. */
export function slotAt(pool: { base: number }, address: number): number {
  return Math.floor((address - pool.base) / (1 << IO_TLB_SHIFT));
}

/** Whether an address lies in a pool (swiotlb_find_pool()). */
export function holdsAddress(pool: Pool, address: number): boolean {
  return address >= pool.base && address < pool.base + pool.nslabs * (1 << IO_TLB_SHIFT);
}

/** Walks down from `slot` through the free run that ends there, counting on; returns its length. */
function countRunBelow(list: Uint16Array, slot: number, count: number): number {
  let below = slot;
  let counted = count;
  while ((below & (IO_TLB_SEGSIZE - 1)) !== IO_TLB_SEGSIZE - 1 && list[below] !== 0) {
    list[below--] = ++counted;
  }
  return slot - below;
}

/**
 * Takes `nslots` slots from `slot` on, and moves the area's start index behind them.
 * @param storedSize bytes of the allocation from the first slot on; each further slot stores 2048 less
 */
export function takeSlots(
  pool: Pool,
  area: number,
  slot: number,
  nslots: number,
  storedSize: number,
): void {
  const { list, storedSize: stored, nslabs } = pool;
  const runFromHere = Math.min(list[slot], nslabs - slot);
  for (let i = 0; i < nslots; i++) {
    list[slot + i] = 0;
    stored[slot + i] = storedSize - (i << IO_TLB_SHIFT);
  }
  const before = countRunBelow(list, slot - 1, 0);
  indexTaken(pool.freeIndex, slot, nslots, before);
  removeRun(pool.freeRuns, before + runFromHere);
  addRun(pool.freeRuns, before);
  // Without clampsTail slots beyond the pool's end may have been taken.
  addRun(pool.freeRuns, Math.max(0, runFromHere - nslots));

  const next = slot - area * pool.areaNslabs + nslots;
  pool.areaIndex[area] = next < pool.areaNslabs ? next : 0;
  pool.areaUsed[area] += nslots;
}

/** Notes where data begins that has padding slots in front of it. */
export function notePadding(pool: Pool, dataSlot: number, padSlots: number): void {
  pool.padSlots[dataSlot] = padSlots;
  pool.hasPadding = true;
}

/** Which slots `releaseSlots` would release, with the same arguments. */
export function foretellRelease(
  pool: Pool,
  address: number,
  lowOffset: number,
  size: number | undefined,
  released: { slot: number; nslots: number },
): void {
  foretellReleaseAt(pool, slotAt(pool, address - lowOffset), lowOffset, size, released);
}

function foretellReleaseAt(
  pool: Pool,
  dataSlot: number,
  lowOffset: number,
  size: number | undefined,
  released: { slot: number; nslots: number },
): void {
  released.slot = pool.hasPadding ? dataSlot - pool.padSlots[dataSlot] : dataSlot;
  released.nslots = slotsOf((size ?? pool.storedSize[released.slot]) + lowOffset);
}

/**
 * Releases what the kernel finds at an address (swiotlb_release_slots()): the size stored there
 * decides how many slots, whatever the caller believes.
 * @param lowOffset the address's offset inside its slot that the device's mask kept, in bytes
 * @param size the caller's alloc_size in releases that believe it, up to v5.12; undefined later
 * @param released filled with what was given back
 */
export function releaseSlots(
  pool: Pool,
  address: number,
  lowOffset: number,
  size: number | undefined,
  released: { slot: number; nslots: number },
): void {
  releaseSlotsAt(pool, slotAt(pool, address - lowOffset), lowOffset, size, released);
}

/** The same, by the slot in which the data begins. */
export function releaseSlotsAt(
  pool: Pool,
  dataSlot: number,
  lowOffset: number,
  size: number | undefined,
  released: { slot: number; nslots: number },
): void {
  const { list, storedSize, padSlots } = pool;
  foretellReleaseAt(pool, dataSlot, lowOffset, size, released);
  const { slot, nslots } = released;
  const end = slot + nslots;
  const segmentEnd = (slot | (IO_TLB_SEGSIZE - 1)) + 1;
  const after = end < segmentEnd && end < pool.nslabs ? list[end] : 0;
  // A size that the caller made up may reach far behind the pool: there is nothing there to count.
  const last = Math.min(end, list.length);
  let count = after + end - last;
  let wasFree = last < end;
  for (let i = last - 1; i >= slot; i--) {
    if (list[i] !== 0) wasFree = true;
    list[i] = ++count;
    storedSize[i] = 0;
  }
  if (pool.hasPadding) padSlots.fill(0, slot, end);
  const before = countRunBelow(list, slot - 1, count);
  indexReleased(pool.freeIndex, slot, nslots, before, count);
  pool.areaUsed[Math.floor(slot / pool.areaNslabs)] -= nslots;
  if (wasFree) pool.freeRuns.stale = true;
  if (nslots > 0 && !wasFree) {
    removeRun(pool.freeRuns, Math.min(after, pool.nslabs - end));
    removeRun(pool.freeRuns, before);
    addRun(pool.freeRuns, Math.min(before + nslots + after, pool.nslabs - slot + before));
  }
}

/** The pool's free runs, counted afresh where a release had damaged the kernel's own counters. */
export function freeRunsOf(pool: Pool): FreeRuns {
  if (pool.freeRuns.stale) recountRuns(pool.freeRuns, pool.list, pool.nslabs);
  return pool.freeRuns;
}
