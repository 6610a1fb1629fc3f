import { shorten } from '../../events/trace.js';

/** Values of a row's columns as a trace writes them, by the column's name. */
export type Columns = Readonly<Record<string, string>>;

/** A row as it is recorded and as a release replays it. The same object for every row of a replay. */
export interface RowColumns {
  line: number;
  op: string;
  /** The row records something. */
  isRecorded: boolean;
  /** The release gives all that the row records; told without words, which are costly. */
  isReproduced: boolean;
  /** The columns, to be asked for before the next row. */
  recorded(): Columns;
  replayed(): Columns;
}

/** The columns of `a` in which `b` has another value; what `b` lacks it does not differ in. */
export function differingColumns(a: Columns, b: Columns): string[] {
  return Object.keys(a).filter((name) => b[name] !== undefined && a[name] !== b[name]);
}

/** Some columns in words: `dma 0xfff80000, slots 3`; an empty one is `none`. */
export function columnWords(columns: Columns, names: readonly string[]): string {
  return names
    .map((name) => `${name} ${columns[name] === '' ? 'none' : shorten(columns[name])}`)
    .join(', ');
}
