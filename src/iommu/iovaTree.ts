import { roundUpPowerOfTwo } from '../kernel/constants.js';
import type { IovaPolicy } from '../kernel/iommuRelease.js';
import {
  createOrder,
  firstOf,
  floorOf,
  insert,
  type Linked,
  type Order,
  remove,
  walkDownTo,
} from './order.js';

/** A range of granule numbers (pfns) that is allocated, cached or reserved (struct iova). */
export interface IovaRange extends Linked<IovaRange> {}

/** The ranges of one IOVA domain, and what its allocator remembers of its searches (struct iova_domain). */
export interface IovaTree {
  policy: IovaPolicy;
  /** Sorted, the anchor last. */
  ranges: Order<IovaRange>;
  /** Above every pfn: where a search without a hint starts. */
  anchor: IovaRange;
  /** Where a search below 4 GiB starts (cached32_node). */
  cached32: IovaRange;
  /** Where any other search starts (cached_node). */
  cached64: IovaRange;
  /** First pfn at 4 GiB (dma_32bit_pfn). */
  pfn32: number;
  /** Sizes from this on are known not to fit below 4 GiB (max32_alloc_size). */
  max32: number;
  /** The lowest pfn that is handed out. */
  startPfn: number;
  /** Highest pfn whose address has 64 bits. */
  lastPfn: number;
  /** Pfns in ranges, what is cached or reserved included; now, and at most. */
  used: number;
  usedPeak: number;
}

/** What an allocation returns when no pfn fits. */
export const NO_PFN = -1;

/**
 * An empty domain (init_iova_domain()).
 * @param granule bytes of the smallest IOMMU page, a power of two from 4096 on
 * @param startPfn the lowest pfn that is handed out
 */
export function createIovaTree(policy: IovaPolicy, granule: number, startPfn: number): IovaTree {
  const top = Number.POSITIVE_INFINITY;
  const anchor: IovaRange = { lo: top, hi: top, prev: undefined, next: undefined };
  const ranges = createOrder<IovaRange>();
  insert(ranges, anchor);
  const pfn32 = 2 ** 32 / granule;
  const lastPfn = 2 ** 64 / granule - 1;
  return {
    policy,
    ranges,
    anchor,
    cached32: anchor,
    cached64: anchor,
    pfn32,
    max32: pfn32,
    startPfn,
    lastPfn,
    used: 0,
    usedPeak: 0,
  };
}

function countUsed(tree: IovaTree, pfns: number): void {
  tree.used += pfns;
  tree.usedPeak = Math.max(tree.usedPeak, tree.used);
}

/** Ranges that are passed one by one before whole blocks of them are. */
const FIRST_STEPS = 16;

/**
 * The highest aligned pfn for `size` pfns in a hole between `low` and `high`, from `from` downward;
 * NO_PFN where there is none. Where the kernel's numbers wrap below 0 it refuses as well.
 */
function walkDown(
  ranges: Order<IovaRange>,
  from: IovaRange,
  low: number,
  high: number,
  size: number,
  align: number,
): number {
  /** Where the pfns would start if they were to lie right below a range. */
  const startBelow = ({ lo }: IovaRange): number =>
    Math.floor((Math.min(lo, high) - size) / align) * align;
  let range = from;
  for (let steps = 0; steps < FIRST_STEPS; steps++) {
    const start = startBelow(range);
    if (start < low) return NO_PFN;
    if (range.prev === undefined || start > range.prev.hi) return start;
    range = range.prev;
  }
  range = walkDownTo(ranges, range, size, (above) => {
    const start = startBelow(above);
    return start < low || above.prev === undefined || start > above.prev.hi;
  });
  const start = startBelow(range);
  return start < low ? NO_PFN : start;
}

/** Where a second pass begins: the lowest range from `limit` on (iova_find_limit()). */
function rangeFrom(tree: IovaTree, limit: number): IovaRange {
  if (limit > tree.pfn32) return tree.anchor;
  const below = floorOf(tree.ranges, limit);
  if (below === undefined) return firstOf(tree.ranges) as IovaRange;
  return below.lo === limit ? below : (below.next as IovaRange);
}

