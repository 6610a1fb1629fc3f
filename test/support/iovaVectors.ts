import { columnWords, differingColumns } from '../../src/analysis/iommu/columns.js';
import { watchIovaColumns } from '../../src/analysis/iommu/iovaColumns.js';
import type { IovaRow, IovaTrace } from '../../src/events/iommu.js';
import type { IommuRelease } from '../../src/kernel/iommuRelease.js';
import { createIovaSession } from '../../src/replay/iova/session.js';
import type { Whole } from './iommuVectors.js';

/** What a replay of an IOMMU trace shows. */
export interface Compared {
  /** Rows that were compared. */
  compared: number;
  /** The first rows that differ, in words. */
  differences: string[];
}

/** Replays an IOVA trace and compares every result. */
export function replayIova(trace: Whole<IovaTrace, IovaRow>, release: IommuRelease): Compared {
  const session = createIovaSession(trace, release);
  const differences = trace.problems.first.map((problem) => problem.message);
  let compared = 0;
  watchIovaColumns(session, trace, (row) => {
    const [recorded, replayed] = [row.recorded(), row.replayed()];
    compared++;
    const names = differingColumns(recorded, replayed);
    if (row.isReproduced !== (names.length === 0)) {
      differences.push(`line ${row.line}: told as ${row.isReproduced ? '' : 'not '}reproduced`);
    }
    if (names.length === 0) return;
    const [was, is] = [recorded, replayed].map((columns) => columnWords(columns, names));
    differences.push(`line ${row.line}: recorded ${was}, replayed ${is}`);
  });
  for (const row of trace.rows) {
    session.run(row);
    if (differences.length > 5) break;
  }
  return { compared, differences };
}
