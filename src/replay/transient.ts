import { type EventBatch, Flag, Recorded } from '../events/batch.js';
import { IO_TLB_SIZE } from '../kernel/constants.js';
import type { Device } from '../swiotlb/allocator.js';
import type { Pool } from '../swiotlb/pool.js';

/**
 * Where the pages of transient pools lie. No model can know: the page allocator decides. So it is
 * taken from the trace where it is recorded, and invented where the model needs one that the
 * recorded kernel did not.
 */
export interface TransientBases {
  /** The base for event `n`, should it need a transient pool; NaN where the trace shows that no pages were had. */
  baseFor(device: Device, batch: EventBatch, n: number): number;
  /** To be called when a transient pool was made at that base. */
  made(base: number): void;
  /** Bases that were taken from the trace. */
  taken: number;
  /** Bases that were invented. */
  invented: number;
}

/** Invented bases lie beyond the physical memory of any machine, if the device reaches so far. */
const LAST_INVENTED = 2 ** 51;

/** Room for 128 slots, and a multiple of any alignment that their pages have. */
const STEP = 2 ** 20;

/**
 * A place for pages that no pool of the device has, and no invented one before: from the end of what
 * the device reaches down (alloc_dma_tlb() keeps to its dma_mask).
 * @returns NaN where the device reaches nothing that is free
 */
function inventBase({ dmaMask, allocator }: Device, before: number): number {
  const end = Math.min(LAST_INVENTED, Math.floor((dmaMask + 1) / STEP) * STEP);
  const taken = ({ base: from, nslabs }: Pool, base: number): boolean =>
    base < from + nslabs * IO_TLB_SIZE && from < base + STEP;
  for (let base = end - (before + 1) * STEP; base > 0; base -= STEP) {
    if (!allocator.pools.some((pool) => taken(pool, base))) return base;
  }
  return Number.NaN;
}

/** Nothing taken or invented yet. */
export function createTransientBases(): TransientBases {
  let invented = Number.NaN;
  const bases: TransientBases = {
    taken: 0,
    invented: 0,
    baseFor(device, batch, n) {
      const flag = batch.flag[n];
      if (flag === Flag.transient || flag === Flag.transientFailed) return batch.flagValue[n];
      const { dynamic, restricted } = device.allocator;
      const isNeverMade = dynamic === undefined || restricted;
      if (isNeverMade || batch.recorded[n] === Recorded.full) return Number.NaN;
      invented = inventBase(device, bases.invented);
      return invented;
    },
    made(base) {
      if (base === invented) bases.invented++;
      else bases.taken++;
    },
  };
  return bases;
}
