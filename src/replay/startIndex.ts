import type { Assumption, PoolDeclaration } from '../events/trace.js';
import type { SearchPlan } from '../kernel/plan.js';
import { type Pool, slotAt } from '../swiotlb/pool.js';

/** Finds where the searches of a pool's areas started, for traces that do not tell. */
export interface StartIndexInference {
  /**
   * Looks at a recorded address before its request is replayed.
   * @returns the area that it is the first of, -1 for none
   */
  see(line: number, recordedAddr: number, plan: SearchPlan): number;
  /** Forgets the first address of an area: another one will show. Its index is not touched. */
  unsee(area: number): void;
  /** Nothing is left to find out. */
  done: boolean;
}

/**
 * The first address recorded in an area shows where its index stood: a search takes the first slot
 * that fits, and the pool is taken to be empty. Where the trace merely leaves the index out it is 0,
 * unless the first address lies so far in that an empty area searched from 0 cannot have given it.
 * @param recordedBase where the recorded kernel had the pool, which the user may have moved for the replay
 */
export function createStartIndexInference(
  pool: Pool,
  declared: PoolDeclaration,
  recordedBase: number,
  assumptions: Assumption[],
): StartIndexInference {
  const seen = new Uint8Array(pool.areas);
  let unseen = pool.areas;
  const inference: StartIndexInference = {
    done: declared.indexKnowledge === 'given',
    see(line, recordedAddr, plan) {
      const slot = slotAt({ base: recordedBase }, recordedAddr - plan.offset);
      const area = Math.floor(slot / pool.areaNslabs);
      if (!(area >= 0 && area < pool.areas) || seen[area]) return -1;
      seen[area] = 1;
      inference.done = --unseen === 0;
      const index = slot - area * pool.areaNslabs;
      if (declared.indexKnowledge === 'default' && index < 2 * (plan.stride + plan.nslots)) {
        return area;
      }
      pool.areaIndex[area] = index;
      assumptions.push({
        line,
        message:
          `pool ${pool.name}: the search of ${pool.areas > 1 ? `area ${area}` : 'the pool'}` +
          ` starts at index ${index}, from the first address recorded in it`,
      });
      return area;
    },
    unsee(area) {
      seen[area] = 0;
      unseen++;
      inference.done = false;
    },
  };
  return inference;
}
