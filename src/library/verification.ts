import { unmetExpectations } from '../analysis/expectations.js';
import type { MismatchWatch } from '../analysis/mismatches.js';
import type { Replayed } from '../pipeline/replaying.js';
import { type PlainLoss, plainLosses } from '../report/plain.js';

/** Mismatches that a verification lists. */
export const KEPT_MISMATCHES = 20;

/** Whether the model gives what a trace records: `swiotlb-replay/verify@1`. */
export interface Verification {
  schema: 'swiotlb-replay/verify@1';
  path: string;
  format: string;
  kernel: string;
  events: number;
  /** Results that the trace records, and how many of them the model gives. */
  recorded: number;
  reproduced: number;
  /** Taken from the trace, because no model could know them. */
  assumed: number;
  /** The trace is known to lack events. */
  incomplete: boolean;
  /** The first that differ. */
  mismatches: { line: number; recorded: string; replayed: string }[];
  /** The trace's `#expect` lines; null where it has none. */
  expect: null | { ok: boolean; differences: string[] };
  /** Why the trace is incomplete; left out where it is not. */
  losses?: PlainLoss[];
}

/** What a replay showed of the trace's results. */
export function verificationOf({ info, trace, runs }: Replayed<MismatchWatch>): Verification {
  const [{ session, watch }] = runs;
  const { recorded, mismatches } = session.totals;
  const differences = unmetExpectations(info.expectations, session.allocators);
  return {
    schema: 'swiotlb-replay/verify@1',
    path: trace.path,
    format: trace.format,
    kernel: session.options.release.name,
    events: trace.events,
    recorded,
    reproduced: recorded - mismatches,
    assumed: session.transients.taken + session.totals.lookedAside,
    incomplete: info.losses.length > 0,
    mismatches: watch.first.map(({ line, recorded: was, replayed }) => ({
      line,
      recorded: was,
      replayed,
    })),
    expect: info.expectations.length === 0 ? null : { ok: differences.length === 0, differences },
    ...(info.losses.length > 0 && { losses: plainLosses(info.losses) }),
  };
}
