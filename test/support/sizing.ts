import type { PoolOverride } from '../../src/replay/geometry.js';
import { recordWorkload, type WorkloadRecorder } from '../../src/sizing/record.js';
import type { Workload } from '../../src/sizing/workload.js';
import { type Replayed, replay } from './replaying.js';

/** What a trace's facts are in tests. */
const FACTS = {
  path: 'test.csv',
  format: 'csv',
  lines: 0,
  events: 0,
  losses: [],
  isRecordedKernel: true,
};

/** A canonical CSV trace as a workload, and the replay in which it was recorded. */
export async function workloadOf(
  kernel: string,
  trace: string,
  { path = 'test.csv', pools = [] }: { path?: string; pools?: PoolOverride[] } = {},
): Promise<{ workload: Workload; replayed: Replayed }> {
  let recorder: WorkloadRecorder | undefined;
  const replayed = await replay(kernel, trace, {
    pools,
    observe: (session) => {
      recorder = recordWorkload(session, true);
      return recorder.observer;
    },
  });
  const workload = (recorder as WorkloadRecorder).finish({ ...FACTS, path });
  return { workload, replayed };
}

/** One event of a workload, as a reader sees it. */
export type SeenEvent = [line: number, what: 'ask' | 'release', handle: number];

/** The events of a workload in order. */
export function eventsOf({ chunks }: Workload): SeenEvent[] {
  return chunks.flatMap((chunk) =>
    Array.from(
      { length: chunk.length },
      (_, n): SeenEvent => [chunk.line[n], chunk.op[n] & 1 ? 'release' : 'ask', chunk.handle[n]],
    ),
  );
}
