// A fix that is wrong: v6.8 tests no address where there is no orig_addr, and its search walks in
// strides of a page all the same. It is tempting to leave it at that, and to begin at an aligned slot.
// But from the slot behind an odd number of slots, strides lead from odd slot to odd slot.

export const name = 'stride-only';
export const base = 'v6.8';
export const summary = 'strides of a page, and no test of the address they lead to';

const IO_TLB_SIZE = 2048;

export function plan({ allocAlignMask, minAlignMask, origAddr, totalSize, pageSize }) {
  const pageMask = totalSize >= pageSize ? pageSize - 1 : 0;
  const wide = Math.max(allocAlignMask, pageMask);
  return {
    clearMask: 0,
    matchMask: origAddr === 0 ? 0 : (minAlignMask & ~(IO_TLB_SIZE - 1)) >>> 0,
    stride: Math.floor(wide / IO_TLB_SIZE) + 1,
  };
}
