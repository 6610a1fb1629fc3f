import { hex } from '../events/numbers.js';
import { IO_TLB_SEGSIZE, IO_TLB_SIZE, MAX_ALLOCATION_BYTES } from '../kernel/constants.js';
import type { SearchPlan } from '../kernel/plan.js';
import type { Release } from '../kernel/release.js';
import type { Outcome } from '../replay/outcome.js';
import { alignmentPeriod, fitsEmptyPool, nextAligned } from '../swiotlb/fit.js';
import { eachRun } from '../swiotlb/freeRuns.js';
import { freeRunsOf, type Pool } from '../swiotlb/pool.js';
import { type AddressWindow, spansBoundary } from '../swiotlb/window.js';

/** Why a request was refused, proved by the pool's state at that moment. */
export type Cause =
  /** Fewer slots are free than it needs. */
  | 'exhausted'
  /** Enough are free, but nowhere enough in a row. */
  | 'fragmented'
  /** Long enough runs are free, but no slot in them has the address bits it needs, or none that the search looks at. */
  | 'alignment'
  /** Aligned slots are free, but it would cross the device's segment boundary there. */
  | 'boundary'
  /** Enough are free, but no single area has enough. */
  | 'area-skew'
  /** Above what the release can ever map for the device. */
  | 'too-large'
  /** Its constraints contradict each other: no pool could ever serve it. */
  | 'unsatisfiable';

/** A cause and the figures that prove it. */
export interface FailureCause {
  cause: Cause;
  reason: string;
}

/** The cause of the refusal that `outcome` tells of; to be called before the next event. */
export function causeOfFailure(release: Release, outcome: Outcome): FailureCause {
  const { answer, device } = outcome;
  const { plan } = answer;
  const { pool } = device.allocator;
  if (answer.refusal === 'invalid-sizes') {
    return {
      cause: 'unsatisfiable',
      reason: `mapping_size ${outcome.size} is above alloc_size ${outcome.allocSize}, which the kernel refuses before searching`,
    };
  }
  if (answer.refusal === 'no-pages') {
    return { cause: 'unsatisfiable', reason: `${release.name} has no swiotlb_alloc()` };
  }
  if (answer.refusal === 'unaligned-page') {
    return {
      cause: 'alignment',
      reason: 'the slots found do not start on a page, and swiotlb_alloc() gave them back',
    };
  }
  return (
    neverServed(release, outcome) ??
    notEnoughFree(pool, plan) ??
    noRoomInRuns(pool, plan, device.window)
  );
}

/** What no pool could serve. */
function neverServed(release: Release, outcome: Outcome): FailureCause | undefined {
  const { device, size } = outcome;
  const { plan } = outcome.answer;
  if (plan.nslots > IO_TLB_SEGSIZE) {
    const padding = plan.offset > 0 ? ` (${plan.offset} of them in front of the data)` : '';
    return {
      cause: 'too-large',
      reason: `${plan.totalSize} bytes${padding} are more than the ${MAX_ALLOCATION_BYTES} that any allocation can have`,
    };
  }
  if (fitsEmptyPool(plan, device.window)) return undefined;
  const max = release.maxMappingSize(device.minAlignMask);
  if (size > max) {
    return {
      cause: 'too-large',
      reason: `${size} bytes are more than swiotlb_max_mapping_size() of the device, ${max}`,
    };
  }
  return { cause: 'unsatisfiable', reason: contradiction(plan, device.window) };
}

function contradiction(plan: SearchPlan, window: AddressWindow): string {
  const { clearMask, matchMask, matchBits, nslots } = plan;
  const both = (matchBits & clearMask) >>> 0;
  const asked = [
    clearMask ? `bits ${hex(clearMask >>> 0)} of the address clear` : '',
    matchMask ? `bits ${hex(matchMask >>> 0)} equal to ${hex(matchBits >>> 0)}` : '',
  ].filter(Boolean);
  if (both !== 0) return `it wants ${asked.join(' and ')}, and ${hex(both)} is in both`;
  if (fitsEmptyPool(plan, withoutBoundary(window))) {
    asked.push(`no segment boundary of the device, one every ${slots(window.boundaryMask + 1)}`);
  }
  const wanted = [`${slots(nslots)} of one segment`, ...asked].join(', ');
  return `it wants ${wanted}: no slot of an empty pool has that`;
}

