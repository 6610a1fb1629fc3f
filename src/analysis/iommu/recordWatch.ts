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
    onRow({ line, op, recorded, replayed }) {
      if (Object.keys(recorded).length === 0) return;
      watch.recorded++;
      const columns = differingColumns(recorded, replayed);
      if (columns.length === 0) return;
      watch.mismatches++;
      if (watch.first.length === keep) return;
      watch.first.push({
        line,
        recorded: `${op}: ${columnWords(recorded, columns)}`,
        replayed: columnWords(replayed, columns),
      });
    },
  };
  return watch;
}
