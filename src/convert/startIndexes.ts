import { movedIndex } from '../replay/follow.js';
import type { Observer } from '../replay/outcome.js';
import type { Pool } from '../swiotlb/pool.js';
import type { Standing } from './selection.js';

/** Where the searches of each area began, given or inferred. */
export interface StartIndexes {
  observer: Observer;
  of(pool: Pool): number[];
}

/**
 * Watches where searches begin in the range that is wanted: an index moves when slots are taken and at
 * no other time, so that the first search that takes some shows where it was.
 */
export function watchStartIndexes(
  standing: (line: number, time: number) => Standing,
): StartIndexes {
  const begun = new Map<Pool, Map<number, number>>();
  return {
    observer: {
      onRequest({ line, time, answer }) {
        if (standing(line, time) !== 'within') return;
        const moved = movedIndex(answer);
        if (moved === undefined) return;
        const areas = begun.get(moved.pool) ?? new Map<number, number>();
        begun.set(moved.pool, areas);
        if (!areas.has(moved.area)) areas.set(moved.area, moved.before);
      },
    },
    of: (pool) => Array.from(pool.areaIndex, (index, area) => begun.get(pool)?.get(area) ?? index),
  };
}
