import { unmetExpectations } from '../analysis/expectations.js';
import type { MismatchWatch } from '../analysis/mismatches.js';
import type { Replayed } from '../pipeline/replaying.js';
import { plainLosses } from '../report/plain.js';
import type { Verification } from './verification.js';

/** Mismatches that a verification lists. */
export const KEPT_MISMATCHES = 20;

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
