import { type EventBatch, Flag, Recorded } from '../events/batch.js';

/**
 * Where the pages of transient pools lie. No model can know: the page allocator decides. So it is
 * taken from the trace where it is recorded, and invented where the model needs one that the
 * recorded kernel did not.
 */
export interface TransientBases {
  /** The base for event `n`, should it need a transient pool; NaN where the trace shows that no pages were had. */
  baseFor(batch: EventBatch, n: number): number;
  /** To be called when a transient pool was made at that base. */
  made(base: number): void;
  /** Bases that were taken from the trace. */
  taken: number;
  /** Bases that were invented. */
  invented: number;
}

/** Invented bases begin beyond the physical memory of any machine, each on a place of its own. */
const FIRST_INVENTED = 2 ** 50;

/** A multiple of any alignment that pages for 128 slots have. */
const STEP = 2 ** 20;

/** Nothing taken or invented yet. */
export function createTransientBases(): TransientBases {
  const bases: TransientBases = {
    taken: 0,
    invented: 0,
    baseFor(batch, n) {
      const flag = batch.flag[n];
      if (flag === Flag.transient || flag === Flag.transientFailed) return batch.flagValue[n];
      if (batch.recorded[n] === Recorded.full) return Number.NaN;
      return FIRST_INVENTED + bases.invented * STEP;
    },
    made(base) {
      if (base >= FIRST_INVENTED) bases.invented++;
      else bases.taken++;
    },
  };
  return bases;
}