/** The window of a device that has no boundary, on the same addresses. */
function withoutBoundary({ low }: AddressWindow): AddressWindow {
  return { low, boundaryOffset: 0, boundaryMask: 2 ** 30 - 1 };
}

/** Too few free slots, in all or in each area. */
function notEnoughFree(pool: Pool, { nslots }: SearchPlan): FailureCause | undefined {
  const free = freeRunsOf(pool).slots;
  if (free < nslots) {
    return {
      cause: 'exhausted',
      reason: `it needs ${slots(nslots)}, and ${free} of ${pool.nslabs} are free`,
    };
  }
  if (areasWithRoom(pool, nslots).length > 0) return undefined;
  const most = Math.max(...pool.areaUsed.map((used) => pool.areaNslabs - used));
  if (pool.areas === 1) {
    return {
      cause: 'exhausted',
      reason: `it needs ${slots(nslots)}, and the pool counts ${most} of ${pool.nslabs} as free`,
    };
  }
  return {
    cause: 'area-skew',
    reason:
      `it needs ${slots(nslots)} of one area; ${free} are free in all, but no more than ${most}` +
      ` in any of the ${pool.areas} areas of ${pool.areaNslabs} slots`,
  };
}

function areasWithRoom(pool: Pool, nslots: number): number[] {
  const areas: number[] = [];
  for (let area = 0; area < pool.areas; area++) {
    if (nslots <= (pool.areaNslabs - pool.areaUsed[area]) >>> 0) areas.push(area);
  }
  return areas;
}

/** What the areas that were searched hold, with one demand lifted after the other. */
function noRoomInRuns(pool: Pool, plan: SearchPlan, window: AddressWindow): FailureCause {
  const { nslots, stride } = plan;
  const searched = new Set(areasWithRoom(pool, nslots));
  const period = alignmentPeriod(plan);
  let longest = 0;
  let aligned = -1;
  let fitting = -1;

  function lookAt(run: number, end: number, area: number): void {
    const from = Math.max(run, area * pool.areaNslabs);
    longest = Math.max(longest, end - from);
    if (fitting >= 0) return;
    const last = Math.min(end - nslots, (area + 1) * pool.areaNslabs - 1);
    let slot = nextAligned(plan, window, from);
    for (; slot >= 0 && slot <= last; slot += period) {
      aligned = slot;
      if (!spansBoundary(window, slot, nslots)) {
        fitting = slot;
        return;
      }
    }
  }

  // Where areas are shorter than segments a run reaches over several, and each sees what is left of it.
  eachRun(pool.list, pool.nslabs, (start, length) => {
    const first = Math.floor(start / pool.areaNslabs);
    for (let area = first; area * pool.areaNslabs < start + length; area++) {
      if (searched.has(area)) lookAt(start, start + length, area);
    }
  });
  const free = freeRunsOf(pool).slots;
  if (longest < nslots) {
    return {
      cause: 'fragmented',
      reason: `it needs ${slots(nslots)} in a row; ${free} are free, but the longest free run is ${longest}`,
    };
  }
  if (aligned < 0) {
    return {
      cause: 'alignment',
      reason: `no free run (the longest: ${slots(longest)}) holds ${slots(nslots)} from ${demand(plan)} on`,
    };
  }
  if (fitting < 0) {
    return {
      cause: 'boundary',
      reason: `${slots(nslots)} from slot ${aligned} on are free and aligned, but cross the device's segment boundary there, as everywhere`,
    };
  }
  return {
    cause: 'alignment',
    reason: `slot ${fitting} would do, but the search steps over it (stride ${stride} from where its index stood)`,
  };
}

/** Where the slots of a plan can begin, in words. */
function demand({ clearMask, matchMask, matchBits }: SearchPlan): string {
  const above = ~(IO_TLB_SIZE - 1);
  const parts = [];
  if (clearMask & above) parts.push(`bits ${hex((clearMask & above) >>> 0)} clear`);
  if (matchMask) parts.push(`bits ${hex(matchMask >>> 0)} equal to ${hex(matchBits >>> 0)}`);
  return parts.length > 0 ? `an address with ${parts.join(' and ')}` : 'a slot that is looked at';
}

function slots(count: number): string {
  return count === 1 ? '1 slot' : `${count} slots`;
}
