import {
  allocSizeAlone,
  clearAndMatch,
  clearThenMatch,
  clearThenMatchRest,
  combinedMask,
  type MaskPolicy,
  matchAlways,
  matchBeyondAllocMask,
  matchOrigAddr,
  matchWithAllocStride,
  paddedAllocSize,
  paddedMappingSize,
  pageBitsClear,
  pageStride,
  type SizePolicy,
  slotOffsetPlusAllocSize,
} from './plan.js';

/*
 * The policies in the words of whoever reads them beside the kernel's code: min is min_align_mask,
 * aam alloc_align_mask, >> 11 counts in slots, page is PAGE_SIZE.
 */

const SIZES: ReadonlyMap<SizePolicy, string> = new Map([
  [allocSizeAlone, 'total = alloc_size'],
  [slotOffsetPlusAllocSize, 'offset = orig_addr & min & 0x7ff; total = alloc_size + offset'],
  [paddedAllocSize, 'offset = orig_addr & min & (aam | 0x7ff); total = alloc_size + offset'],
  [
    paddedMappingSize,
    'offset = orig_addr & min & (aam | 0x7ff); total = mapping_size + offset, up to a multiple of aam + 1',
  ],
]);

const STRIDE_OF_PAGES = 'from a page up the stride is multiplied by the slots of a page';
const LEAST_STRIDE = 'from a page up the stride is at least PAGE_SHIFT - 10';
const LARGER = 'stride = (max(clear, match) >> 11) + 1';

const MASKS: ReadonlyMap<MaskPolicy, string> = new Map([
  [pageStride, 'stride = slots of a page from a page up, else 1; no address is tested'],
  [matchAlways, `match = min & ~0x7ff; stride = (match >> 11) + 1; ${STRIDE_OF_PAGES}`],
  [
    matchOrigAddr,
    `match = min & ~0x7ff, if orig_addr; stride = (match >> 11) + 1; ${STRIDE_OF_PAGES}`,
  ],
  [
    matchWithAllocStride,
    `match = min & ~0x7ff, if orig_addr; stride = (match >> 11) + 1; ${STRIDE_OF_PAGES}; at least (aam >> 11) + 1`,
  ],
  [
    matchBeyondAllocMask,
    `match = min & ~(aam | 0x7ff), if orig_addr; stride = (match >> 11) + 1; ${STRIDE_OF_PAGES}; at least (aam >> 11) + 1`,
  ],
  [
    combinedMask,
    'match = (min | aam | page - 1 from a page up) & ~0x7ff, if orig_addr; stride = (match >> 11) + 1',
  ],
  [
    pageBitsClear,
    `clear = aam | page - 1 from a page up; match = min & ~0x7ff, if orig_addr; ${LARGER}`,
  ],
  [clearAndMatch, `clear = aam; match = min & ~0x7ff, if orig_addr; ${LARGER}; ${LEAST_STRIDE}`],
  [
    clearThenMatchRest,
    `clear = aam | 0x7ff; match = min & ~clear, if orig_addr; ${LARGER}; ${LEAST_STRIDE}`,
  ],
  [
    clearThenMatch,
    `clear = aam | 0x7ff (page - 1 from a page up, where aam and min are 0); match = min & ~clear, if orig_addr; ${LARGER}`,
  ],
]);

/** How a policy computes offset and total; undefined for one that is not of the table. */
export function sizeFormula(policy: SizePolicy): string | undefined {
  return SIZES.get(policy);
}

/** How a policy computes masks and stride; undefined for one that is not of the table. */
export function maskFormula(policy: MaskPolicy): string | undefined {
  return MASKS.get(policy);
}
