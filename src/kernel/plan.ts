import { IO_TLB_SHIFT, IO_TLB_SIZE, slotsOf } from './constants.js';

/**
 * What a driver asks of the slot allocator, in numbers. One object is reused for
 * every event of a replay, so policies must not keep it.
 */
export interface MapRequest {
  /** Physical address of the original buffer; 0 for swiotlb_alloc(), which has none. */
  origAddr: number;
  /** Bytes of the buffer (mapping_size). */
  mappingSize: number;
  /** Bytes to allocate (alloc_size); the argument is gone from v6.10 on (327e2c97c46a). */
  allocSize: number;
  /** alloc_align_mask, unsigned 32 bit. */
  allocAlignMask: number;
  /** The device's min_align_mask, unsigned 32 bit. */
  minAlignMask: number;
  /** The CPU that makes the call; it picks the first area. */
  cpu: number;
  /** Physical address of pages for a transient pool, should one be needed; NaN where none can be had. */
  transientBase: number;
  /** An address whose area alone is searched, and transient pools; NaN for the whole search of the kernel. */
  lookAt: number;
  /** Line of the trace, for messages; 0 or missing where there is none. */
  line?: number;
}

/** A request to be filled. */
export function emptyRequest(): MapRequest {
  return {
    origAddr: 0,
    mappingSize: 0,
    allocSize: 0,
    allocAlignMask: 0,
    minAlignMask: 0,
    cpu: 0,
    transientBase: Number.NaN,
    lookAt: Number.NaN,
    line: 0,
  };
}

/**
 * The numbers that a release decides before its search loop starts. The loops
 * hardly differ between kernels; these do.
 */
export interface SearchPlan {
  /** Bytes from the start of the first slot to the data; 2048 and more mean whole padding slots (v6.9). */
  offset: number;
  /** Bytes that the slots must hold, offset included. */
  totalSize: number;
  /** Slots to find. */
  nslots: number;
  /** Step from one aligned candidate to the next, in slots. */
  stride: number;
  /** Bits that must be zero in a candidate's address (int32); 0 asks for nothing. */
  clearMask: number;
  /** Bits in which a candidate's address must equal `matchBits` (int32); 0 asks for nothing. */
  matchMask: number;
  /** The original address under `matchMask` (int32). */
  matchBits: number;
  /**
   * Up to v6.2 the start index is rounded up to the stride, and the search ends when it lands on
   * it again, which it may never do; later ones start where the index stands and count.
   */
  endsAtStart: boolean;
}

/** A plan with nothing decided yet. */
export function emptyPlan(): SearchPlan {
  return {
    offset: 0,
    totalSize: 0,
    nslots: 0,
    stride: 1,
    clearMask: 0,
    matchMask: 0,
    matchBits: 0,
    endsAtStart: false,
  };
}

/** How a release turns a request into `offset`, `totalSize` and `nslots`. */
export type SizePolicy = (request: MapRequest, plan: SearchPlan, pageSize: number) => void;

/** How a release turns a request, whose size is planned, into masks and stride. */
export type MaskPolicy = (request: MapRequest, pageSize: number, plan: SearchPlan) => void;

/** The bits above the slot offset. */
const ABOVE_SLOT = ~(IO_TLB_SIZE - 1);

/** Low bits of an address as int32; exact for every number below 2^53. */
function low32(address: number): number {
  return address | 0;
}

function finishSize(offset: number, totalSize: number, plan: SearchPlan): void {
  plan.offset = offset;
  plan.totalSize = totalSize;
  plan.nslots = slotsOf(totalSize);
}

/** v5.10: alloc_size as it is; results are slot-aligned. */
export const allocSizeAlone: SizePolicy = (request, plan) => {
  finishSize(0, request.allocSize, plan);
};

/** v5.12 to v6.8: the offset inside one slot goes in front of alloc_size (swiotlb_align_offset(), 1f221a0d0dbf). */
export const slotOffsetPlusAllocSize: SizePolicy = (request, plan) => {
  const offset = low32(request.origAddr) & request.minAlignMask & (IO_TLB_SIZE - 1);
  finishSize(offset, request.allocSize + offset, plan);
};

/**
 * The offset of v6.9 and later: min_align_mask bits that alloc_align_mask covers are kept as well,
 * by padding in front of the buffer (af133562d5af).
 */
function paddedOffset(request: MapRequest): number {
  const kept = request.minAlignMask & (request.allocAlignMask | (IO_TLB_SIZE - 1));
  return (low32(request.origAddr) & kept) >>> 0;
}

/** v6.9: padding in front of the caller's already rounded alloc_size (af133562d5af). */
export const paddedAllocSize: SizePolicy = (request, plan) => {
  const offset = paddedOffset(request);
  finishSize(offset, request.allocSize + offset, plan);
};

/** v6.10 and later: padding and data together are rounded up to alloc_align_mask + 1 (327e2c97c46a). */
export const paddedMappingSize: SizePolicy = (request, plan) => {
  const offset = paddedOffset(request);
  const granule = request.allocAlignMask + 1;
  const total = request.mappingSize + offset;
  finishSize(offset, Math.ceil(total / granule) * granule, plan);
};

function setMasks(
  request: MapRequest,
  clearMask: number,
  matchMask: number,
  plan: SearchPlan,
): void {
  plan.endsAtStart = false;
  plan.clearMask = clearMask;
  // An original address of 0 means "none": every release from v5.15 on then skips the comparison.
  plan.matchMask = request.origAddr === 0 ? 0 : matchMask;
  plan.matchBits = low32(request.origAddr) & plan.matchMask;
}

/** Slots from one aligned candidate to the next for a mask of low ones. */
function strideOf(mask: number): number {
  return (mask >>> IO_TLB_SHIFT) + 1;
}

