import type { IommuReplay } from '../../replay/iommuReplay.js';
import type { RowColumns } from './columns.js';
import { watchDmaColumns } from './dmaColumns.js';
import { watchIovaColumns } from './iovaColumns.js';

/** Tells every row of a replay of either kind with its recorded and its replayed columns. */
export function watchColumns(
  replay: IommuReplay,
  withLeaked: boolean,
  onRow: (columns: RowColumns) => void,
): void {
  if (replay.kind === 'iova') watchIovaColumns(replay.session, replay.trace, onRow);
  else watchDmaColumns(replay.session, replay.trace, withLeaked, onRow);
}
