import type { EventBatch } from '../events/batch.js';
import type { TraceInfo } from '../events/trace.js';
import { createAgreement } from '../replay/agreement.js';
import type { Session } from '../replay/session.js';

/** Thrown where two sides part that had been replayed as one: the trace is to be read again, so that the new side catches up. */
export const PARTED = new Error('two sides that were replayed as one part here');

/**
 * The two sides of a comparison. As long as they certainly answer the same only the old one is
 * replayed, for both. Where that ends the new one catches up alone, and both go on.
 */
export interface Pair {
  /** To be called before each reading of the trace but the first. */
  rewind(): void;
  /** @throws PARTED where the trace is to be read again */
  run(batch: EventBatch): void;
  /** To be called once, after the last event. Of a new side that never parted only the candidates examined are told. */
  finish(): void;
}

/**
 * A pair of sessions that have replayed nothing yet; see mayAgree().
 * @param info what both know of the trace
 * @param onParting told where they part, when the new side has caught up
 */
export function createPair(
  info: TraceInfo,
  fresh: Session,
  old: Session,
  onParting: () => void,
): Pair {
  const agreement = createAgreement(info, old, fresh.options);
  let isOne = true;
  let areTwo = false;
  /** Events that the old side has replayed for both. */
  let shared = 0;
  /** Events of this reading. */
  let read = 0;

  /** Events of the batch from `from` on, for each side by itself. */
  function runBoth(batch: EventBatch, from: number): void {
    if (!areTwo) onParting();
    areTwo = true;
    fresh.run(batch, from);
    old.run(batch, from);
  }

  return {
    rewind() {
      read = 0;
    },
    run(batch) {
      const before = read;
      read += batch.length;
      if (isOne) {
        shared += agreement.run(batch);
        if (shared === read) return;
        isOne = false;
        if (before > 0) throw PARTED;
      }
      const known = Math.min(Math.max(0, shared - before), batch.length);
      if (known > 0) fresh.run(batch, 0, known);
      if (known < batch.length) runBoth(batch, known);
    },
    finish() {
      if (isOne) fresh.totals.examined = old.totals.examined + agreement.examinedMore;
      else fresh.finish();
      old.finish();
    },
  };
}
