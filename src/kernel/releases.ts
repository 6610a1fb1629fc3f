import { IO_TLB_SIZE, MAX_ALLOCATION_BYTES, roundUpPowerOfTwo } from './constants.js';
import {
  allocSizeAlone,
  clearAndMatch,
  clearThenMatch,
  clearThenMatchRest,
  combinedMask,
  matchAlways,
  matchBeyondAllocMask,
  matchOrigAddr,
  matchWithAllocStride,
  paddedAllocSize,
  paddedMappingSize,
  pageBitsClear,
  pageStride,
  slotOffsetPlusAllocSize,
} from './plan.js';
import type { Commit, Release } from './release.js';

/** No alignment: swiotlb_alloc() before cbf53074a528. */
const anySlot = (): number => 0;

/** The power-of-two page order that holds the size (cbf53074a528). */
const pageOrder = (size: number, pageSize: number): number =>
  roundUpPowerOfTwo(Math.max(size, pageSize)) - 1;

/** A whole segment, whatever the device's mask (up to v5.18). */
const wholeSegment = (): number => MAX_ALLOCATION_BYTES;

/** A segment less the min_align_mask, rounded up to slots (82806744fd7d, v5.19). */
const lessMinAlignMask = (minAlignMask: number): number =>
  Math.max(0, MAX_ALLOCATION_BYTES - Math.ceil(minAlignMask / IO_TLB_SIZE) * IO_TLB_SIZE);

const commit = (id: string, subject: string): Commit => ({ id, subject });

/** A row that differs from another in a few policies. */
function row(
  base: Release,
  name: string,
  summary: string,
  commits: readonly Commit[],
  changes: Partial<Release> = {},
): Release {
  return { ...base, ...changes, name, summary, commits };
}

const v510: Release = {
  name: 'v5.10',
  kind: 'mainline',
  summary:
    'one pool, one index; slot numbers of page-sized requests are multiples of a page; no masks',
  commits: [commit('base', 'swiotlb as v5.10 has it')],
  size: allocSizeAlone,
  masks: pageStride,
  takesAllocSize: true,
  believesUnmapSize: true,
  wrapsSlotOffset: true,
  hasAreas: false,
  boot: { halves: false, limitsAreas: false, leastNslabs: 0 },
  coherentAlignMask: undefined,
  refusesUnalignedPages: false,
  clampsTail: false,
  dynamicOrder: undefined,
  maxMappingSize: wholeSegment,
};

const v512 = row(
  v510,
  'v5.12',
  'min_align_mask is honoured; the stride is multiplied for pages, and the search may never end',
  [
    commit('26a7e094783d', 'swiotlb: refactor swiotlb_tbl_map_single'),
    commit('1f221a0d0dbf', 'swiotlb: respect min_align_mask'),
  ],
  { size: slotOffsetPlusAllocSize, masks: matchAlways },
);

const v513 = row(
  v512,
  'v5.13',
  'an unmap goes by the size stored at the map',
  [commit('2973073a80b4', 'swiotlb: remove the alloc_size parameter to swiotlb_tbl_unmap_single')],
  { believesUnmapSize: false },
);

const v515 = row(
  v513,
  'v5.15',
  'restricted pools and swiotlb_alloc(); without orig_addr no mask is compared',
  [commit('f4111e39a52a', 'swiotlb: Add restricted DMA alloc/free support')],
  { masks: matchOrigAddr, coherentAlignMask: anySlot },
);

const v516 = row(
  v515,
  'v5.16',
  'alloc_align_mask raises the stride, and is tested against no address',
  [commit('e81e99bacc9f', 'swiotlb: Support aligned swiotlb buffers')],
  { masks: matchWithAllocStride },
);

const v519 = row(
  v516,
  'v5.19',
  'swiotlb_max_mapping_size() is less the min_align_mask',
  [commit('82806744fd7d', 'swiotlb: max mapping size takes min align mask into account')],
  { maxMappingSize: lessMinAlignMask },
);

const shiftFix = commit('3f0461613ebc', 'swiotlb: avoid potential left shift overflow');

const v60 = row(
  v519,
  'v6.0',
  'areas: the CPU picks the first that is searched (as v6.0-rc1 has it)',
  [commit('20347fca71a3', 'swiotlb: split up the global swiotlb lock')],
  { hasAreas: true, boot: { halves: false, limitsAreas: false, leastNslabs: 512 } },
);

const v61 = row(
  v60,
  'v6.1',
  'slot offsets of 64 bits: results beyond 4 GiB of a pool are right (v6.0 itself has this too)',
  [shiftFix],
  { wrapsSlotOffset: false, boot: v510.boot },
);

const v62 = row(
  v61,
  'v6.2',
  'where boot memory is short the pool is halved until it fits; the search is that of v6.1',
  [commit('8d58aa484920', 'swiotlb: reduce the swiotlb buffer size on allocation failure')],
  { boot: { halves: true, limitsAreas: false, leastNslabs: 0 } },
);

const v63 = row(
  v62,
  'v6.3',
  'page bits and alloc_align_mask are compared with orig_addr; nothing is tested without one',
  [
    commit('0eee5ae10256', 'swiotlb: fix slot alignment checks'),
    commit('bbb73a103fbb', 'swiotlb: fix a braino in the alignment check fix'),
    commit('7c3940bf81e5', 'swiotlb: fix the deadlock in swiotlb_do_find_slots'),
  ],
  { masks: combinedMask },
);

