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

/**
 * Part of a page with one source. The parts of a page are a chain, and cover all of it. They are changed
 * in place: a pool's pages are written over and over.
 */
interface Part {
  /** Its last byte, in the page; its first is behind the part before. */
  hi: number;
  /** Undefined where it is as before the trace. */
  source: Source | undefined;
  next: Part | undefined;
}

/**
 * Physical memory that knows where its content comes from, in pages of 4096 bytes. Pages that are not
 * listed are as before the trace, so memory that is never written costs nothing.
 */
export interface Memory {
  /** By page number. */
  pages: Map<number, Part>;
  /** Pages that are written over and over, the pool's: they are found without a search. */
  dense: (Part | undefined)[];
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

function contentOf(memory: Memory, page: number): Part | undefined {
  const n = page - memory.denseFrom;
  return n >= 0 && n < memory.dense.length ? memory.dense[n] : memory.pages.get(page);
}

function setContent(memory: Memory, page: number, content: Part | undefined): void {
  const n = page - memory.denseFrom;
  if (n >= 0 && n < memory.dense.length) memory.dense[n] = content;
  else if (content === undefined) memory.pages.delete(page);
  else memory.pages.set(page, content);
}

/** Makes one part of the next and this, where they have one source. */
function joinNext(part: Part): void {
  const { next } = part;
  if (next === undefined || next.source !== part.source) return;
  part.hi = next.hi;
  part.next = next.next;
}

/** Gives the bytes of a page from `lo` to `hi` a source; the page's parts afterwards. */
function overwrite(parts: Part, lo: number, hi: number, source: Source | undefined): Part {
  let before: Part | undefined;
  let first = parts;
  while (first.hi < lo) {
    before = first;
    first = first.next as Part;
  }
  let last = first;
  while (last.hi < hi) last = last.next as Part;
  const after = last.hi > hi ? last : last.next;
  if (before === undefined ? lo > 0 : lo > before.hi + 1) {
    // The first part keeps its front, and where it reaches further its back as well.
    const back = last === first && after === last ? { ...last } : after;
    first.hi = lo - 1;
    first.next = { hi, source, next: back };
    joinNext(first.next);
    joinNext(first);
    return parts;
  }
  let made = first;
  if (after === first) {
    made = { hi, source, next: first };
    if (before !== undefined) before.next = made;
  } else {
    first.hi = hi;
    first.source = source;
    first.next = after;
  }
  joinNext(made);
  if (before === undefined) return made;
  joinNext(before);
  return parts;
}

/** Gives a whole page a source. */
function fillPage(memory: Memory, page: number, source: Source | undefined): void {
  const parts = source === undefined ? undefined : contentOf(memory, page);
  if (parts === undefined) {
    setContent(memory, page, source && { hi: PAGE - 1, source, next: undefined });
    return;
  }
  parts.hi = PAGE - 1;
  parts.source = source;
  parts.next = undefined;
}

/** Gives a part of a page a source. */
function fillPart(
  memory: Memory,
  page: number,
  lo: number,
  hi: number,
  source: Source | undefined,
): void {
  const parts = contentOf(memory, page);
  if (parts === undefined && source === undefined) return;
  const now = overwrite(
    parts ?? { hi: PAGE - 1, source: undefined, next: undefined },
    lo,
    hi,
    source,
  );
  const isBefore = now.source === undefined && now.next === undefined;
  if (isBefore) setContent(memory, page, undefined);
  else if (now !== parts) setContent(memory, page, now);
}

/** Gives bytes from `start` to `end`, not included, a source; a hot path. */
function fill(memory: Memory, start: number, end: number, source: Source | undefined): void {
  let at = start;
  while (at < end) {
    const page = Math.floor(at / PAGE);
    const first = page * PAGE;
    const until = Math.min(end, first + PAGE);
    if (until - at === PAGE) fillPage(memory, page, source);
    else fillPart(memory, page, at - first, until - 1 - first, source);
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
  const stop = start + length;
  let at = start;
  while (at < stop) {
    const page = Math.floor(at / PAGE);
    const first = page * PAGE;
    const until = Math.min(stop, first + PAGE);
    let part = contentOf(memory, page);
    if (part === undefined) addPiece(pieces, at, until, undefined);
    for (; part !== undefined && at < until; part = part.next) {
      const end = Math.min(first + part.hi + 1, until);
      if (end <= at) continue;
      addPiece(pieces, at, end, part.source);
      at = end;
    }
    at = until;
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
    let part = contentOf(memory, page);
    if (part === undefined) return false;
    for (; part !== undefined && first + part.hi < until - 1; part = part.next) {
      if (first + part.hi >= at && part.source !== ZEROES) return false;
    }
    if (part?.source !== ZEROES) return false;
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
