import { IO_TLB_SHIFT } from '../kernel/constants.js';

/**
 * How a device sees a pool's addresses in the search: the low bits that alignment masks test, and
 * where its segment boundary lies. Both count from `pool start & seg_boundary_mask`, as the kernel does.
 */
export interface AddressWindow {
  /** Low 32 bits of the first slot's address under the boundary mask (int32). */
  low: number;
  /** Slots from a boundary to the first slot. */
  boundaryOffset: number;
  /** Slots from one boundary to the next, less one (int32). */
  boundaryMask: number;
}

/** A boundary further apart than any pool is long; keeps slot arithmetic in 31 bits. */
const FAR = 2 ** 30;

/**
 * The window of a device on a pool.
 * @param base physical address of the pool's first slot
 * @param boundaryMask seg_boundary_mask, a power of two less one and at least 0x7ff; Infinity for none
 */
export function addressWindow(base: number, boundaryMask: number): AddressWindow {
  const slotSize = 1 << IO_TLB_SHIFT;
  const start = boundaryMask === Number.POSITIVE_INFINITY ? base : base % (boundaryMask + 1);
  const low = start | 0;
  if (boundaryMask === Number.POSITIVE_INFINITY)
    return { low, boundaryOffset: 0, boundaryMask: FAR - 1 };

  const period = (boundaryMask + 1) / slotSize;
  const offset = Math.ceil(start / slotSize) % period;
  if (period <= FAR) return { low, boundaryOffset: offset, boundaryMask: period - 1 };
  // Only the next boundary can matter: place one at the same distance in the largest period of 31 bits.
  const distance = period - offset;
  return { low, boundaryOffset: distance < FAR ? FAR - distance : 0, boundaryMask: FAR - 1 };
}

/** Whether `nslots` slots from `slot` on would cross the boundary (iommu_is_span_boundary()). */
export function spansBoundary(window: AddressWindow, slot: number, nslots: number): boolean {
  const from = (window.boundaryOffset + slot) & window.boundaryMask;
  return from + nslots > window.boundaryMask + 1;
}
