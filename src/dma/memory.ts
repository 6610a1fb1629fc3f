import {
  createOrder,
  firstOf,
  floorOf,
  insert,
  type Linked,
  type Order,
  remove,
} from '../iommu/order.js';

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
  /** Number of the mapping for which it was copied here last; 0 where it was not copied. */
  through: number;
}

/** Bytes that are not as they were before the trace. */
interface Stretch extends Linked<Stretch> {
  /** First and last address. */
  lo: number;
  hi: number;
  origin: number;
  at: number;
  through: number;
}

/** Physical memory that knows where its content comes from. What is not listed is as before the trace. */
export interface Memory {
  stretches: Order<Stretch>;
}

/** Memory in which nothing has been written. */
export function createMemory(): Memory {
  return { stretches: createOrder() };
}

/** The position of a byte further on in the same place; all zeroes are one. */
function advance(origin: number, at: number, by: number): number {
  return origin === Origin.zeroed ? 0 : at + by;
}

/** Forgets what is known of bytes from `lo` to `hi`. */
function carve({ stretches }: Memory, lo: number, hi: number): void {
  let stretch = floorOf(stretches, hi);
  while (stretch !== undefined && stretch.hi >= lo) {
    const below: Stretch | undefined = stretch.prev;
    const { hi: end, origin, through } = stretch;
    const rest = advance(origin, stretch.at, hi + 1 - stretch.lo);
    if (stretch.lo < lo) {
      stretch.hi = lo - 1;
      if (end > hi) {
        const tail = { lo: hi + 1, hi: end, origin, at: rest, through };
        insert(stretches, { ...tail, prev: undefined, next: undefined });
      }
    } else if (end > hi) {
      stretch.lo = hi + 1;
      stretch.at = rest;
    } else {
      remove(stretches, stretch);
    }
    stretch = below;
  }
}

/** Writes bytes, whatever was there. */
export function write(memory: Memory, piece: Readonly<Piece>): void {
  const { start, length, origin, at, through } = piece;
  if (length <= 0) return;
  const { stretches } = memory;
  const hi = start + length - 1;
  carve(memory, start, hi);
  if (origin === Origin.before && at === start) return;
  const below = floorOf(stretches, start);
  const joins =
    below !== undefined &&
    below.hi === start - 1 &&
    below.origin === origin &&
    below.through === through &&
    advance(origin, below.at, start - below.lo) === at;
  if (joins) below.hi = hi;
  else insert(stretches, { lo: start, hi, origin, at, through, prev: undefined, next: undefined });
}

/** Zeroes bytes. */
export function zero(memory: Memory, start: number, length: number): void {
  write(memory, { start, length, origin: Origin.zeroed, at: 0, through: 0 });
}

/** Where the bytes of a range come from, in the order of their addresses; every byte in one piece. */
export function read({ stretches }: Memory, start: number, length: number): Piece[] {
  const pieces: Piece[] = [];
  const end = start + length;
  let known = floorOf(stretches, start) ?? firstOf(stretches);
  let at = start;
  for (; known !== undefined && known.lo < end; known = known.next) {
    if (known.hi < at) continue;
    if (known.lo > at) pieces.push(asBefore(at, known.lo - at));
    const from = Math.max(at, known.lo);
    const { origin, through } = known;
    const length = Math.min(known.hi + 1, end) - from;
    pieces.push({
      start: from,
      length,
      origin,
      at: advance(origin, known.at, from - known.lo),
      through,
    });
    at = from + length;
  }
  if (at < end) pieces.push(asBefore(at, end - at));
  return pieces;
}

function asBefore(start: number, length: number): Piece {
  return { start, length, origin: Origin.before, at: start, through: 0 };
}

/** Copies bytes for a mapping; the ranges must not overlap. */
export function copy(
  memory: Memory,
  from: number,
  to: number,
  length: number,
  through: number,
): void {
  for (const piece of read(memory, from, length)) {
    write(memory, { ...piece, start: to + piece.start - from, through });
  }
}
