import { IO_TLB_SEGSIZE } from '../kernel/constants.js';
import type { Outcome } from '../replay/outcome.js';
import { type Allocator, areaRoom } from '../swiotlb/allocator.js';

/** Searches that begin in one area of a pool, which is the home of some CPUs. */
export interface AreaTraffic {
  pool: string;
  area: number;
  /** CPUs whose searches begin here, in the order in which the trace has them; the first 16. */
  cpus: number[];
  searches: number;
  /** Served from another area, or another pool. */
  left: number;
  /** Of those and of those that found nothing: the area had fewer free slots than were needed. */
  full: number;
  /** Found nothing anywhere. */
  failed: number;
  /** Requests of other areas' CPUs that were served from this one. */
  guests: number;
}

/** Counts searches by area. */
export interface AreaWatch {
  /** After a map or alloc. */
  see(outcome: Outcome): void;
  /** The areas of pools that have several, in order. */
  areas(): AreaTraffic[];
}

/** CPUs that are listed per area. */
const LISTED_CPUS = 16;

function emptyTraffic(pool: string, area: number): AreaTraffic {
  return { pool, area, cpus: [], searches: 0, left: 0, full: 0, failed: 0, guests: 0 };
}

/**
 * Watches who searches where. A search begins in the area that the CPU picks (raw_smp_processor_id()
 * under the number of areas, 20347fca71a3); what it leaves for another, another CPU's lock pays for.
 */
export function watchAreas(): AreaWatch {
  const byAllocator = new Map<Allocator, AreaTraffic[]>();
  let last: Allocator | undefined;
  let areas: AreaTraffic[] = [];

  function turnTo(allocator: Allocator): void {
    last = allocator;
    const { pool } = allocator;
    areas =
      byAllocator.get(allocator) ??
      Array.from({ length: pool.areas }, (_, area) => emptyTraffic(pool.name, area));
    byAllocator.set(allocator, areas);
  }

  return {
    see({ device, cpu, answer }) {
      const { allocator } = device;
      const { pool } = allocator;
      const { nslots } = answer.plan;
      if (pool.areas === 1 || nslots > IO_TLB_SEGSIZE) return;
      if (answer.refusal !== undefined && answer.refusal !== 'full') return;
      if (allocator !== last) turnTo(allocator);
      const home = areas[cpu & (pool.areas - 1)];
      home.searches++;
      if (home.cpus[0] !== cpu) meetCpu(home, cpu);
      if (answer.pool === pool) {
        const inHome = answer.slot - home.area * pool.areaNslabs;
        if (inHome >= 0 && inHome < pool.areaNslabs) return;
        const area = Math.floor(answer.slot / pool.areaNslabs);
        if (area < areas.length) areas[area].guests++;
      }
      if (answer.pool === undefined) home.failed++;
      else home.left++;
      // Nothing was taken in the home area, so that it is as the search has found it.
      if (areaRoom(pool, home.area) < nslots) home.full++;
    },
    areas: () => [...byAllocator.values()].flat(),
  };
}

function meetCpu({ cpus }: AreaTraffic, cpu: number): void {
  if (cpus.length < LISTED_CPUS && !cpus.includes(cpu)) cpus.push(cpu);
}
