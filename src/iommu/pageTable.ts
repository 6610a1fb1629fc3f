/** What a device may do with a granule; one right for each direction of a mapping, or both. */
export const Right = { read: 1, write: 2, both: 3 } as const;

/** Granules that follow each other here and in physical memory; `lo` and `hi` are their numbers (pfns). */
export interface Run {
  lo: number;
  hi: number;
  /** Physical address that the first granule leads to. */
  phys: number;
  /** Bits of Right. */
  rights: number;
}

/** Runs that follow each other, sorted; none is empty. */
interface Block {
  count: number;
  /** Where each begins, for searches that touch nothing else. */
  los: Float64Array;
  /** Their places among the cells. */
  places: Int32Array;
}

/**
 * The page table of a domain: what its device can reach at this moment. In plain memory: as objects the
 * runs of a thousand mappings would not stay in the cache, and moving them would tell the collector.
 */
export interface PageTable {
  /** Bytes of a granule. */
  granule: number;
  blocks: Block[];
  /** Where each block begins. */
  firsts: number[];
  /** Per run, by its place: lo, hi, phys, rights. */
  cells: Float64Array;
  /** Places in use or given back, and those given back. */
  places: number;
  unused: number[];
  /** Granules mapped. */
  mapped: number;
  /** The run that was found or mapped last, to which runAt() leads; filled anew for another. */
  last: Run;
  /** Where that one is: its block, and its index there. */
  lastBlock: number;
  lastIndex: number;
}

const MAX_BLOCK = 64;

const CELL = 4;

function emptyBlock(): Block {
  return { count: 0, los: new Float64Array(MAX_BLOCK), places: new Int32Array(MAX_BLOCK) };
}

/** An empty page table. */
export function createPageTable(granule: number): PageTable {
  return {
    granule,
    blocks: [],
    firsts: [],
    cells: new Float64Array(CELL * 64),
    places: 0,
    unused: [],
    mapped: 0,
    last: { lo: 0, hi: -1, phys: 0, rights: 0 },
    lastBlock: 0,
    lastIndex: -1,
  };
}

/** The number of the last block that begins at or below `x`; -1 where all begin above. */
function blockAt({ firsts }: PageTable, x: number): number {
  let below = 0;
  let above = firsts.length;
  while (below < above) {
    const middle = (below + above) >>> 1;
    if (firsts[middle] <= x) below = middle + 1;
    else above = middle;
  }
  return below - 1;
}

/** The index of the last run of a block that begins at or below `x`; -1 for none. */
function indexAt({ los, count }: Block, x: number): number {
  let below = 0;
  let above = count;
  while (below < above) {
    const middle = (below + above) >>> 1;
    if (los[middle] <= x) below = middle + 1;
    else above = middle;
  }
  return below - 1;
}

function forgetLast({ last }: PageTable): void {
  last.lo = 0;
  last.hi = -1;
}

function fillRun({ cells }: PageTable, place: number, run: Run): Run {
  const at = CELL * place;
  run.lo = cells[at];
  run.hi = cells[at + 1];
  run.phys = cells[at + 2];
  run.rights = cells[at + 3];
  return run;
}

/** Makes the last run that begins at or below `x` the one found last; false where there is none. */
function seek(table: PageTable, x: number): boolean {
  const n = blockAt(table, x);
  if (n < 0) {
    forgetLast(table);
    table.lastBlock = 0;
    table.lastIndex = -1;
    return false;
  }
  const block = table.blocks[n];
  const i = indexAt(block, x);
  fillRun(table, block.places[i], table.last);
  table.lastBlock = n;
  table.lastIndex = i;
  return true;
}

/** A place for a run, which is filled. */
function takePlace(table: PageTable, lo: number, hi: number, phys: number, rights: number): number {
  const place = table.unused.pop() ?? table.places++;
  const at = CELL * place;
  if (at === table.cells.length) {
    const more = new Float64Array(2 * at);
    more.set(table.cells);
    table.cells = more;
  }
  const { cells } = table;
  cells[at] = lo;
  cells[at + 1] = hi;
  cells[at + 2] = phys;
  cells[at + 3] = rights;
  return place;
}

/** Moves the upper half of a full block to one of its own. */
function split(table: PageTable, n: number): void {
  const half = MAX_BLOCK >>> 1;
  const block = table.blocks[n];
  const upper = emptyBlock();
  upper.los.set(block.los.subarray(half));
  upper.places.set(block.places.subarray(half));
  upper.count = MAX_BLOCK - half;
  block.count = half;
  table.blocks.splice(n + 1, 0, upper);
  table.firsts.splice(n + 1, 0, upper.los[0]);
}

