import { IO_TLB_SIZE } from '../kernel/constants.js';
import type { SessionOptions } from '../replay/devices.js';
import { movedIndex } from '../replay/follow.js';
import { emptyForetold, type Foreteller, foretell } from '../replay/foretell.js';
import type { Outcome } from '../replay/outcome.js';
import type { Session } from '../replay/session.js';
import { type Device, emptyReleased, type MapAnswer } from '../swiotlb/allocator.js';
import { type Pool, releaseSlots, slotAddress } from '../swiotlb/pool.js';
import { type Explanation, explainAnswer, recordSearch } from './explain.js';

/** Where two replays part for the first time, and why: both searches, from the same slots in use. */
export interface Divergence {
  line: number;
  old: Explanation;
  new: Explanation;
  /** What the new side gave in the replay: another address where its searches started elsewhere; undefined where refused. */
  given: number | undefined;
}

/** A divergence, and the new side's answer from the old side's state. */
export interface ExplainedDivergence {
  divergence: Omit<Divergence, 'given'>;
  alone: MapAnswer;
}

/**
 * Explains both sides of a request that the old side has just answered. What it took is given back in
 * a copy of its pools, so that the replay itself is not touched.
 * @param transientBase of the new side
 */
export function explainDivergence(
  old: Session,
  fresh: Session,
  foreteller: Foreteller,
  outcome: Outcome,
  transientBase: number,
): ExplainedDivergence {
  const copies = poolsBefore(outcome);
  const originOf = (copy: Pool): Pool =>
    [...copies].find(([, candidate]) => candidate === copy)?.[0] ?? outcome.device.allocator.pool;
  const view = foreteller.viewOf(outcome);

  function explain(options: SessionOptions, seen: Device, base: number) {
    const device = overCopies(seen, copies);
    const record = recordSearch(old, device.allocator, originOf);
    device.allocator.search = record.search;
    const answer = emptyForetold();
    foretell(options, outcome, device, base, answer);
    const explanation = explainAnswer(
      options.release,
      { ...outcome, device, answer },
      record.areas,
    );
    return { explanation, answer };
  }

  const before = explain(old.options, outcome.device, outcome.transientBase);
  const after = explain(fresh.options, view, transientBase);
  return {
    divergence: { line: outcome.line, old: before.explanation, new: after.explanation },
    alone: after.answer,
  };
}

/** Copies of the pools of a request's allocator as they were before it was answered. */
function poolsBefore({ device, answer }: Outcome): Map<Pool, Pool> {
  const { pools } = device.allocator;
  const copies = new Map(pools.map((pool) => [pool, structuredClone(pool)]));
  const taken = answer.pool && copies.get(answer.pool);
  if (taken !== undefined) {
    const bytes = answer.plan.nslots * IO_TLB_SIZE;
    releaseSlots(taken, slotAddress(taken, answer.slot), 0, bytes, emptyReleased());
  }
  const moved = movedIndex(answer);
  const movedCopy = moved && copies.get(moved.pool);
  if (movedCopy !== undefined) movedCopy.areaIndex[moved?.area ?? 0] = moved?.before ?? 0;
  return copies;
}

/** A device that sees copies where there are some: a mirror has none, and has taken nothing yet. */
function overCopies(device: Device, copies: ReadonlyMap<Pool, Pool>): Device {
  const { allocator } = device;
  const copyOf = (pool: Pool): Pool => copies.get(pool) ?? pool;
  return {
    ...device,
    otherWindows: new Map(),
    allocator: { ...allocator, pool: copyOf(allocator.pool), pools: allocator.pools.map(copyOf) },
  };
}
