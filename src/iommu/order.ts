/** A member of an order: ranges of numbers that do not overlap, sorted by where they begin. */
export interface Linked<T> {
  /** First number of the range; Infinity for an end marker. */
  lo: number;
  /** The neighbours; kept by the order. */
  prev: T | undefined;
  next: T | undefined;
}

/**
 * Sorted ranges, as the kernel keeps them in a red-black tree: neighbours are one step away, a
 * number finds its range in two binary searches. Blocks of up to MAX_BLOCK members, none empty.
 */
export interface Order<T> {
  blocks: T[][];
  /** Members. */
  size: number;
}

const MAX_BLOCK = 256;

/** An order without members. */
export function createOrder<T>(): Order<T> {
  return { blocks: [], size: 0 };
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

/** The last member that begins at or below `x`. */
export function floorOf<T extends Linked<T>>(order: Order<T>, x: number): T | undefined {
  const n = blockAt(order, x);
  return n < 0 ? undefined : order.blocks[n][indexAt(order.blocks[n], x)];
}

/** Adds a member; its range must overlap no other's. */
export function insert<T extends Linked<T>>(order: Order<T>, member: T): void {
  const { blocks } = order;
  order.size++;
  if (blocks.length === 0) {
    member.prev = undefined;
    member.next = undefined;
    blocks.push([member]);
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
  if (block.length > MAX_BLOCK) blocks.splice(n + 1, 0, block.splice(MAX_BLOCK >>> 1));
}

/** Takes a member out. */
export function remove<T extends Linked<T>>(order: Order<T>, member: T): void {
  const n = blockAt(order, member.lo);
  const block = order.blocks[n];
  block.splice(indexAt(block, member.lo), 1);
  if (block.length === 0) order.blocks.splice(n, 1);
  order.size--;
  if (member.prev !== undefined) member.prev.next = member.next;
  if (member.next !== undefined) member.next.prev = member.prev;
}
