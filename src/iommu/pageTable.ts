import { createOrder, floorOf, insert, type Linked, type Order, remove } from './order.js';

/** What a device may do with a granule; one right for each direction of a mapping, or both. */
export const Right = { read: 1, write: 2, both: 3 } as const;

/** Granules that follow each other here and in physical memory; `lo` and `hi` are their numbers (pfns). */
export interface Run extends Linked<Run> {
  /** Physical address that the first granule leads to. */
  phys: number;
  /** Bits of Right. */
  rights: number;
}

/** The page table of a domain: what its device can reach at this moment. */
export interface PageTable {
  /** Bytes of a granule. */
  granule: number;
  runs: Order<Run>;
  /** Granules mapped. */
  mapped: number;
  /** Runs that were unmapped, to be used again. */
  unused: Run[];
  /** The run that was found or mapped last: a call asks for its own over and over. */
  last: Run | undefined;
}

/** An empty page table. */
export function createPageTable(granule: number): PageTable {
  return { granule, runs: createOrder(), mapped: 0, unused: [], last: undefined };
}

function insertRun(table: PageTable, lo: number, hi: number, phys: number, rights: number): void {
  const run = table.unused.pop() ?? { lo, hi, prev: undefined, next: undefined, phys, rights };
  run.lo = lo;
  run.hi = hi;
  run.phys = phys;
  run.rights = rights;
  insert(table.runs, run);
  table.last = run;
}

/** The run that holds a granule; undefined where it is not mapped. */
export function runAt(table: PageTable, pfn: number): Run | undefined {
  const { last } = table;
  if (last !== undefined && last.lo <= pfn && pfn <= last.hi) return last;
  const run = floorOf(table.runs, pfn);
  if (run === undefined || pfn > run.hi) return undefined;
  table.last = run;
  return run;
}

/** The physical address that a device address leads to; NaN where nothing is mapped. */
export function physOf(table: PageTable, pfn: number, offset: number): number {
  const run = runAt(table, pfn);
  return run === undefined ? Number.NaN : run.phys + (pfn - run.lo) * table.granule + offset;
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
  const below = floorOf(table.runs, hi);
  if (below !== undefined && below.hi >= pfn) return false;
  insertRun(table, pfn, hi, phys, rights);
  table.mapped += count;
  return true;
}

/** Takes granules from `lo` to `hi`, which it holds, out of a run. */
function cut(table: PageTable, run: Run, lo: number, hi: number): void {
  const { lo: first, hi: last, phys, rights } = run;
  remove(table.runs, run);
  table.unused.push(run);
  table.last = undefined;
  if (first < lo) insertRun(table, first, lo - 1, phys, rights);
  const after = phys + (hi + 1 - first) * table.granule;
  if (hi < last) insertRun(table, hi + 1, last, after, rights);
  table.mapped -= hi - lo + 1;
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
    cut(table, run, at, hi);
    at = hi + 1;
  }
  return at - pfn;
}
