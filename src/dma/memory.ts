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

/** A place that bytes come from; one object for all bytes of a write. */
interface Source {
  origin: number;
  /** Position of a byte less its address here; 0 for zeroes. */
  shift: number;
  through: number;
}

/** Part of a page with one source. */
interface Part {
  /** First and last byte, in the page. */
  lo: number;
  hi: number;
  source: Source;
}

/** What is in a page: one source for all of it, or parts, sorted; between them it is as before the trace. */
type Content = Source | Part[];

/**
 * Physical memory that knows where its content comes from, in pages of 4096 bytes. Pages that are not
 * listed are as before the trace, so memory that is never written costs nothing.
 */
export interface Memory {
  /** By page number. */
  pages: Map<number, Content>;
  /** Pages that are written over and over, the pool's: they are found without a search. */
  dense: (Content | undefined)[];
  /** Page number of the first of those. */
  denseFrom: number;
}

const PAGE = 4096;

const ZEROES: Source = { origin: Origin.zeroed, shift: 0, through: 0 };

/**
 * Memory in which nothing has been written.
 * @param start physical address of what will be written most
 * @param length bytes of that
 */
export function createMemory(start = 0, length = 0): Memory {
  const denseFrom = Math.floor(start / PAGE);
  const count = Math.ceil((start + length) / PAGE) - denseFrom;
  return { pages: new Map(), dense: new Array(count).fill(undefined), denseFrom };
}

function contentOf(memory: Memory, page: number): Content | undefined {
  const n = page - memory.denseFrom;
  return n >= 0 && n < memory.dense.length ? memory.dense[n] : memory.pages.get(page);
}

function setContent(memory: Memory, page: number, content: Content | undefined): void {
  const n = page - memory.denseFrom;
  if (n >= 0 && n < memory.dense.length) memory.dense[n] = content;
  else if (content === undefined) memory.pages.delete(page);
  else memory.pages.set(page, content);
}

/** Adds bytes of a page to its parts; to the last one, where they continue it. */
function addPart(parts: Part[], lo: number, hi: number, source: Source | undefined): void {
  if (source === undefined || lo > hi) return;
  const last = parts.length === 0 ? undefined : parts[parts.length - 1];
  if (last !== undefined && last.source === source && last.hi + 1 === lo) last.hi = hi;
  else parts.push({ lo, hi, source });
}

/** A page's content with the bytes from `lo` to `hi` replaced by a source, or by what was there before the trace. */
function replace(
  content: Content | undefined,
  lo: number,
  hi: number,
  source: Source | undefined,
): Content | undefined {
  const parts: Part[] = [];
  if (!Array.isArray(content)) {
    addPart(parts, 0, lo - 1, content);
    addPart(parts, lo, hi, source);
    addPart(parts, hi + 1, PAGE - 1, content);
  } else {
    let n = 0;
    for (; n < content.length && content[n].lo < lo; n++) {
      const part = content[n];
      addPart(parts, part.lo, Math.min(part.hi, lo - 1), part.source);
      if (part.hi > hi) break;
    }
    addPart(parts, lo, hi, source);
    for (; n < content.length; n++) {
      const part = content[n];
      addPart(parts, Math.max(part.lo, hi + 1), part.hi, part.source);
    }
  }
  if (parts.length === 0) return undefined;
  return parts[0].lo === 0 && parts[0].hi === PAGE - 1 ? parts[0].source : parts;
}

/** Gives bytes from `start` to `end`, not included, a source; a hot path. */
function fill(memory: Memory, start: number, end: number, source: Source | undefined): void {
  let at = start;
  while (at < end) {
    const page = Math.floor(at / PAGE);
    const first = page * PAGE;
    const until = Math.min(end, first + PAGE);
    if (until - at === PAGE) {
      setContent(memory, page, source);
    } else {
      const content = contentOf(memory, page);
      if (content !== source) {
        setContent(memory, page, replace(content, at - first, until - 1 - first, source));
      }
    }
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
  const isHome = origin === Origin.before && at === start;
  if (origin === Origin.zeroed) fill(memory, start, start + length, ZEROES);
  else
    fill(
      memory,
      start,
      start + length,
      isHome ? undefined : { origin, shift: at - start, through },
    );
}

/** Zeroes bytes. */
export function zero(memory: Memory, start: number, length: number): void {
  fill(memory, start, start + length, ZEROES);
}

/** Adds bytes to pieces; to the last one, where they continue it. */
function addPiece(pieces: Piece[], start: number, end: number, source: Source | undefined): void {
  const origin = source?.origin ?? Origin.before;
  const at = origin === Origin.zeroed ? 0 : start + (source?.shift ?? 0);
  const through = source?.through ?? 0;
  const last = pieces.length === 0 ? undefined : pieces[pieces.length - 1];
  const continues =
    last !== undefined &&
    last.origin === origin &&
    last.through === through &&
    (origin === Origin.zeroed || last.at + last.length === at);
  if (continues) last.length += end - start;
  else pieces.push({ start, length: end - start, origin, at, through });
}

/** Where the bytes of a range come from, in the order of their addresses; every byte in one piece. */
export function read(memory: Memory, start: number, length: number): Piece[] {
  const pieces: Piece[] = [];
  const end = start + length;
  let at = start;
  while (at < end) {
    const page = Math.floor(at / PAGE);
    const first = page * PAGE;
    const until = Math.min(end, first + PAGE);
    const content = contentOf(memory, page);
    if (Array.isArray(content)) {
      for (const { lo, hi, source } of content) {
        if (first + hi < at || first + lo >= until) continue;
        if (first + lo > at) addPiece(pieces, at, first + lo, undefined);
        const from = Math.max(at, first + lo);
        at = Math.min(first + hi + 1, until);
        addPiece(pieces, from, at, source);
      }
      if (at < until) addPiece(pieces, at, until, undefined);
    } else {
      addPiece(pieces, at, until, content);
    }
    at = until;
  }
  return pieces;
}

/** Whether bytes of a page, from `lo` to `hi`, are zeroed. */
function isPartZeroed(parts: readonly Part[], lo: number, hi: number): boolean {
  let at = lo;
  for (const part of parts) {
    if (part.hi < at) continue;
    if (part.lo > at || part.source !== ZEROES) return false;
    at = part.hi + 1;
    if (at > hi) return true;
  }
  return false;
}

/** Whether all bytes from `start` to `end`, not included, are zeroed; a hot path. */
export function isZeroed(memory: Memory, start: number, end: number): boolean {
  let at = start;
  while (at < end) {
    const page = Math.floor(at / PAGE);
    const first = page * PAGE;
    const until = Math.min(end, first + PAGE);
    const content = contentOf(memory, page);
    if (content !== ZEROES) {
      if (!Array.isArray(content)) return false;
      if (!isPartZeroed(content, at - first, until - 1 - first)) return false;
    }
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
  for (const piece of read(memory, from, length)) {
    write(memory, to + piece.start - from, piece.length, piece.origin, piece.at, through);
  }
}
