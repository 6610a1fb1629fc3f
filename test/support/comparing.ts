import { type Comparison, createComparison } from '../../src/analysis/comparison.js';
import type { PoolOverride } from '../../src/replay/geometry.js';
import type { Observer } from '../../src/replay/outcome.js';
import type { Session } from '../../src/replay/session.js';
import { compareFindings, type FindingComparison } from '../../src/report/findingComparison.js';
import { type Replayed, replayInAll } from './replaying.js';

/** What a comparison of two replays shows. */
export interface Compared {
  comparison: Comparison;
  findings: FindingComparison;
  /** The old side's replay and the new side's. */
  replays: [Replayed, Replayed];
}

/** What a test may set besides the trace. */
export interface Comparing {
  keep?: number;
  /** Pools of the old side and of the new one. */
  pools?: [PoolOverride[], PoolOverride[]];
  /** Watches the old side, before anything else does. */
  watchOld?: (session: Session) => Observer;
}

/** Replays a canonical CSV trace in two releases, old and new, under a comparison. */
export async function compare(
  [oldName, newName]: [string, string],
  trace: string,
  { keep = 10, pools, watchOld }: Comparing = {},
): Promise<Compared> {
  const sessions: Session[] = [];
  const comparison = createComparison(keep, () => ({ new: sessions[0], old: sessions[1] }));
  const findings = compareFindings(keep);
  const [fresh, old] = await replayInAll([newName, oldName], trace, {
    ...(pools && { ownPools: [pools[1], pools[0]] }),
    observeFirst(session) {
      const side = sessions.push(session) === 1 ? 'new' : 'old';
      const first = side === 'old' && watchOld ? [watchOld(session)] : [];
      return [...first, comparison[side], findings[side].observer];
    },
    watchFinding: (n) => findings[n === 0 ? 'new' : 'old'].watch,
  });
  findings.finish();
  return { comparison, findings, replays: [old, fresh] };
}
