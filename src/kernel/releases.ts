import { IO_TLB_SIZE, MAX_ALLOCATION_BYTES, roundUpPowerOfTwo } from './constants.js';
import {
  clearThenMatch,
  combinedMask,
  type MaskPolicy,
  paddedAllocSize,
  paddedMappingSize,
  pageBitsClear,
  type SizePolicy,
  slotOffsetPlusAllocSize,
} from './plan.js';

/** A kernel commit that made a release behave as it does. */
export interface Commit {
  /** Mainline id, or where the patch was posted if it was never merged. */
  id: string;
  subject: string;
}

/**
 * One row of the table of allocators: the policies that make up a release. Everything that is not
 * here is the same in every release.
 */
export interface Release {
  /** How users name it: `v6.8`, or `v6.8+will-v1` for a patched one. */
  name: string;
  /** Patched kernels are never chosen by themselves, only when named. */
  patched: boolean;
  /** What sets this allocator apart, in a line. */
  summary: string;
  /** The commits behind that line. */
  commits: readonly Commit[];
  /** Bytes, offset and slots of a request. */
  size: SizePolicy;
  /** Alignment masks and stride of a request. */
  masks: MaskPolicy;
  /** swiotlb_tbl_map_single() has an alloc_size argument, and refuses one below mapping_size. */
  takesAllocSize: boolean;
  /** alloc_align_mask that swiotlb_alloc() searches with, for a size in bytes. */
  coherentAlignMask: (size: number, pageSize: number) => number;
  /** swiotlb_alloc() gives back and refuses a result that does not start on a page (823353b7cf0e). */
  refusesUnalignedPages: boolean;
  /** Free-run counters of a last, partial segment end at the pool's end (53c87e846e33). */
  clampsTail: boolean;
  /** swiotlb_max_mapping_size() for a device's min_align_mask, in bytes. */
  maxMappingSize: (minAlignMask: number) => number;
}

/** No alignment: swiotlb_alloc() before cbf53074a528. */
const anySlot = (): number => 0;

/** The power-of-two page order that holds the size (cbf53074a528). */
const pageOrder = (size: number, pageSize: number): number =>
  roundUpPowerOfTwo(Math.max(size, pageSize)) - 1;

/** 256 KiB less the min_align_mask, rounded up to slots (82806744fd7d, v5.19). */
const lessMinAlignMask = (minAlignMask: number): number =>
  Math.max(0, MAX_ALLOCATION_BYTES - Math.ceil(minAlignMask / IO_TLB_SIZE) * IO_TLB_SIZE);

const v68: Release = {
  name: 'v6.8',
  patched: false,
  summary:
    'page bits and alloc_align_mask are compared with orig_addr; nothing is tested without one',
  commits: [
    { id: '0eee5ae10256', subject: 'swiotlb: fix slot alignment checks' },
    { id: 'bbb73a103fbb', subject: 'swiotlb: fix a braino in the alignment check fix' },
    {
      id: '53c87e846e33',
      subject: 'swiotlb: fix out-of-bounds TLB allocations with CONFIG_SWIOTLB_DYNAMIC',
    },
  ],
  size: slotOffsetPlusAllocSize,
  masks: combinedMask,
  takesAllocSize: true,
  coherentAlignMask: anySlot,
  refusesUnalignedPages: false,
  clampsTail: true,
  maxMappingSize: lessMinAlignMask,
};

const v69: Release = {
  ...v68,
  name: 'v6.9',
  summary:
    'alloc_align_mask is tested by itself, min_align_mask kept by padding slots, pages start on pages',
  commits: [
    {
      id: '04867a7a3332',
      subject: 'swiotlb: Fix double-allocation of slots due to broken alignment handling',
    },
    { id: '823353b7cf0e', subject: 'swiotlb: Enforce page alignment in swiotlb_alloc()' },
    {
      id: 'cbf53074a528',
      subject: 'swiotlb: Honour dma_alloc_coherent() alignment in swiotlb_alloc()',
    },
    {
      id: '51b30ecb73b4',
      subject: 'swiotlb: Fix alignment checks when both allocation and DMA masks are present',
    },
    { id: '14cebf689a78', subject: 'swiotlb: Reinstate page-alignment for mappings >= PAGE_SIZE' },
    {
      id: 'af133562d5af',
      subject: 'swiotlb: extend buffer pre-padding to alloc_align_mask if necessary',
    },
  ],
  size: paddedAllocSize,
  masks: clearThenMatch,
  coherentAlignMask: pageOrder,
  refusesUnalignedPages: true,
};

/** The table, oldest first; a patched kernel stands behind the release that it patches. */
export const RELEASES: readonly Release[] = [
  v68,
  {
    ...v68,
    name: 'v6.8+will-v1',
    patched: true,
    summary:
      'v6.8 with the first patch of January 2024: alloc_align_mask and page bits must be clear',
    commits: [
      {
        id: 'never merged',
        subject: 'swiotlb: Fix allocation alignment requirement when searching slots (v1)',
      },
    ],
    masks: pageBitsClear,
  },
  v69,
  {
    ...v69,
    name: 'v6.12',
    summary:
      'v6.9 without alloc_size: padding and data are rounded up to alloc_align_mask together (v6.10)',
    commits: [
      {
        id: '327e2c97c46a',
        subject: 'swiotlb: remove alloc_size argument to swiotlb_tbl_map_single()',
      },
    ],
    size: paddedMappingSize,
    takesAllocSize: false,
  },
];