/** The larger of two masks read as unsigned. */
function largerMask(a: number, b: number): number {
  return a >>> 0 > b >>> 0 ? a : b;
}

/** Slots in a page. */
function pageSlots(pageSize: number): number {
  return pageSize >>> IO_TLB_SHIFT;
}

/** v5.10: from a page up, slot numbers that are multiples of a page's slots; no address is tested. */
export const pageStride: MaskPolicy = (request, pageSize, plan) => {
  setMasks(request, 0, 0, plan);
  plan.stride = plan.totalSize >= pageSize ? pageSlots(pageSize) : 1;
  plan.endsAtStart = true;
};

/** The mask that v5.12 to v6.2 compare, and their stride: for a page and more multiplied, not raised. */
function matchWithPageStride(
  request: MapRequest,
  matchMask: number,
  pageSize: number,
  plan: SearchPlan,
): void {
  setMasks(request, 0, matchMask, plan);
  plan.stride = strideOf(matchMask);
  if (plan.totalSize >= pageSize) plan.stride *= pageSlots(pageSize);
  plan.endsAtStart = true;
}

/** v5.12 to v5.14: min_align_mask must match, for an original address of 0 as well (1f221a0d0dbf). */
export const matchAlways: MaskPolicy = (request, pageSize, plan) => {
  const mask = request.minAlignMask & ABOVE_SLOT;
  matchWithPageStride(request, mask, pageSize, plan);
  plan.matchMask = mask;
  plan.matchBits = low32(request.origAddr) & mask;
};

/** v5.15: without an original address any slot will do (f4111e39a52a). */
export const matchOrigAddr: MaskPolicy = (request, pageSize, plan) => {
  matchWithPageStride(request, request.minAlignMask & ABOVE_SLOT, pageSize, plan);
};

/** v5.16 to v6.2: alloc_align_mask raises the stride, and is tested against nothing (e81e99bacc9f). */
export const matchWithAllocStride: MaskPolicy = (request, pageSize, plan) => {
  matchOrigAddr(request, pageSize, plan);
  plan.stride = Math.max(plan.stride, strideOf(request.allocAlignMask));
};

/** 5.15.167 and 6.1.192: with 51b30ecb73b4, what alloc_align_mask covers is not compared any more. */
export const matchBeyondAllocMask: MaskPolicy = (request, pageSize, plan) => {
  const covered = request.allocAlignMask | (IO_TLB_SIZE - 1);
  matchWithPageStride(request, request.minAlignMask & ~covered, pageSize, plan);
  plan.stride = Math.max(plan.stride, strideOf(covered));
};

/**
 * v6.3 to v6.8: min_align_mask, alloc_align_mask and, from a page up, the page bits become one mask,
 * compared with the original address (0eee5ae10256, bbb73a103fbb). For swiotlb_alloc(), which has no
 * original address, nothing is tested at all: the walk keeps whatever parity the start index has.
 */
export const combinedMask: MaskPolicy = (request, pageSize, plan) => {
  let mask = request.minAlignMask | request.allocAlignMask;
  if (plan.totalSize >= pageSize) mask |= pageSize - 1;
  mask &= ABOVE_SLOT;
  plan.stride = strideOf(mask);
  setMasks(request, 0, mask, plan);
};

/**
 * "swiotlb: Fix allocation alignment requirement when searching slots", first version (January 2024,
 * never merged): alloc_align_mask and the page bits must be clear, min_align_mask must match.
 */
export const pageBitsClear: MaskPolicy = (request, pageSize, plan) => {
  const match = request.minAlignMask & ABOVE_SLOT;
  let clear = request.allocAlignMask;
  if (plan.totalSize >= pageSize) clear |= pageSize - 1;
  plan.stride = strideOf(largerMask(clear, match));
  setMasks(request, clear, match, plan);
};

/** A stride of at least PAGE_SHIFT - 10 slots from a page up: 2, 4 and 6 for pages of 4, 16 and 64 KiB. */
function atLeastPageShift(plan: SearchPlan, pageSize: number): void {
  if (plan.totalSize < pageSize) return;
  plan.stride = Math.max(plan.stride, Math.log2(pageSize) - IO_TLB_SHIFT + 1);
}

/** 04867a7a3332: alloc_align_mask is tested by itself; the page is no more than a least stride. */
export const clearAndMatch: MaskPolicy = (request, pageSize, plan) => {
  const match = request.minAlignMask & ABOVE_SLOT;
  setMasks(request, request.allocAlignMask, match, plan);
  plan.stride = strideOf(largerMask(request.allocAlignMask, match));
  atLeastPageShift(plan, pageSize);
};

/** 51b30ecb73b4: what alloc_align_mask covers is not compared; the page still is a least stride. */
export const clearThenMatchRest: MaskPolicy = (request, pageSize, plan) => {
  const clear = request.allocAlignMask | (IO_TLB_SIZE - 1);
  const match = request.minAlignMask & ~clear;
  setMasks(request, clear, match, plan);
  plan.stride = strideOf(largerMask(clear, match));
  atLeastPageShift(plan, pageSize);
};

/**
 * 14cebf689a78, v6.9 and later: what alloc_align_mask covers must be clear, the rest of
 * min_align_mask must match; page alignment is asked for only where the caller set no mask at all.
 */
export const clearThenMatch: MaskPolicy = (request, pageSize, plan) => {
  let clear = request.allocAlignMask;
  if (clear === 0 && request.minAlignMask === 0 && plan.totalSize >= pageSize) clear = pageSize - 1;
  clear |= IO_TLB_SIZE - 1;
  const match = request.minAlignMask & ~clear;
  plan.stride = strideOf(largerMask(clear, match));
  setMasks(request, clear, match, plan);
};
