import { IO_TLB_SEGSIZE } from '../kernel/constants.js';

/**
 * What the indexed search keeps of a pool besides the free-run list: which slots are free, and for
 * each segment an upper bound of the list's counters in it. Both may promise too much, never too
 * little. Searches tighten bounds that turn out too high, releases raise them. Not part of the
 * kernel's state.
 */
export interface FreeIndex {
  /** A bit per slot, set if its counter is not 0; empty before the first search. */
  free: Int32Array;
  /** The residue classes that have been searched so far, in no order. */
  classes: ClassBounds[];
  /** The same, at `period + residue`. */
  byKey: (ClassBounds | undefined)[];
  /**
   * Whether a release ever ran over a segment's end: the counters behind it do not lead up to free
   * slots that follow, and the repair after a later map may raise them.
   */
  damaged: boolean;
}

/**
 * Bounds of the counters of those slots alone that are `residue` modulo `period`: a search for
 * aligned slots is not held up by segments whose free runs all begin a slot too late.
 */
export interface ClassBounds {
  /** A power of two, at most MAX_PERIOD. */
  period: number;
  /** Counted in slots of the pool, from 0 to period - 1. */
  residue: number;
  /** The class's slots in a word of `free`. */
  slotBits: number;
  /** Leaves of the tree, a power of two; leaf s belongs to segment s, those too many hold 0. */
  leaves: number;
  /** A max tree: root at 1, children of i at 2i and 2i + 1. A 255 stands for 255 and more. */
  bounds: Uint8ClampedArray;
}

/** log2 of the slots in a word of `free`. */
export const WORD_SHIFT = 5;

/** Aligned slots further apart are searched in the class of this period that holds them. */
export const MAX_PERIOD = 1 << WORD_SHIFT;

/** log2 of the slots in a segment. */
export const SEGMENT_SHIFT = 31 - Math.clz32(IO_TLB_SEGSIZE);

/** An index that knows of no class yet, and so has nothing to keep up. */
export function createFreeIndex(): FreeIndex {
  return {
    free: new Int32Array(0),
    classes: [],
    byKey: new Array(2 * MAX_PERIOD).fill(undefined),
    damaged: false,
  };
}

/** The bounds of a class, counted from a free-run list the first time that they are asked for. */
export function boundsOf(
  index: FreeIndex,
  period: number,
  residue: number,
  list: Uint16Array,
): ClassBounds {
  return index.byKey[period + residue] ?? addClass(index, period, residue, list);
}

/** Counts which slots are free. */
function freeBits(list: Uint16Array): Int32Array {
  const free = new Int32Array(Math.ceil(list.length / MAX_PERIOD));
  for (let slot = 0; slot < list.length; slot++) {
    if (list[slot] !== 0) free[slot >>> WORD_SHIFT] |= 1 << slot;
  }
  return free;
}

function addClass(
  index: FreeIndex,
  period: number,
  residue: number,
  list: Uint16Array,
): ClassBounds {
  if (index.classes.length === 0) index.free = freeBits(list);
  const segments = Math.ceil(list.length / IO_TLB_SEGSIZE);
  let leaves = 1;
  while (leaves < segments) leaves *= 2;
  const bounds = new Uint8ClampedArray(2 * leaves);
  for (let slot = residue; slot < list.length; slot += period) {
    const leaf = leaves + (slot >>> SEGMENT_SHIFT);
    if (list[slot] > bounds[leaf]) bounds[leaf] = list[slot];
  }
  for (let node = leaves - 1; node > 0; node--) {
    bounds[node] = Math.max(bounds[2 * node], bounds[2 * node + 1]);
  }
  let slotBits = 0;
  for (let bit = residue; bit < MAX_PERIOD; bit += period) slotBits |= 1 << bit;
  const added = { period, residue, slotBits, leaves, bounds };
  index.classes.push(added);
  index.byKey[period + residue] = added;
  return added;
}

