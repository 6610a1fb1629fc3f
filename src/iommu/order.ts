/** A member of an order: ranges of numbers that do not overlap, sorted by where they begin. */
export interface Linked<T> {
  /** First and last number of the range; Infinity for an end marker. */
  lo: number;
  hi: number;
  /** The neighbours; kept by the order. */
  prev: T | undefined;
  next: T | undefined;
}

/**
 * Sorted ranges, as the kernel keeps them in a red-black tree: neighbours are one step away, a
 * number finds its range in two binary searches. A member may grow, but not shrink.
 */
export interface Order<T> {
  /** Up to MAX_BLOCK members each, none empty. */
  blocks: T[][];
  /** Per block: no gap in front of one of its members is wider. */
  widest: number[];
  /** Members. */
  size: number;
}

const MAX_BLOCK = 128;

/** An order without members. */
export function createOrder<T>(): Order<T> {
  return { blocks: [], widest: [], size: 0 };
}

/** The member with the lowest range. */
export function firstOf<T>(order: Order<T>): T | undefined {
  return order.blocks.length === 0 ? undefined : order.blocks[0][0];
}

/** The number of the last block that begins at or below `x`; -1 where all begin above. */
function blockAt<T extends Linked<T>>({ blocks }: Order<T>, x: number): number {
  let below = 0;
  let above = blocks.length;
  while (below < above) {
    const middle = (below + above) >>> 1;
    if (blocks[middle][0].lo <= x) below = middle + 1;
    else above = middle;
  }
  return below - 1;
}

/** The index of the last member of a block that begins at or below `x`; -1 for none. */
function indexAt<T extends Linked<T>>(block: readonly T[], x: number): number {
  let below = 0;
  let above = block.length;
  while (below < above) {
    const middle = (below + above) >>> 1;
    if (block[middle].lo <= x) below = middle + 1;
    else above = middle;
  }
  return below - 1;
}

/** Numbers between a member and the one before it; Infinity in front of the first. */
function gapBefore<T extends Linked<T>>({ lo, prev }: T): number {
  return prev === undefined ? Number.POSITIVE_INFINITY : lo - prev.hi - 1;
}

/** The last member that begins at or below `x`. */
export function floorOf<T extends Linked<T>>(order: Order<T>, x: number): T | undefined {
  const n = blockAt(order, x);
  return n < 0 ? undefined : order.blocks[n][indexAt(order.blocks[n], x)];
}

/** Adds a member; its range must overlap no other's. */
export function insert<T extends Linked<T>>(order: Order<T>, member: T): void {
  const { blocks, widest } = order;
  order.size++;
  if (blocks.length === 0) {
    member.prev = undefined;
    member.next = undefined;
    blocks.push([member]);
    widest.push(Number.POSITIVE_INFINITY);
    return;
  }
  const n = Math.max(0, blockAt(order, member.lo));
  const block = blocks[n];
  const at = indexAt(block, member.lo);
  member.prev = at < 0 ? undefined : block[at];
  member.next = at < 0 ? block[0] : block[at].next;
  if (member.prev !== undefined) member.prev.next = member;
  if (member.next !== undefined) member.next.prev = member;
  block.splice(at + 1, 0, member);
  widest[n] = Math.max(widest[n], gapBefore(member));
  if (block.length > MAX_BLOCK) {
    blocks.splice(n + 1, 0, block.splice(MAX_BLOCK >>> 1));
    widest.splice(n + 1, 0, widest[n]);
  }
}

/** Takes a member out. */
export function remove<T extends Linked<T>>(order: Order<T>, member: T): void {
  const { blocks, widest } = order;
  const n = blockAt(order, member.lo);
  const block = blocks[n];
  block.splice(indexAt(block, member.lo), 1);
  if (block.length === 0) {
    blocks.splice(n, 1);
    widest.splice(n, 1);
  }
  order.size--;
  const { prev, next } = member;
  if (prev !== undefined) prev.next = next;
  if (next === undefined) return;
  next.prev = prev;
  const of = n < blocks.length && blocks[n][0].lo <= next.lo ? blockAt(order, next.lo) : n;
  widest[of] = Math.max(widest[of], gapBefore(next));
}

/**
 * Walks down from a member to the first for which `stops` holds, past blocks in which no gap in front
 * of a member is `size` wide; measures those that it walks through. The first of all members is never
 * passed.
 */
export function walkDownTo<T extends Linked<T>>(
  order: Order<T>,
  from: T,
  size: number,
  stops: (member: T) => boolean,
): T {
  const { blocks, widest } = order;
  let n = blockAt(order, from.lo);
  let i = indexAt(blocks[n], from.lo);
  for (; n > 0; n--, i = blocks[n].length - 1) {
    if (widest[n] < size) continue;
    const block = blocks[n];
    const isWhole = i === block.length - 1;
    let most = 0;
    for (; i >= 0; i--) {
      if (stops(block[i])) return block[i];
      most = Math.max(most, gapBefore(block[i]));
    }
    if (isWhole) widest[n] = most;
  }
  for (; i > 0; i--) if (stops(blocks[0][i])) return blocks[0][i];
  return blocks[0][0];
}
