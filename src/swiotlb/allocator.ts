import { IO_TLB_SHIFT, IO_TLB_SIZE } from '../kernel/constants.js';
import { emptyPlan, type MapRequest, type SearchPlan } from '../kernel/plan.js';
import type { Release } from '../kernel/release.js';
import {
  holdsAddress,
  type Pool,
  type Released,
  releaseSlots,
  slotAddress,
  slotAt,
  takeSlots,
} from './pool.js';
import { ENDLESS, type Searcher, type SearchTally } from './search.js';
import { type AddressWindow, addressWindow } from './window.js';

/** One struct io_tlb_mem: the default allocator or a restricted pool, with the counters debugfs shows. */
export interface Allocator {
  pool: Pool;
  /** Serves swiotlb_alloc() (`for_alloc`). */
  restricted: boolean;
  search: Searcher;
  /** Slots in use (io_tlb_used). */
  used: number;
  /** The most slots that were ever in use (io_tlb_used_hiwater). */
  usedHiwater: number;
}

/** A device as the allocator sees it. */
export interface Device {
  name: string;
  /** dma_get_min_align_mask(), unsigned 32 bit. */
  minAlignMask: number;
  /** dma_get_seg_boundary(); Infinity for no boundary. */
  segBoundaryMask: number;
  allocator: Allocator;
  window: AddressWindow;
}

/** Why the allocator said no, as far as it knows itself. */
export type Refusal =
  /** No area had room, or no slot in them fitted. */
  | 'full'
  /** The release's search would never end (up to v6.2). */
  | 'endless'
  /** The release has no swiotlb_alloc() (up to v5.14). */
  | 'no-pages'
  /** mapping_size above alloc_size: refused before any search. */
  | 'invalid-sizes'
  /** swiotlb_alloc() found slots that do not start on a page (823353b7cf0e). */
  | 'unaligned-page';

/** The answer to one request. One object is reused for every event of a replay. */
export interface MapAnswer extends SearchTally {
  refusal: Refusal | undefined;
  /** First slot of the allocation, padding included; -1 where refused. */
  slot: number;
  /** The numbers that the search ran with. */
  plan: SearchPlan;
  /** tlb_addr; NaN where refused. */
  address: number;
  /** What swiotlb_alloc() gave back before it refused. */
  givenBack: Released;
}

/** An answer to be filled. */
export function emptyAnswer(): MapAnswer {
  return {
    refusal: undefined,
    slot: -1,
    plan: emptyPlan(),
    address: Number.NaN,
    givenBack: { slot: -1, nslots: 0 },
    examined: 0,
  };
}

/** An allocator whose pool is empty. */
export function createAllocator(pool: Pool, restricted: boolean, search: Searcher): Allocator {
  return { pool, restricted, search, used: 0, usedHiwater: 0 };
}

/** A device that allocates from `allocator`. */
export function createDevice(
  name: string,
  minAlignMask: number,
  segBoundaryMask: number,
  allocator: Allocator,
): Device {
  const window = addressWindow(allocator.pool.base, segBoundaryMask);
  return { name, minAlignMask, segBoundaryMask, allocator, window };
}

/** The area that a CPU's search starts with; the number of areas is a power of two. */
function firstArea(pool: Pool, cpu: number): number {
  return cpu & (pool.areas - 1);
}

function refuse(answer: MapAnswer, refusal: Refusal): void {
  answer.refusal = refusal;
  answer.slot = -1;
  answer.address = Number.NaN;
}

/** The address that a release makes of a slot; up to v5.19 the slot's offset is a 32-bit number. */
function resultAddress(release: Release, pool: Pool, slot: number): number {
  if (!release.wrapsSlotOffset) return slotAddress(pool, slot);
  return pool.base + ((slot << IO_TLB_SHIFT) >>> 0);
}

