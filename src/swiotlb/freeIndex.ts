import { IO_TLB_SEGSIZE } from '../kernel/constants.js';

/**
 * What the indexed search knows of a pool besides the free-run list, and may know too little of but
 * never too much: for each segment an upper bound of the list's counters in it. Searches tighten
 * bounds that turn out too high, releases raise them. Not part of the kernel's state.
 */
export interface FreeIndex {
  /** The residue classes that have been searched so far, in no order. */
  classes: ClassBounds[];
  /** The same, at `period + residue`. */
  byKey: (ClassBounds | undefined)[];
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
  /** Leaves of the tree, a power of two; leaf s belongs to segment s, those too many hold 0. */
  leaves: number;
  /** A max tree: root at 1, children of i at 2i and 2i + 1. A 255 stands for 255 and more. */
  bounds: Uint8ClampedArray;
}

/** Classes of longer periods are searched in the class of this one that holds them; one per slot of a 64 KiB page. */
export const MAX_PERIOD = 32;

/** log2 of the slots in a segment. */
export const SEGMENT_SHIFT = Math.log2(IO_TLB_SEGSIZE);

/** An index that knows of no class yet. */
export function createFreeIndex(): FreeIndex {
  return { classes: [], byKey: new Array(2 * MAX_PERIOD).fill(undefined) };
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

function addClass(
  index: FreeIndex,
  period: number,
  residue: number,
  list: Uint16Array,
): ClassBounds {
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
  const added = { period, residue, leaves, bounds };
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
 * The counters from slot `from` up to before `end` have been written: `count` at `from`, and one less
 * at each slot after it. Raises bounds that they exceed.
 */
export function raiseBounds(index: FreeIndex, from: number, end: number, count: number): void {
  const { classes } = index;
  const segment = from >>> SEGMENT_SHIFT;
  if (end > (segment + 1) << SEGMENT_SHIFT) {
    raiseAll(index, from, end, count);
    return;
  }
  for (let i = 0; i < classes.length; i++) {
    const tree = classes[i];
    const best = count - ((tree.residue - from) & (tree.period - 1));
    // Nearly always the bound is high enough, as it was before these slots were taken.
    if (tree.bounds[tree.leaves + segment] < best) raiseLeaf(tree, segment, best);
  }
}

/** A release that ran over a segment's end, from a counter that was damaged or a size that was wrong. */
function raiseAll(index: FreeIndex, from: number, end: number, count: number): void {
  for (const tree of index.classes) {
    const last = Math.min((end - 1) >>> SEGMENT_SHIFT, tree.leaves - 1);
    for (let segment = from >>> SEGMENT_SHIFT; segment <= last; segment++) {
      raiseLeaf(tree, segment, count);
    }
  }
}
