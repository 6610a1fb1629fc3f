import { freeRange, type IovaTree, NO_PFN } from './iovaTree.js';

/** Sizes that are cached: classes 0 to 5, up to 32 pfns (IOVA_RANGE_CACHE_MAX_SIZE). */
const CLASSES = 6;

/** Milliseconds from a push into an unlimited depot to the work that trims it (IOVA_DEPOT_DELAY). */
const DEPOT_DELAY = 100;

/** The cache of one CPU for one class (struct iova_cpu_rcache): two stacks of first pfns. */
interface CpuCache {
  loaded: number[];
  prev: number[];
}

/** The cache of one size class (struct iova_rcache). */
interface SizeCache {
  /** Made when a CPU first needs its own. */
  cpus: (CpuCache | undefined)[];
  /** Full magazines, shared by the CPUs; the newest last. */
  depot: number[][];
  /** Milliseconds at which the depot is trimmed; Infinity where no work is armed. */
  due: number;
  /** CPU that armed the work. */
  armedBy: number;
  /** Ranges asked of the cache that it had, and that it had not. */
  hits: number;
  misses: number;
}

/** The caches in front of a tree. */
export interface Magazines {
  tree: IovaTree;
  classes: SizeCache[];
  /** CPUs that are online. */
  cpus: number;
  /** When the first depot is trimmed; Infinity where no work is armed. */
  due: number;
}

/** What one run of the depot work did. */
export interface DepotWork {
  class: number;
  cpu: number;
  /** Milliseconds at which it was due. */
  time: number;
  /** Magazines in the depot before and after. */
  before: number;
  after: number;
}

/** Empty caches for `cpus` CPUs (iova_domain_init_rcaches()). */
export function createMagazines(tree: IovaTree, cpus: number): Magazines {
  const classes = Array.from({ length: CLASSES }, () => ({
    cpus: [],
    depot: [],
    due: Number.POSITIVE_INFINITY,
    armedBy: 0,
    hits: 0,
    misses: 0,
  }));
  return { tree, classes, cpus, due: Number.POSITIVE_INFINITY };
}

function ownCache(cache: SizeCache, cpu: number): CpuCache {
  cache.cpus[cpu] ??= { loaded: [], prev: [] };
  return cache.cpus[cpu];
}

/** order_base_2() of a size in pfns. */
function classOf(size: number): number {
  return size <= 1 ? 0 : 32 - Math.clz32(size - 1);
}

/** Whether a size is ever cached. */
export function isCached(size: number): boolean {
  return size <= 1 << (CLASSES - 1);
}

/** Two stacks change places. */
function swap(cache: CpuCache): void {
  const { loaded } = cache;
  cache.loaded = cache.prev;
  cache.prev = loaded;
}

/** Gives entries back to the tree, in storage order. */
function giveBack(tree: IovaTree, magazine: number[]): void {
  for (const pfn of magazine) freeRange(tree, pfn);
  magazine.length = 0;
}

/**
 * Takes a range from the caches (iova_rcache_get()).
 * @param lastAllowed highest pfn that the range may use
 * @returns its first pfn, or NO_PFN
 */
export function takeCached(
  { classes }: Magazines,
  cpu: number,
  size: number,
  lastAllowed: number,
): number {
  if (!isCached(size)) return NO_PFN;
  const cache = classes[classOf(size)];
  const pfn = takeFrom(cache, cpu, size, lastAllowed);
  if (pfn === NO_PFN) cache.misses++;
  else cache.hits++;
  return pfn;
}

function takeFrom(cache: SizeCache, cpu: number, size: number, lastAllowed: number): number {
  const own = ownCache(cache, cpu);
  if (own.loaded.length === 0) {
    if (own.prev.length > 0) swap(own);
    else if (cache.depot.length > 0) own.loaded = cache.depot.pop() as number[];
    else return NO_PFN;
  }
  // The kernel's bound wraps for a limit below the size, and then bounds nothing.
  const bound = lastAllowed + 1 < size ? Number.POSITIVE_INFINITY : lastAllowed + 1 - size;
  const { loaded } = own;
  for (let i = loaded.length - 1; i >= 0; i--) {
    const pfn = loaded[i];
    if (pfn > bound) continue;
    loaded[i] = loaded[loaded.length - 1];
    loaded.pop();
    return pfn;
  }
  return NO_PFN;
}

