import type { Pool } from '../swiotlb/pool.js';

/** Columns of time that a grid has at most, and rows of slots. */
export const COLUMNS = 512;
export const ROWS = 256;

/** Devices that a grid tells apart, by the order of their first slots; later ones share the last number. */
export const HOLDERS = 32;

/** Where no device holds half of a row. */
export const SEVERAL = 255;

/**
 * Which slots of one pool are in use, over time: a row per 2^shift slots, a column per
 * `eventsPerColumn` events. A cell holds slots times events, so that cells can be merged without loss.
 */
export interface Grid {
  pool: Pool;
  /** Per slot: its holder's number and 1, or 0 while free. A release may give back what is free already. */
  taken: Uint8Array;
  /** First slot of row 0, a multiple of 2^shift. */
  first: number;
  shift: number;
  /** Slots that were ever taken: from `low` to before `high`. */
  low: number;
  high: number;
  eventsPerColumn: number;
  /** Per row: slots in use, the event since when, and who holds at least half of them. */
  used: Int32Array;
  since: Float64Array;
  main: Uint8Array;
  /** Per row and holder: slots. */
  held: Int32Array;
  /** Per cell, row by row: slots times events. */
  sum: Float32Array;
  /** Per cell: who had most of that, as far as a vote with one candidate tells, and by how much. */
  owner: Uint8Array;
  lead: Float32Array;
}

/** A grid of a pool of which no slot was taken yet. */
export function createGrid(pool: Pool, eventsPerColumn: number): Grid {
  return {
    pool,
    taken: new Uint8Array(pool.nslabs),
    first: 0,
    shift: 0,
    low: Number.POSITIVE_INFINITY,
    high: 0,
    eventsPerColumn,
    ...emptyRows(),
    ...emptyCells(),
  };
}

function emptyRows(): Pick<Grid, 'used' | 'since' | 'main' | 'held'> {
  return {
    used: new Int32Array(ROWS),
    since: new Float64Array(ROWS),
    main: new Uint8Array(ROWS),
    held: new Int32Array(ROWS * HOLDERS),
  };
}

function emptyCells(): Pick<Grid, 'sum' | 'owner' | 'lead'> {
  return {
    sum: new Float32Array(ROWS * COLUMNS),
    owner: new Uint8Array(ROWS * COLUMNS),
    lead: new Float32Array(ROWS * COLUMNS),
  };
}

/** Adds to a cell. The owner is Boyer and Moore's majority candidate, by weight. */
function add(grid: Grid, cell: number, weight: number, owner: number, lead: number): void {
  grid.sum[cell] += weight;
  if (grid.owner[cell] === owner) grid.lead[cell] += lead;
  else if (grid.lead[cell] >= lead) grid.lead[cell] -= lead;
  else {
    grid.owner[cell] = owner;
    grid.lead[cell] = lead - grid.lead[cell];
  }
}

/** Enters what a row has held up to event `now`; to be called before that changes. */
function settleRow(grid: Grid, row: number, now: number): void {
  let from = grid.since[row];
  grid.since[row] = now;
  const used = grid.used[row];
  if (used === 0) return;
  const { eventsPerColumn } = grid;
  while (from < now) {
    const column = Math.floor(from / eventsPerColumn);
    const to = Math.min(now, (column + 1) * eventsPerColumn);
    const weight = used * (to - from);
    add(grid, row * COLUMNS + column, weight, grid.main[row], weight);
    from = to;
  }
}

/** Enters what all rows have held up to event `now`. */
export function settle(grid: Grid, now: number): void {
  for (let row = 0; row < ROWS; row++) settleRow(grid, row, now);
}

/**
 * Slots from `slot` to before `end` change hands at event `now`.
 * @param holder number of the device that takes them, below HOLDERS; -1 where they are given back
 */