const v66unclamped = row(
  v63,
  'v6.6.0',
  'with CONFIG_SWIOTLB_DYNAMIC pools are added and searched one by one, and transient ones made',
  [
    commit('1aaa736815eb', 'swiotlb: allocate a new memory pool when existing pools are full'),
    commit('79636caad361', 'swiotlb: if swiotlb is full, fall back to a transient memory pool'),
  ],
  {
    dynamicOrder: 'pool-by-pool',
    boot: { halves: true, limitsAreas: true, leastNslabs: 0 },
    kind: 'stable',
  },
);

const tailFix = commit(
  '53c87e846e33',
  'swiotlb: fix out-of-bounds TLB allocations with CONFIG_SWIOTLB_DYNAMIC',
);

const v66 = row(
  v66unclamped,
  'v6.6',
  'free runs of a partial segment end with the pool, from 6.6.3 on (the tag is the row v6.6.0)',
  [tailFix],
  { clampsTail: true, kind: 'mainline' },
);

const v68 = row(
  v66,
  'v6.8',
  'dynamic pools are searched area by area, and more than 256 KiB is refused at once',
  [
    commit('55c543865b76', 'swiotlb: reduce area lock contention for non-primary IO TLB pools'),
    commit('3dc2f209208d', 'swiotlb: check alloc_size before the allocation of a new memory pool'),
  ],
  { dynamicOrder: 'area-by-area' },
);

const patched = (
  base: Release,
  patch: string,
  summary: string,
  change: Commit,
  changes: Partial<Release> = {},
): Release => row(base, `v6.8+${patch}`, summary, [change], { ...changes, kind: 'patched' });

const willV1 = patched(
  v68,
  'will-v1',
  'the first patch of January 2024: alloc_align_mask and page bits must be clear',
  commit('never merged', 'swiotlb: Fix allocation alignment requirement when searching slots (v1)'),
  { masks: pageBitsClear },
);

const p1 = patched(
  v68,
  '04867a7a',
  'alloc_align_mask is tested by itself; the page is no more than a least stride',
  commit(
    '04867a7a3332',
    'swiotlb: Fix double-allocation of slots due to broken alignment handling',
  ),
  { masks: clearAndMatch },
);
const p2 = patched(
  p1,
  '823353b7',
  'swiotlb_alloc() gives back and refuses what does not start on a page',
  commit('823353b7cf0e', 'swiotlb: Enforce page alignment in swiotlb_alloc()'),
  { refusesUnalignedPages: true },
);
const p3 = patched(
  p2,
  'cbf53074',
  'swiotlb_alloc() asks for the page order of its size',
  commit('cbf53074a528', 'swiotlb: Honour dma_alloc_coherent() alignment in swiotlb_alloc()'),
  { coherentAlignMask: pageOrder },
);
const p4 = patched(
  p3,
  '51b30ecb',
  'what alloc_align_mask covers is no longer compared with orig_addr',
  commit(
    '51b30ecb73b4',
    'swiotlb: Fix alignment checks when both allocation and DMA masks are present',
  ),
  { masks: clearThenMatchRest },
);
const p5 = patched(
  p4,
  '14cebf68',
  'page alignment from a page up, where the caller sets no mask at all',
  commit('14cebf689a78', 'swiotlb: Reinstate page-alignment for mappings >= PAGE_SIZE'),
  { masks: clearThenMatch },
);

const padding = commit(
  'af133562d5af',
  'swiotlb: extend buffer pre-padding to alloc_align_mask if necessary',
);

const v69 = row(
  p5,
  'v6.9',
  'alignment redone in five commits; padding slots keep min_align_mask bits under alloc_align_mask',
  [...[p1, p2, p3, p4, p5].flatMap(({ commits }) => commits), padding],
  { size: paddedAllocSize, kind: 'mainline' },
);

const v610 = row(
  v69,
  'v6.10',
  'no alloc_size: padding and data are rounded up to alloc_align_mask together',
  [commit('327e2c97c46a', 'swiotlb: remove alloc_size argument to swiotlb_tbl_map_single()')],
  { size: paddedMappingSize, takesAllocSize: false },
);

/** The search of 5.15.167 and 6.1.192: their series', with one mask fix of v6.9. */
const stableMaskFix = commit(
  '51b30ecb73b4',
  'swiotlb: Fix alignment checks when both allocation and DMA masks are present',
);

/** The table: mainline oldest first, then the patched kernels and the stable ones. */
export const RELEASES: readonly Release[] = [
  v510,
  v512,
  v513,
  v515,
  v516,
  v519,
  v60,
  v61,
  v62,
  v63,
  v66,
  v68,
  v69,
  v610,
  willV1,
  p1,
  p2,
  p3,
  p4,
  p5,
  row(
    v512,
    'v5.10.223',
    "v5.12's search in 5.10.y, slot offsets of 64 bits, v5.19's maximum",
    [...v512.commits, shiftFix, ...v519.commits],
    { kind: 'stable', wrapsSlotOffset: false, maxMappingSize: lessMinAlignMask },
  ),
  row(
    v516,
    'v5.15.167',
    "v5.16's search in 5.15.y, slot offsets of 64 bits, v5.19's maximum, a mask fix of v6.9",
    [...v516.commits, shiftFix, ...v519.commits, stableMaskFix],
    {
      kind: 'stable',
      masks: matchBeyondAllocMask,
      wrapsSlotOffset: false,
      maxMappingSize: lessMinAlignMask,
    },
  ),
  row(v61, 'v6.1.192', "v6.1's search in 6.1.y, with a mask fix of v6.9", [stableMaskFix], {
    kind: 'stable',
    masks: matchBeyondAllocMask,
    boot: v62.boot,
  }),
  v66unclamped,
  row(v69, 'v6.6.63', "v6.9's search in 6.6.y; dynamic pools one by one as in v6.6", v69.commits, {
    kind: 'stable',
    dynamicOrder: 'pool-by-pool',
  }),
];