/** A full magazine for the depot; with a depot of fixed size, maybe one for the tree instead. */
function pushToDepot(
  magazines: Magazines,
  cache: SizeCache,
  magazine: number[],
  cpu: number,
  now: number,
): number[] | undefined {
  const { policy } = magazines.tree;
  if (cache.depot.length >= policy.depotCapacity) return magazine;
  cache.depot.push(magazine);
  if (policy.trimsDepot && cache.due === Number.POSITIVE_INFINITY) {
    cache.due = now + DEPOT_DELAY;
    magazines.due = Math.min(magazines.due, cache.due);
    cache.armedBy = cpu;
  }
  return undefined;
}

/**
 * Puts a range into the caches (iova_rcache_insert()).
 * @param now milliseconds, for the work that a push may arm
 * @returns false for a size that is not cached
 */
export function putCached(
  magazines: Magazines,
  cpu: number,
  pfn: number,
  size: number,
  now: number,
): boolean {
  if (!isCached(size)) return false;
  const { tree, classes } = magazines;
  const cache = classes[classOf(size)];
  const own = ownCache(cache, cpu);
  const full = tree.policy.magazineEntries;
  let overflow: number[] | undefined;
  if (own.loaded.length >= full) {
    if (own.prev.length < full) {
      swap(own);
    } else {
      overflow = pushToDepot(magazines, cache, own.loaded, cpu, now);
      own.loaded = [];
    }
  }
  own.loaded.push(pfn);
  if (overflow !== undefined) giveBack(tree, overflow);
  return true;
}

/** Empties the caches of one CPU into the tree (free_cpu_cached_iovas()); the depots stay. */
export function emptyCpu({ tree, classes }: Magazines, cpu: number): void {
  for (const { cpus } of classes) {
    const own = cpus[cpu];
    if (own === undefined) continue;
    giveBack(tree, own.loaded);
    giveBack(tree, own.prev);
  }
}

/** Empties what an allocation that failed may empty: all CPUs' caches and, from v5.11 on, the depots. */
export function emptyAll(magazines: Magazines): void {
  const { tree, classes, cpus } = magazines;
  for (let cpu = 0; cpu < cpus; cpu++) emptyCpu(magazines, cpu);
  if (!tree.policy.flushEmptiesDepot) return;
  for (const { depot } of classes) {
    // The unlimited depot is a list that is walked from its newest magazine on (911aa1245da8).
    const newestFirst = tree.policy.depotCapacity === Number.POSITIVE_INFINITY;
    for (const magazine of newestFirst ? depot.reverse() : depot) giveBack(tree, magazine);
    depot.length = 0;
  }
}

/** The class whose depot work is due first; undefined where none is armed. */
export function nextDepotWork({ classes }: Magazines): SizeCache | undefined {
  let first: SizeCache | undefined;
  for (const cache of classes) {
    if (cache.due < (first?.due ?? Number.POSITIVE_INFINITY)) first = cache;
  }
  return first;
}

/** Trims a depot that is longer than there are CPUs online by one magazine (iova_depot_work_func()). */
export function runDepotWork(magazines: Magazines, cache: SizeCache): DepotWork {
  const { tree, classes, cpus } = magazines;
  const { depot, due, armedBy } = cache;
  const before = depot.length;
  cache.due = Number.POSITIVE_INFINITY;
  if (before > cpus) {
    giveBack(tree, depot.pop() as number[]);
    cache.due = due + DEPOT_DELAY;
  }
  magazines.due = Math.min(...classes.map((each) => each.due));
  const number = classes.indexOf(cache);
  return { class: number, cpu: armedBy, time: due, before, after: depot.length };
}
