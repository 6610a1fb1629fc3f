import { columnWords, differingColumns } from '../../src/analysis/iommu/columns.js';
import { watchDmaColumns } from '../../src/analysis/iommu/dmaColumns.js';
import type { DmaIommuTrace, DmaRow } from '../../src/events/iommu.js';
import type { IommuRelease } from '../../src/kernel/iommuRelease.js';
import { createDmaSession } from '../../src/replay/dmaIommu/session.js';
import type { Whole } from './iommuVectors.js';
import type { Compared } from './iovaVectors.js';

/** Replays a dma-iommu trace and compares every column of every row. */
export function replayDma(trace: Whole<DmaIommuTrace, DmaRow>, release: IommuRelease): Compared {
  const session = createDmaSession(trace, release);
  const differences = trace.problems.first.map(({ line, message }) => `line ${line}: ${message}`);
  let compared = 0;
  watchDmaColumns(session, trace, true, (row) => {
    const [recorded, replayed] = [row.recorded(), row.replayed()];
    compared++;
    const names = differingColumns(recorded, replayed);
    if (row.isReproduced !== (names.length === 0)) {
      differences.push(`line ${row.line}: told as ${row.isReproduced ? '' : 'not '}reproduced`);
    }
    if (names.length === 0) return;
    const [was, is] = [recorded, replayed].map((columns) => columnWords(columns, names));
    differences.push(`line ${row.line}: ${row.op} recorded ${was}, replayed ${is}`);
  });
  for (const row of trace.rows) {
    session.run(row);
    if (differences.length > 5) break;
  }
  session.finish();
  return { compared, differences };
}
