import {
  createPageParts,
  giveRecord,
  isHome,
  isPartZeroed,
  isUntouched,
  loadPage,
  PAGE,
  PAGE_SHIFT,
  type PageParts,
  setPart,
  takeRecord,
} from './pageParts.js';

/** Where bytes come from that no write of the trace explains. Writes are named by numbers above 0. */
export const Origin = {
  /** Zeroed by the kernel. */
  zeroed: 0,
  /** Memory as it was before the trace; `at` is the physical address where it was. */
  before: -1,
} as const;

/** Bytes that came from one place together. */
export interface Piece {
  /** Physical address. */
  start: number;
  /** Bytes. */
  length: number;
  /** One of Origin, or the number of a write. */
  origin: number;
  /** Position of the first byte in what was written, or its address before the trace; 0 for zeroes. */
  at: number;
  /** Number of the call that copied it here last; 0 where it was not copied. */
  through: number;
}

/**
 * Physical memory that knows where its content comes from, in pages of 4096 bytes. Pages that are not
 * listed are as before the trace, so memory that is never written costs nothing.
 */
export interface Memory {
  /** What is in the pages that were written, by the number of their record. */
  parts: PageParts;
  /** Records by page number. */
  pages: Map<number, number>;
  /** Page number of the first of those that are written over and over, the pool's, and their count: the first records. */
  denseFrom: number;
  dense: number;
}

/**
 * Memory in which nothing has been written.
 * @param start physical address of what will be written most
 * @param length bytes of that
 */
export function createMemory(start = 0, length = 0): Memory {
  const denseFrom = Math.floor(start / PAGE);
  const dense = Math.ceil((start + length) / PAGE) - denseFrom;
  return { parts: createPageParts(dense), pages: new Map(), denseFrom, dense };
}

/** The record of a page; -1 for one that is as before the trace. */
function recordOf({ dense, denseFrom, pages }: Memory, page: number): number {
  const n = page - denseFrom;
  if (n >= 0 && n < dense) return n;
  return pages.size === 0 ? -1 : (pages.get(page) ?? -1);
}

/** Whether bytes from `start` to `end`, not included, are as before the trace, as all that was not written is. */
function isUnwritten({ dense, denseFrom, pages }: Memory, start: number, end: number): boolean {
  return pages.size === 0 && (end <= denseFrom * PAGE || start >= (denseFrom + dense) * PAGE);
}

/** Gives bytes of a page that is not one of the pool's a source, as setPart() does. */
function setSparse(
  { pages, parts }: Memory,
  page: number,
  lo: number,
  hi: number,
  origin: number,
  shift: number,
  through: number,
): void {
  let record = pages.size === 0 ? undefined : pages.get(page);
  if (record === undefined) {
    if (isHome(origin, shift)) return;
    record = takeRecord(parts);
    pages.set(page, record);
  }
  setPart(parts, record, lo, hi, origin, shift, through);
  if (!isUntouched(parts, record)) return;
  pages.delete(page);
  giveRecord(parts, record);
}

/** Gives bytes from `start` to `end`, not included, a source, as setPart() does; a hot path. */
function fill(
  memory: Memory,
  start: number,
  end: number,
  origin: number,
  shift: number,
  through: number,
): void {
  if (isHome(origin, shift) && isUnwritten(memory, start, end)) return;
  let at = start;
  while (at < end) {
    const page = Math.floor(at / PAGE);
    const first = page * PAGE;
    const until = Math.min(end, first + PAGE);
    const n = page - memory.denseFrom;
    const lo = at - first;
    const hi = until - 1 - first;
    if (n >= 0 && n < memory.dense) setPart(memory.parts, n, lo, hi, origin, shift, through);
    else setSparse(memory, page, lo, hi, origin, shift, through);
    at = until;
  }
}

/**
 * Writes bytes, whatever was there.
 * @param at position of the first byte in what is written
 * @param through the call that copies it here, or 0
 */
export function write(
  memory: Memory,
  start: number,
  length: number,
  origin: number,
  at: number,
  through: number,
): void {
  if (origin === Origin.zeroed) zero(memory, start, length);
  else fill(memory, start, start + length, origin, at - start, through);
}

/** Zeroes bytes. */
export function zero(memory: Memory, start: number, length: number): void {
  fill(memory, start, start + length, Origin.zeroed, 0, 0);
}

