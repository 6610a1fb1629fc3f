import { type Columns, columnWords, differingColumns, type RowColumns } from './columns.js';

/** A row that two releases replay differently: the columns that differ, in words. */
export interface RowDifference {
  line: number;
  op: string;
  old: string;
  new: string;
}

/** How the rows of two replays compare. */
export interface RowComparison {
  rows: number;
  different: number;
  /** The first rows that differ. */
  first: RowDifference[];
  /** Each replay tells its rows, the old one first. */
  onOld(columns: RowColumns): void;
  onNew(columns: RowColumns): void;
}

/** Compares two replays row by row and keeps the first `keep` differences. */
export function createRowComparison(keep: number): RowComparison {
  let pending: { line: number; replayed: Columns } | undefined;
  const comparison: RowComparison = {
    rows: 0,
    different: 0,
    first: [],
    onOld(row) {
      pending = { line: row.line, replayed: row.replayed() };
    },
    onNew(row) {
      const { line, op } = row;
      if (pending?.line !== line) return;
      comparison.rows++;
      const replayed = row.replayed();
      const names = differingColumns(pending.replayed, replayed);
      if (names.length === 0) return;
      comparison.different++;
      if (comparison.first.length === keep) return;
      const words = [pending.replayed, replayed].map((side) => columnWords(side, names));
      comparison.first.push({ line, op, old: words[0], new: words[1] });
    },
  };
  return comparison;
}
