import type { Observer } from '../replay/outcome.js';

/** Requests of a range of sizes. */
export interface SizeClass {
  /** Bytes asked for: from this on, up to `to`. */
  from: number;
  to: number;
  served: number;
  failed: number;
}

/** Counts requests by size. */
export interface SizeWatch extends Observer {
  /** From the smallest size that was asked for to the largest, empty classes between them included. */
  classes(): SizeClass[];
}

/** log2 of the end of the first class, and of the last. */
const FIRST = 6;
const LAST = 32;

/** Sizes above 2^(n-1) and up to 2^n bytes, so that powers of two end a class; all small ones are one. */
function classOf(size: number): number {
  return size <= 1 << FIRST ? FIRST : Math.min(LAST, LAST - Math.clz32(size - 1));
}

/** Counts requests by size, in classes that end at powers of two. */
export function watchSizes(): SizeWatch {
  const served = new Array<number>(LAST + 1).fill(0);
  const failed = new Array<number>(LAST + 1).fill(0);
  return {
    onRequest({ size, allocation }) {
      (allocation < 0 ? failed : served)[classOf(size)]++;
    },
    classes() {
      const all = served.map((count, n) => ({
        from: n === FIRST ? 0 : 2 ** (n - 1) + 1,
        to: 2 ** n,
        served: count,
        failed: failed[n],
      }));
      const isUsed = (one: SizeClass): boolean => one.served + one.failed > 0;
      return all.slice(all.findIndex(isUsed), all.findLastIndex(isUsed) + 1);
    },
  };
}
