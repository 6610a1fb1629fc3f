import type { IovaDomain } from '../../iommu/iovaDomain.js';
import { roundUpPowerOfTwo } from '../../kernel/constants.js';
import type { FailureCause } from '../cause.js';
import { eachGap } from './space.js';

/** Why no device addresses were left, proved by the domain's state at that moment. */
export type AddressCause =
  /** More than the device can reach at all. */
  | 'too-large'
  /** Fewer granules are free than it needs. */
  | 'exhausted'
  /** Enough are free, but nowhere enough in a row. */
  | 'fragmented'
  /** Long enough gaps are free, but hold no aligned range. */
  | 'alignment'
  /** A gap would do, and the search does not come there. */
  | 'not-searched';

/**
 * The cause of a failure to allocate device addresses; to be called before the next row.
 * @param count granules, as the tree was asked for them
 * @param lastAllowed the highest granule that may be used
 * @param aligned to the power of two of the count, as all are that dma-iommu asks for
 */
export function causeOfNoAddress(
  domain: IovaDomain,
  count: number,
  lastAllowed: number,
  aligned: boolean,
): FailureCause<AddressCause> {
  const alignment = aligned ? roundUpPowerOfTwo(count) : 1;
  const all = Math.max(0, lastAllowed - domain.setup.startPfn + 1);
  const needs = `it needs ${granules(count)}`;
  let free = 0;
  let longest = 0;
  let fitting = -1;
  eachGap(domain, lastAllowed, (pfn, length) => {
    free += length;
    longest = Math.max(longest, length);
    const first = Math.ceil(pfn / alignment) * alignment;
    if (first + count <= pfn + length) fitting = first;
  });
  if (count > all) {
    return { cause: 'too-large', reason: () => `${needs}, and the device reaches ${all}` };
  }
  if (free < count) {
    return {
      cause: 'exhausted',
      reason: () => `${needs}, and ${free} of ${all} are free${waiting(domain)}`,
    };
  }
  if (longest < count) {
    return {
      cause: 'fragmented',
      reason: () =>
        `${needs} in a row; ${free} are free, but the longest gap is ${longest}${waiting(domain)}`,
    };
  }
  if (fitting < 0) {
    return {
      cause: 'alignment',
      reason: () =>
        `${needs} from a multiple of ${alignment} on, and no gap holds that (the longest: ${longest})${waiting(domain)}`,
    };
  }
  return {
    cause: 'not-searched',
    reason: () =>
      `${granules(count)} from 0x${fitting.toString(16)} on are free, but ${whyNot(domain, count, lastAllowed)}`,
  };
}

/** Why a search does not come to a gap that would do. */
function whyNot({ tree }: IovaDomain, count: number, lastAllowed: number): string {
  // A search that fails lowers max32 to its own size: what is below that was not searched at all.
  if (lastAllowed < tree.pfn32 && count > tree.max32) {
    return `${granules(tree.max32)} did not fit before, and until a range below 4 GiB is freed no larger size is tried`;
  }
  return 'the search goes down from a remembered position below it';
}

/** What a flush would bring back. */
function waiting({ queue }: IovaDomain): string {
  const count = queue.rings.reduce((sum, ring) => sum + (ring?.length ?? 0), 0);
  return count === 0 ? '' : `; ${count} ranges wait in the flush queue`;
}

function granules(count: number): string {
  return count === 1 ? '1 granule' : `${count} granules`;
}
