import type { SizedPool } from '../../report/sizeReport.js';
import type { Workload } from '../../sizing/workload.js';

/** A pool that traces use, and which of each workload's pools it is. */
export interface UsedPool extends SizedPool {
  /** By workload; undefined where it does not use the pool. */
  indexes: (number | undefined)[];
  /** Most areas that it was recorded with. */
  areas: number;
}

/** The pools that devices of the workloads use: the default one first, then regions by their name. */
export function usedPools(workloads: readonly Workload[]): UsedPool[] {
  const pools: UsedPool[] = [];
  workloads.forEach(({ pools: recorded, devices }, workload) => {
    recorded.forEach(({ name, restricted, areas }, index) => {
      if (!devices.some((device) => device.pool === index)) return;
      let used = pools.find(
        (pool) =>
          pool.restricted === restricted &&
          (restricted ? pool.name === name : pool.indexes[workload] === undefined),
      );
      if (used === undefined) {
        used = { name, restricted, areas, indexes: workloads.map(() => undefined) };
        pools.push(used);
      }
      used.indexes[workload] = index;
      used.areas = Math.max(used.areas, areas);
    });
  });
  return pools.sort((a, b) => Number(a.restricted) - Number(b.restricted));
}
