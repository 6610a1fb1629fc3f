import { IO_TLB_SEGSIZE, IO_TLB_SHIFT } from '../kernel/constants.js';
import type { SearchPlan } from '../kernel/plan.js';
import { type AddressWindow, spansBoundary } from './window.js';

/** Slots after which the pattern of aligned slots repeats. */
export function alignmentPeriod(plan: SearchPlan): number {
  const bits = 32 - Math.clz32(plan.clearMask | plan.matchMask);
  return 2 ** Math.max(0, bits - IO_TLB_SHIFT);
}

/**
 * The first slot from `slot` on whose address has the bits that a plan asks for. Each step mends the
 * lowest wrong bit without touching those below, so there are at most 32. Kernel masks are runs of
 * low ones; for a mask with gaps the slot found is aligned, but may not be the first.
 * @returns -1 if no slot has them: two masks contradict each other, or bits inside a slot are wrong
 */
export function nextAligned(plan: SearchPlan, window: AddressWindow, slot: number): number {
  let at = slot;
  for (let step = 0; step <= 32; step++) {
    const address = (window.low + (at << IO_TLB_SHIFT)) | 0;
    const wrong = (address & plan.clearMask) | ((address & plan.matchMask) ^ plan.matchBits);
    if (wrong === 0) return at;
    const lowest = (wrong & -wrong) >>> IO_TLB_SHIFT;
    if (lowest === 0) return -1;
    at += lowest;
  }
  return -1;
}

/**
 * Whether an empty pool, however large, that begins at the same address could serve a plan: some
 * slot is aligned, has the slots behind it before its segment ends, and crosses no boundary.
 */
export function fitsEmptyPool(plan: SearchPlan, window: AddressWindow): boolean {
  const period = alignmentPeriod(plan);
  const repeat = Math.max(period, IO_TLB_SEGSIZE);
  const first = nextAligned(plan, window, 0);
  if (first < 0) return false;
  for (let slot = first % period; slot < repeat; slot += period) {
    if ((slot % IO_TLB_SEGSIZE) + plan.nslots > IO_TLB_SEGSIZE) continue;
    // A boundary further apart than one repeat can spoil a place in one repeat, not in two that follow.
    if (!spansBoundary(window, slot, plan.nslots)) return true;
    if (!spansBoundary(window, slot + repeat, plan.nslots)) return true;
  }
  return false;
}
