import { IO_TLB_SIZE } from '../kernel/constants.js';
import { type Allocator, createAllocator, emptyReleased } from '../swiotlb/allocator.js';
import { createPool, type Pool, releaseSlots, slotAddress, takeSlots } from '../swiotlb/pool.js';
import type { Outcome } from './outcome.js';

/** Which slots of one pool are in use, in a pool that is cut in another way. */
export interface Mirror {
  /** Whose one pool is the mirror: nobody else takes slots of it. */
  allocator: Allocator;
  /** Lets searches of areas in which nothing was taken yet start where the mirrored pool's would, if it has such areas. */
  setStartIndexes(): void;
  /** Takes what a request has got from the mirrored pool. */
  take(outcome: Outcome): void;
  /** Gives back what a release has given back to it. */
  release(outcome: Outcome): void;
  /** Allocations that had no place in the mirror. */
  unplaced: number;
}

/**
 * A mirror of the pool of `from` that is cut as `like`'s, and searched as that is.
 * @param indexes where the searches of `like` started
 */
export function createMirror(
  from: Allocator,
  like: Allocator,
  clampTail: boolean,
  indexes: Int32Array | undefined,
): Mirror {
  const { name, base, nslabs, areas } = like.pool;
  const pool = createPool({ name, base, nslabs, areas }, clampTail);
  if (indexes !== undefined) pool.areaIndex.set(indexes);
  const released = emptyReleased();
  const hasTaken = new Uint8Array(areas);

  /** Whether the slots are all in the mirror, and all free or all in use. */
  function areAll(slot: number, nslots: number, free: boolean): boolean {
    if (slot < 0 || slot + nslots > pool.nslabs) return false;
    for (let n = slot; n < slot + nslots; n++) if ((pool.list[n] !== 0) !== free) return false;
    return true;
  }

  function copyIndexes(source: Pool): void {
    if (source.areas !== pool.areas) return;
    for (let area = 0; area < pool.areas; area++) {
      if (hasTaken[area]) continue;
      const index = source.areaIndex[area];
      pool.areaIndex[area] = index < pool.areaNslabs ? index : 0;
    }
  }

  const mirror: Mirror = {
    allocator: createAllocator(pool, like.restricted, like.search),
    unplaced: 0,
    setStartIndexes: () => copyIndexes(from.pool),
    take({ answer }) {
      if (answer.pool !== from.pool) return;
      const { nslots } = answer.plan;
      if (areAll(answer.slot, nslots, true)) {
        const area = Math.floor(answer.slot / pool.areaNslabs);
        hasTaken[area] = 1;
        takeSlots(pool, area, answer.slot, nslots, nslots * IO_TLB_SIZE);
      } else {
        mirror.unplaced++;
      }
    },
    release({ released: { pool: owner, slot, nslots } }) {
      if (owner !== from.pool || nslots <= 0 || !areAll(slot, nslots, false)) return;
      releaseSlots(pool, slotAddress(pool, slot), 0, nslots * IO_TLB_SIZE, released);
    },
  };
  return mirror;
}