/** Pieces that are being read: start, length, origin, at and through of each; reused. */
const gathered = { count: 0, numbers: new Float64Array(5 * 16) };

/** Adds bytes to what is read; to the last piece, where they continue it. */
function addPiece(
  start: number,
  end: number,
  origin: number,
  shift: number,
  through: number,
): void {
  const { count } = gathered;
  const at = origin === Origin.zeroed ? 0 : start + shift;
  const last = 5 * (count - 1);
  const to = 5 * count;
  if (to === gathered.numbers.length) {
    const more = new Float64Array(2 * to);
    more.set(gathered.numbers);
    gathered.numbers = more;
  }
  const { numbers } = gathered;
  const continues =
    count > 0 &&
    numbers[last + 2] === origin &&
    numbers[last + 4] === through &&
    (origin === Origin.zeroed || numbers[last + 3] + numbers[last + 1] === at);
  if (continues) {
    numbers[last + 1] += end - start;
    return;
  }
  numbers[to] = start;
  numbers[to + 1] = end - start;
  numbers[to + 2] = origin;
  numbers[to + 3] = at;
  numbers[to + 4] = through;
  gathered.count++;
}

/** Reads the bytes of a page from `start` to `end`, not included; `first` is the page's first. */
function gatherPage(
  { parts }: Memory,
  record: number,
  first: number,
  start: number,
  end: number,
): void {
  const { count, from, bounds, sources } = loadPage(parts, record);
  let at = start;
  for (let n = from; n < from + count; n++) {
    const lo = first + (bounds[n] >>> PAGE_SHIFT);
    const behind = first + (bounds[n] % PAGE) + 1;
    if (behind <= at || lo >= end) continue;
    if (lo > at) addPiece(at, lo, Origin.before, 0, 0);
    const left = Math.max(at, lo);
    at = Math.min(behind, end);
    addPiece(left, at, sources[3 * n], sources[3 * n + 1], sources[3 * n + 2]);
  }
  if (at < end) addPiece(at, end, Origin.before, 0, 0);
}

/** Reads a range into `gathered`; a hot path. */
function gather(memory: Memory, start: number, length: number): void {
  gathered.count = 0;
  const end = start + length;
  if (length > 0 && isUnwritten(memory, start, end)) {
    addPiece(start, end, Origin.before, 0, 0);
    return;
  }
  let at = start;
  while (at < end) {
    const page = Math.floor(at / PAGE);
    const first = page * PAGE;
    const until = Math.min(end, first + PAGE);
    const record = recordOf(memory, page);
    if (record < 0) addPiece(at, until, Origin.before, 0, 0);
    else gatherPage(memory, record, first, at, until);
    at = until;
  }
}

/** Where the bytes of a range come from, in the order of their addresses; every byte in one piece. */
export function read(memory: Memory, start: number, length: number): Piece[] {
  gather(memory, start, length);
  const { count, numbers } = gathered;
  const pieces: Piece[] = [];
  for (let n = 0; n < 5 * count; n += 5) {
    pieces.push({
      start: numbers[n],
      length: numbers[n + 1],
      origin: numbers[n + 2],
      at: numbers[n + 3],
      through: numbers[n + 4],
    });
  }
  return pieces;
}

/** Whether all bytes from `start` to `end`, not included, are zeroed; a hot path. */
export function isZeroed(memory: Memory, start: number, end: number): boolean {
  let at = start;
  while (at < end) {
    const page = Math.floor(at / PAGE);
    const first = page * PAGE;
    const until = Math.min(end, first + PAGE);
    const record = recordOf(memory, page);
    if (record < 0) return false;
    if (!isPartZeroed(memory.parts, record, at - first, until - 1 - first)) return false;
    at = until;
  }
  return true;
}

/** Copies bytes for a call; the ranges must not overlap. */
export function copy(
  memory: Memory,
  from: number,
  to: number,
  length: number,
  through: number,
): void {
  gather(memory, from, length);
  const { count, numbers } = gathered;
  for (let n = 0; n < 5 * count; n += 5) {
    const start = to + numbers[n] - from;
    write(memory, start, numbers[n + 1], numbers[n + 2], numbers[n + 3], through);
  }
}