/** Where a second pass ends: above the range that the first began at; NaN where there is none. */
function lowOfSecondPass(tree: IovaTree, first: IovaRange, limit: number): number {
  if (tree.policy.secondPass === 'none') return Number.NaN;
  // v5.11 (4e89dce72521): the pfn after the anchor wraps to 0, below what the domain may hand out.
  if (first === tree.anchor) return tree.policy.secondPass === 'wraps' ? 0 : Number.NaN;
  return first.hi + 1 < limit ? first.hi + 1 : Number.NaN;
}

/**
 * Allocates pfns from the top down (alloc_iova(), __alloc_and_insert_iova_range()).
 * @param size pfns
 * @param lastAllowed highest pfn that may be used
 * @param aligned whether the start is a multiple of the next power of two of `size`
 * @returns the first pfn, or NO_PFN
 */
export function allocRange(
  tree: IovaTree,
  size: number,
  lastAllowed: number,
  aligned: boolean,
): number {
  const limit = lastAllowed + 1;
  const below32 = limit <= tree.pfn32;
  if (below32 && size >= tree.max32) return NO_PFN;
  const align = aligned ? roundUpPowerOfTwo(size) : 1;
  const first = below32 ? tree.cached32 : tree.cached64;
  let lo = walkDown(tree.ranges, first, tree.startPfn, limit, size, align);
  if (lo === NO_PFN) {
    const low = lowOfSecondPass(tree, first, limit);
    if (!Number.isNaN(low))
      lo = walkDown(tree.ranges, rangeFrom(tree, limit), low, limit, size, align);
  }
  if (lo === NO_PFN) {
    tree.max32 = size;
    return NO_PFN;
  }
  const range: IovaRange = { lo, hi: lo + size - 1, prev: undefined, next: undefined };
  insert(tree.ranges, range);
  countUsed(tree, size);
  if (range.hi < tree.pfn32) tree.cached32 = range;
  else tree.cached64 = range;
  return lo;
}

/** Gives back the range that holds a pfn (free_iova()); false where none does. */
export function freeRange(tree: IovaTree, pfn: number): boolean {
  const range = floorOf(tree.ranges, pfn);
  if (range === undefined || pfn > range.hi) return false;
  const { cached32, cached64, pfn32, policy } = tree;
  const next = range.next as IovaRange;
  const moves32 = range === cached32 || (range.hi < pfn32 && range.lo >= cached32.lo);
  if (moves32) tree.cached32 = next;
  if (range.lo >= cached64.lo) tree.cached64 = next;
  // Up to v5.17 a free below the cached position leaves max32 as it was (5b61343b5059).
  if (policy.forgetsFailure === 'below-4g' ? range.lo < pfn32 : moves32) tree.max32 = pfn32;
  remove(tree.ranges, range);
  countUsed(tree, range.lo - range.hi - 1);
  return true;
}

/** Reserves pfns for good, joining ranges that are there (reserve_iova()); false where refused. */
export function reserveRange(tree: IovaTree, first: number, last: number): boolean {
  if (first > tree.lastPfn || last > tree.lastPfn) return false;
  let lo = first;
  // Ranges below the one that may hold the first pfn cannot overlap.
  let range = floorOf(tree.ranges, first) ?? firstOf(tree.ranges);
  if (range !== undefined && range.hi < first) range = range.next;
  for (; range !== undefined && range.lo <= last; range = range.next) {
    if (lo < range.lo) {
      countUsed(tree, range.lo - lo);
      range.lo = lo;
    }
    if (last > range.hi) lo = range.hi + 1;
    else return true;
  }
  insert(tree.ranges, { lo, hi: last, prev: undefined, next: undefined });
  countUsed(tree, last - lo + 1);
  return true;
}
