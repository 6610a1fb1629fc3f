import { IO_TLB_SIZE, MAX_ALLOCATION_BYTES } from '../kernel/constants.js';
import { emptyPlan, type SearchPlan } from '../kernel/plan.js';
import type { Release } from '../kernel/release.js';
import { createPool, holdsAddress, type Pool, type PoolGeometry } from './pool.js';
import type { Searcher, SearchTally } from './search.js';
import { type AddressWindow, addressWindow } from './window.js';

/** CONFIG_SWIOTLB_DYNAMIC, in releases that have it. */
export interface DynamicSetup {
  order: NonNullable<Release['dynamicOrder']>;
  /** default_nareas: areas of the default allocator, 0 where it was not set up. */
  defaultAreas: number;
}

/** One struct io_tlb_mem: the default allocator or a restricted pool, with the counters debugfs shows. */
export interface Allocator {
  /** The pool that it was set up with. */
  pool: Pool;
  /** In the order of a search: pools that joined later stand in front. */
  pools: Pool[];
  /** Serves swiotlb_alloc() (`for_alloc`), and never grows. */
  restricted: boolean;
  search: Searcher;
  /** Undefined without CONFIG_SWIOTLB_DYNAMIC. */
  dynamic: DynamicSetup | undefined;
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
  /** Physical addresses that it reaches: pages for its transient pools lie below. Infinity for all. */
  dmaMask: number;
  allocator: Allocator;
  /** How it sees the pool that its allocator was set up with. */
  window: AddressWindow;
  /** How it sees others. */
  otherWindows: Map<Pool, AddressWindow>;
  /** Its own transient pools (dev->dma_io_tlb_pools), one buffer each. */
  transientPools: Pool[];
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

/** Slots that a release gave back. Reused, never kept. */
export interface Released {
  /** Undefined where the address lies in no pool. */
  pool: Pool | undefined;
  slot: number;
  nslots: number;
}

/** The answer to one request. One object is reused for every event of a replay. */
export interface MapAnswer extends SearchTally {
  refusal: Refusal | undefined;
  /** Where the slots are; undefined where refused. */
  pool: Pool | undefined;
  /** First slot of the allocation, padding included; -1 where refused. */
  slot: number;
  /** Where the area's next search started before the slots were taken; only where some were. */
  indexBefore: number;
  /** The numbers that the search ran with. */
  plan: SearchPlan;
  /** tlb_addr; NaN where refused. */
  address: number;
  /** The transient pool that was made for the request, fitting or not. */
  transient: Pool | undefined;
  /** What swiotlb_alloc() gave back before it refused. */
  givenBack: Released;
  /** The question is what would be answered: nothing is taken. */
  foretells: boolean;
}

/** Nothing released. */
export function emptyReleased(): Released {
  return { pool: undefined, slot: -1, nslots: 0 };
}

/** An answer to be filled. */
export function emptyAnswer(): MapAnswer {
  return {
    refusal: undefined,
    pool: undefined,
    slot: -1,
    indexBefore: 0,
    plan: emptyPlan(),
    address: Number.NaN,
    transient: undefined,
    givenBack: emptyReleased(),
    foretells: false,
    examined: 0,
  };
}

/** An allocator with one pool. */
export function createAllocator(
  pool: Pool,
  restricted: boolean,
  search: Searcher,
  dynamic?: DynamicSetup,
): Allocator {
  return { pool, pools: [pool], restricted, search, dynamic, used: 0, usedHiwater: 0 };
}

/** A pool joins the front of an allocator's list (add_mem_pool(), swiotlb_dyn_alloc()). */
export function growAllocator(
  allocator: Allocator,
  geometry: PoolGeometry,
  clampTail: boolean,
): Pool {
  const pool = createPool(geometry, clampTail);
  allocator.pools.unshift(pool);
  return pool;
}

/** A device that allocates from `allocator`. */
export function createDevice(
  name: string,
  minAlignMask: number,
  segBoundaryMask: number,
  dmaMask: number,
  allocator: Allocator,
): Device {
  const window = addressWindow(allocator.pool.base, segBoundaryMask);
  return {
    name,
    minAlignMask,
    segBoundaryMask,
    dmaMask,
    allocator,
    window,
    otherWindows: new Map(),
    transientPools: [],
  };
}

/** How a device sees a pool's addresses. */
export function windowOf(device: Device, pool: Pool): AddressWindow {
  if (pool === device.allocator.pool) return device.window;
  let window = device.otherWindows.get(pool);
  if (window === undefined) {
    window = addressWindow(pool.base, device.segBoundaryMask);
    device.otherWindows.set(pool, window);
  }
  return window;
}

/** The pool in which an address lies, for a device (swiotlb_find_pool()). */
export function findPool(device: Device, address: number): Pool | undefined {
  const { pool } = device.allocator;
  return holdsAddress(pool, address) ? pool : findOtherPool(device, address);
}

function findOtherPool(device: Device, address: number): Pool | undefined {
  const { pools } = device.allocator;
  return (
    pools.find((candidate) => holdsAddress(candidate, address)) ??
    device.transientPools.find((candidate) => holdsAddress(candidate, address))
  );
}

/** Slots of an area that are not in use, as the kernel counts them (unsigned). */
export function areaRoom(pool: Pool, area: number): number {
  return (pool.areaNslabs - pool.areaUsed[area]) >>> 0;
}

/** Whether a dynamic allocator refuses a plan without a search (3dc2f209208d). */
export function isRefusedAtOnce({ dynamic }: Allocator, plan: SearchPlan): boolean {
  return dynamic?.order === 'area-by-area' && plan.totalSize > MAX_ALLOCATION_BYTES;
}

/** Bytes of a plan that the first slot stores: all but the offset inside the slot. */
export function storedSizeOf(plan: SearchPlan): number {
  return plan.totalSize - (plan.offset & (IO_TLB_SIZE - 1));
}