/** Searches the areas of the device's pool, the CPU's own first (swiotlb_find_slots()), and takes the slots. */
function findSlots(release: Release, device: Device, cpu: number, answer: MapAnswer): void {
  const { allocator, window } = device;
  const { pool } = allocator;
  const { plan } = answer;
  const first = firstArea(pool, cpu);
  for (let k = 0; k < pool.areas; k++) {
    const area = (first + k) & (pool.areas - 1);
    if (plan.nslots > (pool.areaNslabs - pool.areaUsed[area]) >>> 0) continue;
    const slot = allocator.search(pool, area, plan, window, answer);
    if (slot === ENDLESS) {
      refuse(answer, 'endless');
      return;
    }
    if (slot < 0) continue;
    takeSlots(pool, area, slot, plan.nslots, plan.totalSize - (plan.offset & (IO_TLB_SIZE - 1)));
    allocator.used += plan.nslots;
    if (allocator.used > allocator.usedHiwater) allocator.usedHiwater = allocator.used;
    answer.refusal = undefined;
    answer.slot = slot;
    answer.address = resultAddress(release, pool, slot) + plan.offset;
    return;
  }
  refuse(answer, 'full');
}

/** swiotlb_tbl_map_single(): finds and takes slots for a buffer; fills `answer`. */
export function mapSingle(
  release: Release,
  pageSize: number,
  device: Device,
  cpu: number,
  request: MapRequest,
  answer: MapAnswer,
): void {
  const { plan } = answer;
  answer.examined = 0;
  release.size(request, plan);
  release.masks(request, pageSize, plan);
  if (release.takesAllocSize && request.mappingSize > request.allocSize) {
    refuse(answer, 'invalid-sizes');
    return;
  }
  findSlots(release, device, cpu, answer);
  const padSlots = plan.offset >>> IO_TLB_SHIFT;
  if (padSlots > 0 && answer.slot >= 0) {
    device.allocator.pool.padSlots[answer.slot + padSlots] = padSlots;
  }
}

/**
 * swiotlb_alloc(): whole pages for a coherent buffer of a device with a restricted pool; fills
 * `answer`. The address is the slot's, before the kernel turns it into a page.
 * @param request its mappingSize is the size asked for; the rest is set here
 */
export function allocPages(
  release: Release,
  pageSize: number,
  device: Device,
  cpu: number,
  request: MapRequest,
  answer: MapAnswer,
): void {
  answer.examined = 0;
  if (release.coherentAlignMask === undefined) {
    refuse(answer, 'no-pages');
    return;
  }
  request.origAddr = 0;
  request.allocSize = request.mappingSize;
  request.allocAlignMask = release.coherentAlignMask(request.mappingSize, pageSize);
  release.masks(request, pageSize, planWithoutOffset(request, answer.plan));
  findSlots(release, device, cpu, answer);
  if (release.refusesUnalignedPages && answer.slot >= 0 && !isAligned(answer.address, pageSize)) {
    unmapSingle(device, answer.address, undefined, answer.givenBack);
    refuse(answer, 'unaligned-page');
  }
}

function isAligned(address: number, pageSize: number): boolean {
  return ((address | 0) & (pageSize - 1)) === 0;
}

/** swiotlb_alloc() searches for its size as it is: no offset, no rounding. */
function planWithoutOffset(request: MapRequest, plan: SearchPlan): SearchPlan {
  plan.offset = 0;
  plan.totalSize = request.mappingSize;
  plan.nslots = Math.ceil(request.mappingSize / IO_TLB_SIZE);
  return plan;
}

/**
 * swiotlb_tbl_unmap_single(): releases what lies at an address; nothing for an address outside the
 * device's pool.
 * @param size the caller's alloc_size in releases that believe it, undefined in others
 */
export function unmapSingle(
  device: Device,
  address: number,
  size: number | undefined,
  released: Released,
): void {
  const { allocator } = device;
  const { pool } = allocator;
  const lowOffset = (address | 0) & device.minAlignMask & (IO_TLB_SIZE - 1);
  released.slot = -1;
  released.nslots = 0;
  if (!holdsAddress(pool, address) || slotAt(pool, address - lowOffset) < 0) return;
  releaseSlots(pool, address, lowOffset, size, released);
  allocator.used -= released.nslots;
}

/** swiotlb_free(): the kernel gets the page, so what lies at the page's start is released. */
export function freePages(
  device: Device,
  pageSize: number,
  address: number,
  released: Released,
): void {
  unmapSingle(device, address - ((address | 0) & (pageSize - 1)), undefined, released);
}