export function changeSlots(
  grid: Grid,
  slot: number,
  end: number,
  holder: number,
  now: number,
): void {
  const last = Math.min(end, grid.pool.nslabs);
  if (slot < 0 || slot >= last) return;
  if (slot < grid.low || last > grid.high) widen(grid, slot, last, now);
  const { first, shift } = grid;
  for (let at = slot; at < last; ) {
    const row = (at - first) >>> shift;
    const rowEnd = Math.min(last, first + ((row + 1) << shift));
    settleRow(grid, row, now);
    changeInRow(grid, row, at, rowEnd, holder);
    at = rowEnd;
  }
}

function changeInRow(grid: Grid, row: number, from: number, end: number, holder: number): void {
  const { taken, held } = grid;
  const base = row * HOLDERS;
  let change = 0;
  for (let at = from; at < end; at++) {
    const before = taken[at];
    if (before > 0) {
      held[base + before - 1]--;
      change--;
    }
    taken[at] = holder + 1;
  }
  if (holder >= 0) {
    held[base + holder] += end - from;
    change += end - from;
  }
  grid.used[row] += change;
  findMain(grid, row);
}

/** Who holds at least half of a row: whom it was, else a search. */
function findMain(grid: Grid, row: number): void {
  const { held, used, main } = grid;
  const base = row * HOLDERS;
  const half = used[row] / 2;
  if (main[row] !== SEVERAL && held[base + main[row]] >= half) return;
  let holder = 0;
  while (holder < HOLDERS && held[base + holder] < half) holder++;
  main[row] = holder < HOLDERS ? holder : SEVERAL;
}

/** Makes room for slots beyond those that were ever taken: moves the rows, or doubles their slots. */
function widen(grid: Grid, slot: number, end: number, now: number): void {
  const isNew = grid.high === 0;
  grid.low = Math.min(grid.low, slot);
  grid.high = Math.max(grid.high, end);
  const isInside = grid.low >= grid.first && grid.high <= grid.first + (ROWS << grid.shift);
  if (isInside && !isNew) return;
  let { shift } = grid;
  const rowsAt = (by: number): number => ((grid.high - 1) >>> by) - (grid.low >>> by) + 1;
  while (rowsAt(shift) > ROWS) shift++;
  // Half of the rows to spare on either side, so that a pool that fills up moves its rows seldom.
  const spare = (ROWS - rowsAt(shift)) >>> 1;
  const first = Math.max(0, (grid.low >>> shift) - spare) << shift;
  settle(grid, now);
  moveRows(grid, first, shift, now);
}

function moveRows(grid: Grid, first: number, shift: number, now: number): void {
  const old = { ...grid };
  Object.assign(grid, emptyRows(), emptyCells());
  grid.first = first;
  grid.shift = shift;
  grid.since.fill(now);
  for (let row = 0; row < ROWS; row++) {
    const slot = old.first + (row << old.shift);
    // Rows beyond what was ever taken may lie outside.
    if (slot < first || slot >= grid.high) continue;
    const target = (slot - first) >>> shift;
    grid.used[target] += old.used[row];
    for (let holder = 0; holder < HOLDERS; holder++) {
      grid.held[target * HOLDERS + holder] += old.held[row * HOLDERS + holder];
    }
    findMain(grid, target);
    for (let column = 0; column < COLUMNS; column++) {
      const from = row * COLUMNS + column;
      if (old.sum[from] === 0) continue;
      add(grid, target * COLUMNS + column, old.sum[from], old.owner[from], old.lead[from]);
    }
  }
}

/** Makes one column of every two. All rows are settled. */
export function halveColumns(grid: Grid): void {
  const { sum, owner, lead } = grid;
  grid.eventsPerColumn *= 2;
  for (let row = 0; row < ROWS * COLUMNS; row += COLUMNS) {
    for (let column = 0; column < COLUMNS / 2; column++) {
      const from = row + 2 * column;
      const to = row + column;
      sum[to] = sum[from];
      owner[to] = owner[from];
      lead[to] = lead[from];
      if (sum[from + 1] > 0) add(grid, to, sum[from + 1], owner[from + 1], lead[from + 1]);
    }
    const end = row + COLUMNS;
    sum.fill(0, row + COLUMNS / 2, end);
    owner.fill(0, row + COLUMNS / 2, end);
    lead.fill(0, row + COLUMNS / 2, end);
  }
}
