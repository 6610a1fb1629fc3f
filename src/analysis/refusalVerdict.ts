import { IO_TLB_SEGSIZE, MAX_ALLOCATION_BYTES, slotsOf } from '../kernel/constants.js';
import { allocSizeAlone } from '../kernel/plan.js';
import type { Release } from '../kernel/release.js';
import { latestRelease } from '../kernel/select.js';
import type { Verdict } from './diagnosis.js';

/** A refusal in numbers: bytes, and slots where the kernel prints them. */
export interface Refused {
  size: number;
  total: number | undefined;
  used: number | undefined;
}

/** What a refusal comes to. */
export interface Ruling {
  verdict: Verdict;
  proved: boolean;
  reason: string;
  advice: string;
}

/** Above this part of its slots a pool counts as full. */
const FULL = 0.8;

/** The largest swiotlb= worth proposing, in slots: 1 GiB. */
const MOST_PROPOSED = 2 ** 19;

const KIB = 1024;

/**
 * Bytes above which a request of a device does not fit wherever its address lies: a segment, less
 * what a min_align_mask may ask for in front of the data. Up to v5.18 swiotlb_max_mapping_size() does
 * not say so to drivers (82806744fd7d), but it is so since v5.12.
 */
export function mappingLimit(release: Release | undefined, minAlignMask: number): number {
  if (release?.size === allocSizeAlone) return MAX_ALLOCATION_BYTES;
  return latestRelease().maxMappingSize(minAlignMask);
}

/**
 * What a refusal proves.
 * @param minAlignMask of the device; undefined where it is not known
 */
export function judge(
  refused: Refused,
  release: Release | undefined,
  minAlignMask: number | undefined,
): Ruling {
  const { size, total, used } = refused;
  if (total === 0) return noPool(size);
  if (size > MAX_ALLOCATION_BYTES) return tooLarge();
  const ruling =
    total === undefined || used === undefined
      ? unknown()
      : used > FULL * total
        ? full(size, total, used)
        : notFull(size, total, used, minAlignMask);
  const limit = mappingLimit(release, minAlignMask ?? 0);
  return size > limit ? beyondMask(refused, limit, minAlignMask ?? 0) : ruling;
}

function noPool(size: number): Ruling {
  const also =
    size > MAX_ALLOCATION_BYTES ? '; above 256 KiB it would be refused with a pool, too' : '';
  return {
    verdict: 'no-pool',
    proved: true,
    reason: `the device has no pool at all: total is 0${also}`,
    advice:
      'Find out why there is no pool: look for swiotlb=noforce, for "Cannot allocate SWIOTLB buffer" at boot,' +
      ' or a machine whose memory all lies low. Boot with swiotlb=force, or give the device a wider DMA mask.',
  };
}

function tooLarge(): Ruling {
  return {
    verdict: 'too-large',
    proved: true,
    reason: 'no pool of any size can serve it: one mapping is at most 256 KiB, 128 slots in a row',
    advice:
      'Do not raise swiotlb=: it changes nothing. The driver has to split the request (dma_max_mapping_size(),' +
      ' dma_set_max_seg_size()), or the device must not bounce: a wider DMA mask, an IOMMU, memory that it reaches.',
  };
}

/** The request fails unless its address happens to be aligned; where there was room, it was not. */
function beyondMask({ size, total, used }: Refused, limit: number, mask: number): Ruling {
  const proved = total !== undefined && used !== undefined && hasFreeRun(size, total, used);
  const words = `a min_align_mask of 0x${mask.toString(16)} leaves ${limit / KIB} KiB of the 256 KiB of a mapping`;
  return {
    verdict: 'too-large',
    proved,
    reason: proved
      ? `${words}, and with these slots used a run for it must have been free`
      : `${words}: above that it depends on its address whether it fits at all`,
    advice:
      'Do not raise swiotlb=: it changes nothing. The driver has to stay below dma_max_mapping_size(),' +
      ' which takes the mask into account from v5.19 on (82806744fd7d; 5.10.147, 5.15.72).',
  };
}

function full(size: number, total: number, used: number): Ruling {
  const proved = total - used < slotsOf(size);
  const twice = 2 ** Math.ceil(Math.log2(total * 2));
  const more = twice <= MOST_PROPOSED ? `swiotlb=${twice}` : 'a larger swiotlb=';
  return {
    verdict: 'full',
    proved,
    reason: proved
      ? 'fewer slots are free than it needs'
      : 'nearly all slots are used; what is free is likely not in one run',
    advice:
      `Here a larger pool helps: ${more} (slots of 2 KiB), within what memory below 4 GiB allows.` +
      ' First look whether io_tlb_used falls when the load is gone: if not, something leaks mappings, and any pool' +
      ' fills up. A device that can address all memory need not bounce.',
  };
}

function notFull(
  size: number,
  total: number,
  used: number,
  minAlignMask: number | undefined,
): Ruling {
  const proved = hasFreeRun(size, total, used);
  const mask =
    minAlignMask === undefined
      ? ' Tell the mask of the device with --device NAME:min_align_mask=MASK (NVMe and storvsc: 0xfff).'
      : '';
  return {
    verdict: 'not-full',
    proved,
    reason: proved
      ? 'a run of slots for it must have been free, so it was refused for want of a suitable one: alignment or segment boundary'
      : 'slots are free, but maybe not in one run that suits: fragmentation, alignment, boundary or one full area',
    advice:
      'Do not expect much of a larger swiotlb=. Capture a trace of the allocations and replay it: that tells which of' +
      ` them it is.${mask}`,
  };
}

function unknown(): Ruling {
  return {
    verdict: 'unknown',
    proved: false,
    reason: 'this kernel does not print how many slots there are and are used',
    advice:
      'Not known whether a larger swiotlb= would help. Kernels from v5.0 on print totals; io_tlb_used and io_tlb_nslabs' +
      ' below /sys/kernel/debug tell them too.',
  };
}

/**
 * Whether a run for the request must be free: a used slot spoils one of the places that do not
 * overlap, and there are more places than used slots.
 */
function hasFreeRun(size: number, total: number, used: number): boolean {
  const slots = slotsOf(size);
  const places = Math.floor(total / IO_TLB_SEGSIZE) * Math.floor(IO_TLB_SEGSIZE / slots);
  return used < places;
}
