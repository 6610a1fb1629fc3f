import { columnWords, differingColumns, type RowColumns } from './columns.js';

/** A row that a release does not reproduce: its columns that differ, in words. */
export interface RowMismatch {
  line: number;
  recorded: string;
  replayed: string;
}

/** How far a release reproduces the rows of an IOMMU trace. */
export interface RecordWatch {
  /** Rows that record anything, and those of them in which a column differs. */
  recorded: number;
  mismatches: number;
  /** The first of those. */
  first: RowMismatch[];
  onRow(columns: RowColumns): void;
}

/** Compares rows as they come, and keeps the first `keep` that differ. */
export function createRecordWatch(keep: number): RecordWatch {
  const watch: RecordWatch = {
    recorded: 0,
    mismatches: 0,
    first: [],
    onRow(row) {
      if (!row.isRecorded) return;
      watch.recorded++;
      if (row.isReproduced) return;
      const [recorded, replayed] = [row.recorded(), row.replayed()];
      const columns = differingColumns(recorded, replayed);
      watch.mismatches++;
      if (watch.first.length === keep) return;
      watch.first.push({
        line: row.line,
        recorded: `${row.op}: ${columnWords(recorded, columns)}`,
        replayed: columnWords(replayed, columns),
      });
    },
  };
  return watch;
}