/** Adds a run behind the one found last, and makes it that. A hot path. */
function insertBehind(
  table: PageTable,
  lo: number,
  hi: number,
  phys: number,
  rights: number,
): void {
  if (table.blocks.length === 0) {
    table.blocks.push(emptyBlock());
    table.firsts.push(lo);
  }
  let n = table.lastBlock;
  let at = table.lastIndex + 1;
  if (table.blocks[n].count === MAX_BLOCK) {
    split(table, n);
    const { count } = table.blocks[n];
    if (at > count) {
      n++;
      at -= count;
    }
  }
  const block = table.blocks[n];
  const { los, places } = block;
  for (let i = block.count++; i > at; i--) {
    los[i] = los[i - 1];
    places[i] = places[i - 1];
  }
  los[at] = lo;
  places[at] = takePlace(table, lo, hi, phys, rights);
  if (at === 0) table.firsts[n] = lo;
  fillRun(table, places[at], table.last);
  table.lastBlock = n;
  table.lastIndex = at;
}

/** Takes the run found last out. */
function removeLast(table: PageTable): void {
  const { lastBlock: n, lastIndex: at } = table;
  const block = table.blocks[n];
  const { los, places } = block;
  table.unused.push(places[at]);
  const count = --block.count;
  for (let i = at; i < count; i++) {
    los[i] = los[i + 1];
    places[i] = places[i + 1];
  }
  if (count === 0) {
    table.blocks.splice(n, 1);
    table.firsts.splice(n, 1);
  } else if (at === 0) table.firsts[n] = los[0];
  forgetLast(table);
}

/** The run that holds a granule, until the table is asked for another; undefined where it is not mapped. */
export function runAt(table: PageTable, pfn: number): Run | undefined {
  const { last } = table;
  if (last.lo <= pfn && pfn <= last.hi) return last;
  return seek(table, pfn) && pfn <= last.hi ? last : undefined;
}

/** The physical address that a device address leads to; NaN where nothing is mapped. */
export function physOf(table: PageTable, pfn: number, offset: number): number {
  const run = runAt(table, pfn);
  return run === undefined ? Number.NaN : run.phys + (pfn - run.lo) * table.granule + offset;
}

/** Whether any granule from `lo` to `hi` is mapped. */
export function isAnyMapped(table: PageTable, lo: number, hi: number): boolean {
  const n = blockAt(table, hi);
  if (n < 0) return false;
  const block = table.blocks[n];
  return table.cells[CELL * block.places[indexAt(block, hi)] + 1] >= lo;
}

/** All runs, the lowest first. */
export function runsOf(table: PageTable): Run[] {
  const runs: Run[] = [];
  for (const { count, places } of table.blocks) {
    for (let i = 0; i < count; i++) {
      runs.push(fillRun(table, places[i], { lo: 0, hi: 0, phys: 0, rights: 0 }));
    }
  }
  return runs;
}

/** What of runs lies between `lo` and `hi`, both in it, the highest first. */
export function runsIn(table: PageTable, lo: number, hi: number): Run[] {
  const found: Run[] = [];
  let to = hi;
  while (to >= lo && seek(table, to) && table.last.hi >= lo) {
    const { lo: first, hi: last, phys, rights } = table.last;
    const from = Math.max(lo, first);
    const start = phys + (from - first) * table.granule;
    found.push({ lo: from, hi: Math.min(hi, last), phys: start, rights });
    to = first - 1;
  }
  return found;
}

/**
 * Maps granules; all of them or, where one is mapped already, none, as a driver would.
 * @param count granules, 1 or more
 * @param phys a multiple of the granule
 * @returns whether none was mapped before
 */
export function mapGranules(
  table: PageTable,
  pfn: number,
  count: number,
  phys: number,
  rights: number,
): boolean {
  const hi = pfn + count - 1;
  if (seek(table, hi) && table.last.hi >= pfn) return false;
  insertBehind(table, pfn, hi, phys, rights);
  table.mapped += count;
  return true;
}

/** Takes granules from `lo` to `hi`, which it holds, out of the run found last. */
function cut(table: PageTable, lo: number, hi: number): void {
  const { lo: first, hi: last, phys, rights } = table.last;
  table.mapped -= hi - lo + 1;
  removeLast(table);
  if (first === lo && hi === last) return;
  if (first < lo) {
    seek(table, first);
    insertBehind(table, first, lo - 1, phys, rights);
  }
  if (hi < last) {
    seek(table, hi);
    insertBehind(table, hi + 1, last, phys + (hi + 1 - first) * table.granule, rights);
  }
}

/**
 * Unmaps granules one after the other up to the first that is not mapped.
 * @returns how many were
 */
export function unmapGranules(table: PageTable, pfn: number, count: number): number {
  const end = pfn + count;
  let at = pfn;
  while (at < end) {
    const run = runAt(table, at);
    if (run === undefined) break;
    const hi = Math.min(run.hi, end - 1);
    cut(table, at, hi);
    at = hi + 1;
  }
  return at - pfn;
}
