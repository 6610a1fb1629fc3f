/** Sizes that every kernel generation shares (include/linux/swiotlb.h). */

/** log2 of the slot size. */
export const IO_TLB_SHIFT = 11;

/** Bytes in a slot. */
export const IO_TLB_SIZE = 1 << IO_TLB_SHIFT;

/** Slots in a segment: no allocation is longer, and none crosses a segment's end. */
export const IO_TLB_SEGSIZE = 128;

/** Bytes of the largest allocation any pool can hold: one segment, 256 KiB. */
export const MAX_ALLOCATION_BYTES = IO_TLB_SEGSIZE * IO_TLB_SIZE;

/** PAGE_SIZE values that kernels are built with. */
export const PAGE_SIZES: readonly number[] = [4096, 16384, 65536];

/** Bytes made into slots, rounded up. Negative sizes down to -2047 give 0, as the kernel's wrap-around does. */
export function slotsOf(bytes: number): number {
  return Math.floor((bytes + IO_TLB_SIZE - 1) / IO_TLB_SIZE);
}

/** The smallest power of two that is at least `value` (1 or more). */
export function roundUpPowerOfTwo(value: number): number {
  let power = 1;
  while (power < value) power *= 2;
  return power;
}
