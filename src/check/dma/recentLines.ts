/**
 * Lines by id, of the ids that came last. Two tables in turn, in plain memory: a Map that grows and is
 * thrown away over and over costs the collector more than the rest of the check.
 */
export interface RecentLines {
  young: Table;
  old: Table;
}

/** An open hash table. */
interface Table {
  /** Ids plus one; 0 for an empty place. */
  ids: Float64Array;
  /** 0 for an id that was taken out. */
  lines: Float64Array;
  /** Places that are not empty. */
  count: number;
}

/** Ids of the past that are remembered at least. */
const REMEMBERED = 2 ** 17;

const PLACES = 2 * REMEMBERED;

/** Ids beside each other, as counters give them, share a cache line. */
const GROUP = 8;
const GROUP_SHIFT = 32 - Math.log2(PLACES / GROUP);

function emptyTable(): Table {
  return { ids: new Float64Array(PLACES), lines: new Float64Array(PLACES), count: 0 };
}

/** No lines; the memory is taken when it is written to. */
export function noLines(): RecentLines {
  return { young: emptyTable(), old: emptyTable() };
}

/** The place of an id, or the empty one where it belongs. */
function placeOf({ ids }: Table, id: number): number {
  const group = Math.imul(Math.floor(id / GROUP) | 0, 0x9e3779b1) >>> GROUP_SHIFT;
  let place = group * GROUP + (id % GROUP);
  while (ids[place] !== id + 1 && ids[place] !== 0) place = (place + 1) % PLACES;
  return place;
}

/** Remembers the line of an id, a whole number from 0 on. */
export function remember(lines: RecentLines, id: number, line: number): void {
  if (lines.young.count >= REMEMBERED) {
    const { old, young } = lines;
    old.ids.fill(0);
    old.count = 0;
    lines.young = old;
    lines.old = young;
  }
  const { young } = lines;
  const place = placeOf(young, id);
  if (young.ids[place] === 0) young.count++;
  young.ids[place] = id + 1;
  young.lines[place] = line;
}

function lineIn(table: Table, id: number): number {
  const place = placeOf(table, id);
  return table.ids[place] === 0 ? 0 : table.lines[place];
}

/** The line of an id, NaN for none; undefined where none is remembered. */
export function recall({ young, old }: RecentLines, id: number): number | undefined {
  if (Number.isNaN(id) || young.count === 0) return undefined;
  return lineIn(young, id) || lineIn(old, id) || undefined;
}

function forgetIn(table: Table, id: number): void {
  const place = placeOf(table, id);
  if (table.ids[place] !== 0) table.lines[place] = 0;
}

/** Forgets an id. */
export function forget({ young, old }: RecentLines, id: number): void {
  if (young.count > 0) forgetIn(young, id);
  if (old.count > 0) forgetIn(old, id);
}
