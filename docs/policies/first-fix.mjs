// The first patch of January 2024 against the double allocation (never merged):
// "swiotlb: Fix allocation alignment requirement when searching slots", v1.
//
// v6.8 puts alloc_align_mask, the page bits of requests of a page and more, and min_align_mask into one
// mask, and compares the slot's address with orig_addr under it. So nothing is aligned where there
// is no orig_addr, as in swiotlb_alloc(). The patch parted what must be zero from what must match.

export const name = 'first-fix';
export const base = 'v6.8';
export const summary = 'alloc_align_mask and page bits must be clear, min_align_mask must match';

const IO_TLB_SIZE = 2048;

export function plan({ origAddr, allocAlignMask, minAlignMask, totalSize, pageSize }) {
  const iotlbAlignMask = (minAlignMask & ~(IO_TLB_SIZE - 1)) >>> 0;
  const pageMask = totalSize >= pageSize ? pageSize - 1 : 0;
  const clearMask = (allocAlignMask | pageMask) >>> 0;
  return {
    clearMask,
    matchMask: origAddr === 0 ? 0 : iotlbAlignMask,
    stride: Math.floor(Math.max(clearMask, iotlbAlignMask) / IO_TLB_SIZE) + 1,
  };
}
