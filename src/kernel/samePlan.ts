import { IO_TLB_SHIFT, IO_TLB_SIZE } from './constants.js';
import type { SearchPlan } from './plan.js';

/**
 * Whether two plans, made by two releases, lead every search in one pool to the same slots over the
 * same candidates, and store the same there. False where that is not certain. Holds in pools whose
 * base is a multiple of the slot size.
 */
export function leadToTheSame(a: SearchPlan, b: SearchPlan): boolean {
  const { stride } = a;
  return (
    a.nslots === b.nslots &&
    a.offset === b.offset &&
    a.totalSize === b.totalSize &&
    stride === b.stride &&
    // Steps of one slot go once around the area, however the loop counts them.
    (a.endsAtStart === b.endsAtStart || stride === 1) &&
    alignSame(a, b)
  );
}

/** Whether the same slots are aligned for both: a bit that must be clear is one that must match 0. */
function alignSame(a: SearchPlan, b: SearchPlan): boolean {
  const masks = (a.clearMask | a.matchMask) ^ (b.clearMask | b.matchMask);
  return masks >>> IO_TLB_SHIFT === 0 && a.matchBits === b.matchBits && isPlain(a) && isPlain(b);
}

/** Whether a plan asks nothing of itself that contradicts, and nothing of bits in a slot but to be 0. */
function isPlain({ clearMask, matchMask, matchBits }: SearchPlan): boolean {
  return (matchBits & (clearMask | ~matchMask | (IO_TLB_SIZE - 1))) === 0;
}
