import type { PageSource } from '../../dma/coherent.js';

/** The recorders' page allocator: the lowest free run of 2^k pages that is aligned to 2^k pages. */
export function lowestPages(base: number, end: number, pageSize: number): PageSource {
  const used = new Set<number>();
  const isFree = (first: number, count: number): boolean => {
    for (let n = 0; n < count; n++) if (used.has(first + n * pageSize)) return false;
    return true;
  };
  return {
    take(count) {
      const length = count * pageSize;
      for (let at = Math.ceil(base / length) * length; at + length <= end; at += length) {
        if (!isFree(at, count)) continue;
        for (let n = 0; n < count; n++) used.add(at + n * pageSize);
        return at;
      }
      return Number.NaN;
    },
    give(phys, count) {
      for (let n = 0; n < count; n++) used.delete(phys + n * pageSize);
    },
  };
}