/** The first segment from `segment` on whose bound is at least `least` (1 to 255); -1 if none is. A hot loop. */
export function nextSegment(tree: ClassBounds, segment: number, least: number): number {
  const { bounds, leaves } = tree;
  let node = leaves + segment;
  if (bounds[node] >= least) return segment;
  do {
    // Up from right children, and from left ones over to their sibling.
    while ((node & 1) === 1) node >>= 1;
    if (node === 0) return -1;
    node++;
  } while (bounds[node] < least);
  while (node < leaves) {
    node <<= 1;
    if (bounds[node] < least) node++;
  }
  return node - leaves;
}

/** Lowers the bound of a segment to what a search has seen there. */
export function tighten(tree: ClassBounds, segment: number, bound: number): void {
  const { bounds, leaves } = tree;
  let node = leaves + segment;
  bounds[node] = bound;
  for (node >>= 1; node > 0; node >>= 1) {
    const larger = Math.max(bounds[2 * node], bounds[2 * node + 1]);
    if (bounds[node] === larger) return;
    bounds[node] = larger;
  }
}

function raiseLeaf(tree: ClassBounds, segment: number, bound: number): void {
  const { bounds, leaves } = tree;
  const atLeast = Math.min(bound, 255);
  for (let node = leaves + segment; node > 0 && bounds[node] < atLeast; node >>= 1) {
    bounds[node] = atLeast;
  }
}

/**
 * Slots have been taken.
 * @param before length of the free run that is left in front of them
 */
export function indexTaken(index: FreeIndex, slot: number, nslots: number, before: number): void {
  if (index.classes.length === 0) return;
  changeBits(index.free, slot, slot + nslots, false);
  // The counters in front become less, and their bounds can stay.
  if (index.damaged) raiseBounds(index, slot - before, before);
}

/**
 * Slots have been released.
 * @param before length of the free run in front of them
 * @param count the counter that the first of them got; each further one has one less
 */
export function indexReleased(
  index: FreeIndex,
  slot: number,
  nslots: number,
  before: number,
  count: number,
): void {
  const end = slot + nslots;
  const overruns = end > (slot | (IO_TLB_SEGSIZE - 1)) + 1;
  if (overruns) index.damaged = true;
  if (index.classes.length === 0) return;
  changeBits(index.free, slot, end, true);
  if (overruns) raiseAll(index, slot, end, before + count);
  else raiseBounds(index, slot - before, before + count);
}

/** Sets or clears the bits from `from` up to before `end`, which may lie beyond the pool. */
function changeBits(free: Int32Array, from: number, end: number, isFree: boolean): void {
  const last = Math.min(end, free.length << WORD_SHIFT);
  for (let at = from; at < last; ) {
    const word = at >>> WORD_SHIFT;
    const wordEnd = Math.min((word + 1) << WORD_SHIFT, last);
    const bits = (-1 >>> (MAX_PERIOD - (wordEnd - at))) << at;
    if (isFree) free[word] |= bits;
    else free[word] &= ~bits;
    at = wordEnd;
  }
}

/**
 * A free run begins at a slot, with this counter. Raises the bounds of its segment that its counters
 * exceed: nearly none, as bounds stay when slots are taken.
 */
function raiseBounds(index: FreeIndex, slot: number, count: number): void {
  const { classes } = index;
  const segment = slot >>> SEGMENT_SHIFT;
  for (let i = 0; i < classes.length; i++) {
    const tree = classes[i];
    const best = count - ((tree.residue - slot) & (tree.period - 1));
    if (tree.bounds[tree.leaves + segment] < best) raiseLeaf(tree, segment, best);
  }
}

/** A release ran over a segment's end, by a damaged counter or a wrong size: no counter exceeds `count`. */
function raiseAll(index: FreeIndex, from: number, end: number, count: number): void {
  for (const tree of index.classes) {
    const last = Math.min((end - 1) >>> SEGMENT_SHIFT, tree.leaves - 1);
    for (let segment = from >>> SEGMENT_SHIFT; segment <= last; segment++) {
      raiseLeaf(tree, segment, count);
    }
  }
}
