/** What is known of a problem, whichever device has it. */
export interface KnownProblem {
  /** Releases that have it; undefined where it is no fault of the kernel's, or not known. */
  affected?: string;
  /** The mainline commit that ends it. */
  fixedBy?: string;
  advice: string;
}

const DRIVER = 'This is a fault of the driver that the message names, or of who calls it';

/** Problems by their id: symptom, affected releases, fix, and what to do. */
export const KNOWN_PROBLEMS = {
  'double-allocation': {
    affected: 'v6.3 to v6.8; 6.6.y before 6.6.24, 6.7.y before 6.7.12, 6.8.y before 6.8.3',
    fixedBy: '04867a7a3332',
    advice: 'Update: 6.6.24, 6.7.12, 6.8.3 or v6.9. A pool of another size does not help.',
  },
  'page-bits-compared': {
    affected: 'v6.3 to v6.8; 6.6.y before 6.6.35, 6.7.y, 6.8.y',
    fixedBy: '14cebf689a78',
    advice:
      'Update to v6.9 or 6.6.35. A larger swiotlb= does not help: an empty pool refuses, too.',
  },
  'max-mapping-size': {
    affected: 'v5.12 to v5.18; 5.10.35 to 5.10.146, 5.15.y before 5.15.72',
    fixedBy: '82806744fd7d',
    advice:
      'Update, or keep the requests of the device at 252 KiB (max_sectors_kb for a disk); a larger swiotlb= does not help.',
  },
  'used-counter': {
    affected: 'v6.4 to v6.8, where a driver of disks is built in',
    fixedBy: 'a1255ccab8ec',
    advice:
      'Do not believe the counter: it was set to 0 while slots were already in use, so it is too low by as many.',
  },
  'bounce-out-of-reach': {
    advice:
      'The pool lies above what the device can address: it needs a pool lower down (a restricted-dma-pool, or less' +
      ' memory above), or its DMA mask or dma-ranges are wrong.',
  },
  'address-out-of-reach': {
    advice:
      'The buffer lies above what the device can address and was not bounced: swiotlb is off or refused (see refusals' +
      ' before), or the DMA mask that the driver set, or dma-ranges, are too narrow.',
  },
  'pool-setup': {
    advice:
      'Devices that cannot address all memory will fail. Ask for less (swiotlb=), or free memory below 4 GiB at boot' +
      ' (crashkernel=, cma=, hugepages).',
  },
  'pool-short': {
    advice: 'The pool is smaller than asked for: free memory below 4 GiB at boot.',
  },
  'restricted-not-linear': {
    advice: 'Take no-map off the reserved-memory node of the pool.',
  },
  'unaligned-pages': {
    affected: 'kernels with 823353b7cf0e and without cbf53074a528',
    fixedBy: 'cbf53074a528',
    advice:
      'Update to v6.9: this check caught a double allocation, and cbf53074a528 ends the cause.',
  },
  'sync-beyond-mapping': {
    advice:
      `${DRIVER}: it syncs or unmaps more than it mapped, or before its start. Build with CONFIG_DMA_API_DEBUG to see` +
      ' where it was mapped. Before v6.9 (e8068f2d756d) "Access before mapping start" may be a false alarm, for a part of a buffer.',
  },
  'bounce-inactive': {
    advice:
      'An untrusted device, or one with buffers that share an IOMMU granule, has to bounce, and there is no pool for' +
      ' it: boot with swiotlb=force or a size, or mark the port trusted.',
  },
  'cma-overlap-check': {
    affected: 'v6.6-rc1 and what took 3fa6456ebe13 without its revert',
    fixedBy: 'f875db4f20f4',
    advice:
      'Not the device tree is at fault: every CMA region in it is reserved before this check, which calls that an overlap.' +
      ' Revert 3fa6456ebe13 or take f875db4f20f4.',
  },
  'cma-setup': {
    advice:
      'Look whether its size fits between what else is reserved (memblock=debug), and align base and size to a pageblock.',
  },
  'cma-allocation': {
    advice:
      'Memory of the CMA area is pinned or used up: raise cma=, or look who pins it (-16 is EBUSY).',
  },
  'dma-debug-lock': {
    affected: 'before v6.6; 5.10.y before 5.10.198 and its contemporaries',
    fixedBy: 'fb5a4315591d',
    advice:
      'Not the serial driver is at fault: dma-debug printed a leak under its own lock. Update, or boot with dma_debug=off.',
  },
  'iommu-fault': {
    advice:
      'Find the mapping: the events iommu:map and iommu:unmap, or iommu.strict=1, show whether it was unmapped too' +
      ' early, never mapped, or mapped the other way.',
  },
} as const satisfies Record<string, KnownProblem>;

/** Ids of KNOWN_PROBLEMS. */
export type KnownId = keyof typeof KNOWN_PROBLEMS;

/** What to do about each complaint of CONFIG_DMA_API_DEBUG. */
const DMA_DEBUG_ADVICE: Record<string, string> = {
  overlap:
    'two mappings share a cache line: harmless on coherent machines, data loss on others; map each buffer once, and align it',
  leak: 'it is removed while mappings are live: pools and IOVAs leak with every unbind',
  'unmatched-free':
    'it unmaps what it did not map, or twice: a slot of swiotlb may be freed under another device',
  'unmatched-sync': 'it syncs what it did not map',
  size: 'it unmaps another size than it mapped: up to v5.12 swiotlb frees as much as it is told',
  function: 'it unmaps with another call than it mapped with',
  'cpu-address': 'it frees coherent memory with another CPU address than it was given',
  direction:
    'it uses another direction than it mapped with: a bounce buffer is then not copied back',
  attributes: 'it unmaps with other attributes than it mapped with',
  'unchecked-error':
    'it does not check dma_mapping_error(): a refused mapping becomes an address that the device writes to',
  'forbidden-memory': 'it maps a stack, text or read-only data, which DMA must not reach',
  'sg-count': 'it unmaps another number of segments than it mapped',
  'sync-range': 'it syncs beyond what it mapped',
  'segment-length': 'a segment is longer than the device claims to support: dma_set_max_seg_size()',
  'segment-boundary': "a segment crosses the device's boundary: dma_set_seg_boundary()",
};

/** What to do about a complaint of dma-debug. */
export function dmaDebugAdvice(complaint: string): string {
  const words = DMA_DEBUG_ADVICE[complaint];
  const only = 'Only the first of a boot is printed; dma_debug_driver= and all_errors show more.';
  return `${DRIVER}${words === undefined ? '' : `: ${words}`}. ${only}`;
}
