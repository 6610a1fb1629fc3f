import { hex } from '../events/numbers.js';
import { IO_TLB_SEGSIZE, IO_TLB_SIZE, MAX_ALLOCATION_BYTES } from '../kernel/constants.js';
import type { SearchPlan } from '../kernel/plan.js';
import type { Release } from '../kernel/release.js';
import type { Outcome } from '../replay/outcome.js';
import { areaRoom, type Device, windowOf } from '../swiotlb/allocator.js';
import { alignmentPeriod, fitsEmptyPool, nextAligned } from '../swiotlb/fit.js';
import { eachRun } from '../swiotlb/freeRuns.js';
import { freeRunsOf, type Pool } from '../swiotlb/pool.js';
import { type AddressWindow, spansBoundary } from '../swiotlb/window.js';

/** Why a request was refused, proved by the pool's state at that moment. */
export const CAUSES = [
  /** Fewer slots are free than it needs. */
  'exhausted',
  /** Enough are free, but nowhere enough in a row. */
  'fragmented',
  /** Long enough runs are free, but no slot in them has the address bits it needs, or none that the search looks at. */
  'alignment',
  /** Aligned slots are free, but it would cross the device's segment boundary there. */
  'boundary',
  /** Enough are free, but no single area has enough. */
  'area-skew',
  /** Above what the release can ever map for the device. */
  'too-large',
  /** Its constraints contradict each other: no pool could ever serve it. */
  'unsatisfiable',
] as const;

/** One of these. */
export type Cause = (typeof CAUSES)[number];

/** A cause and the figures that prove it. */
export interface FailureCause<C = Cause> {
  cause: C;
  /** In words, which most failures in a long trace never need; to be called before the next event. */
  reason(): string;
}

/** What was asked of the slot allocator, and how it refused. */
export type Refused = Pick<Outcome, 'device' | 'size' | 'allocSize' | 'answer'>;

/** The cause of the refusal that `outcome` tells of; to be called before the next event. */
export function causeOfFailure(release: Release, outcome: Refused): FailureCause {
  const never = causeAtAnySize(release, outcome);
  if (never !== undefined) return never;
  const { answer, device } = outcome;
  if (answer.refusal === 'unaligned-page') {
    return {
      cause: 'alignment',
      reason: () => 'the slots found do not start on a page, and swiotlb_alloc() gave them back',
    };
  }
  const inPools =
    nothingSearched(release, device) ??
    notEnoughFree(device, answer.plan) ??
    noRoomInRuns(device, device.allocator.pools, answer.plan);
  return withTransient(inPools, outcome);
}

/** The cause of a refusal that has nothing to do with how large or full the pool is; undefined for others. */
export function causeAtAnySize(release: Release, outcome: Refused): FailureCause | undefined {
  const { answer } = outcome;
  if (answer.refusal === 'invalid-sizes') {
    return {
      cause: 'unsatisfiable',
      reason: () =>
        `mapping_size ${outcome.size} is above alloc_size ${outcome.allocSize}, which the kernel refuses before searching`,
    };
  }
  if (answer.refusal === 'no-pages') {
    return { cause: 'unsatisfiable', reason: () => `${release.name} has no swiotlb_alloc()` };
  }
  return answer.refusal === 'unaligned-page' ? undefined : neverServed(release, outcome);
}

/** A dynamic allocator's last resort decides: the pools are full, but a transient one was tried. */
function withTransient(inPools: FailureCause, { answer, device }: Refused): FailureCause {
  const { cause } = inPools;
  if (device.allocator.dynamic === undefined || device.allocator.restricted) return inPools;
  if (answer.transient === undefined) {
    return { cause, reason: () => `${inPools.reason()}; there were no pages for a transient pool` };
  }
  const { base, nslabs } = answer.transient;
  const last = noRoomInRuns(device, [answer.transient], answer.plan);
  return {
    cause: last.cause,
    reason: () =>
      `${inPools.reason()}; in a transient pool of ${slots(nslabs)} at ${hex(base)}: ${last.reason()}`,
  };
}

/** v6.8 and later go by the default allocator's number of areas, even in a restricted pool. */
function nothingSearched(release: Release, { allocator }: Device): FailureCause | undefined {
  if (allocator.dynamic?.order !== 'area-by-area' || allocator.dynamic.defaultAreas > 0) {
    return undefined;
  }
  return {
    cause: 'area-skew',
    reason: () =>
      `the default allocator was not set up, so that ${release.name} searches no area of any pool`,
  };
}

/** What no pool could serve. */
function neverServed(release: Release, outcome: Refused): FailureCause | undefined {
  const { device, size } = outcome;
  const { plan } = outcome.answer;
  if (plan.nslots > IO_TLB_SEGSIZE) {
    const padding = plan.offset > 0 ? ` (${plan.offset} of them in front of the data)` : '';
    return {
      cause: 'too-large',
      reason: () =>
        `${plan.totalSize} bytes${padding} are more than the ${MAX_ALLOCATION_BYTES} that any allocation can have`,
    };
  }
  if (fitsEmptyPool(plan, device.window)) return undefined;
  const max = release.maxMappingSize(device.minAlignMask);
  if (size > max) {
    return {
      cause: 'too-large',
      reason: () => `${size} bytes are more than swiotlb_max_mapping_size() of the device, ${max}`,
    };
  }
  return { cause: 'unsatisfiable', reason: () => contradiction(plan, device.window) };
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
function notEnoughFree({ allocator }: Device, { nslots }: SearchPlan): FailureCause | undefined {
  const { pool, pools } = allocator;
  const free = freeSlots(pools);
  const total = allSlots(pools);
  if (free < nslots) {
    return {
      cause: 'exhausted',
      reason: () => `it needs ${slots(nslots)}, and ${free} of ${total} are free`,
    };
  }
  if (pools.some((candidate) => areasWithRoom(candidate, nslots).length > 0)) return undefined;
  const most = Math.max(...pools.map(mostRoom));
  const areas = pools.reduce((sum, candidate) => sum + candidate.areas, 0);
  if (areas === 1) {
    return {
      cause: 'exhausted',
      reason: () => `it needs ${slots(nslots)}, and the pool counts ${most} of ${total} as free`,
    };
  }
  return {
    cause: 'area-skew',
    reason: () =>
      `it needs ${slots(nslots)} of one area; ${free} are free in all, but no more than ${most}` +
      ` in any of the ${areas} areas${pools.length === 1 ? ` of ${pool.areaNslabs} slots` : ''}`,
  };
}

/** A full pool has a failure per event: no callbacks. */
function freeSlots(pools: readonly Pool[]): number {
  let sum = 0;
  for (let i = 0; i < pools.length; i++) sum += freeRunsOf(pools[i]).slots;
  return sum;
}

function allSlots(pools: readonly Pool[]): number {
  let sum = 0;
  for (let i = 0; i < pools.length; i++) sum += pools[i].nslabs;
  return sum;
}

/** Free slots of the emptiest area, as the pool counts them. */
function mostRoom({ areaUsed, areaNslabs }: Pool): number {
  return Math.max(...areaUsed.map((used) => areaNslabs - used));
}

function areasWithRoom(pool: Pool, nslots: number): number[] {
  const areas: number[] = [];
  for (let area = 0; area < pool.areas; area++) {
    if (nslots <= areaRoom(pool, area)) areas.push(area);
  }
  return areas;
}

/** What the runs in the areas that were searched have to offer. */
interface Offer {
  /** Longest run. */
  longest: number;
  /** An aligned slot with room behind it, and one that crosses no boundary either; -1 for none. */
  aligned: number;
  fitting: number;
  /** The pool of that slot. */
  pool: string;
}

/** Adds what a pool offers to a plan, with one demand lifted after the other. */
function addOffer(pool: Pool, window: AddressWindow, plan: SearchPlan, offer: Offer): void {
  const { nslots } = plan;
  const searched = new Set(areasWithRoom(pool, nslots));
  const period = alignmentPeriod(plan);

  function lookAt(run: number, end: number, area: number): void {
    const from = Math.max(run, area * pool.areaNslabs);
    offer.longest = Math.max(offer.longest, end - from);
    if (offer.fitting >= 0) return;
    const last = Math.min(end - nslots, (area + 1) * pool.areaNslabs - 1);
    let slot = nextAligned(plan, window, from);
    for (; slot >= 0 && slot <= last; slot += period) {
      offer.aligned = slot;
      if (!spansBoundary(window, slot, nslots)) {
        offer.fitting = slot;
        offer.pool = pool.name;
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
}

/** There is room in some area; which demand is it that nothing meets? */
function noRoomInRuns(device: Device, pools: readonly Pool[], plan: SearchPlan): FailureCause {
  const { nslots, stride } = plan;
  if (pools.every((pool) => freeRunsOf(pool).longest < nslots)) {
    return { cause: 'fragmented', reason: () => fragmentedWords(device, pools, plan) };
  }
  const offer = offerOf(device, pools, plan);
  const { longest, aligned, fitting } = offer;
  const where = pools.length > 1 ? ` of pool ${offer.pool}` : '';
  if (longest < nslots) {
    return { cause: 'fragmented', reason: () => fragmentedWords(device, pools, plan) };
  }
  if (aligned < 0) {
    return {
      cause: 'alignment',
      reason: () =>
        `no free run (the longest: ${slots(longest)}) holds ${slots(nslots)} from ${demand(plan)} on`,
    };
  }
  if (fitting < 0) {
    return {
      cause: 'boundary',
      reason: () =>
        `${slots(nslots)} from slot ${aligned} on are free and aligned, but cross the device's segment boundary there, as everywhere`,
    };
  }
  return {
    cause: 'alignment',
    reason: () =>
      `slot ${fitting}${where} would do, but the search steps over it (stride ${stride} from where its index stood)`,
  };
}

function offerOf(device: Device, pools: readonly Pool[], plan: SearchPlan): Offer {
  const offer: Offer = { longest: 0, aligned: -1, fitting: -1, pool: '' };
  for (const pool of pools) addOffer(pool, windowOf(device, pool), plan, offer);
  return offer;
}

function fragmentedWords(device: Device, pools: readonly Pool[], plan: SearchPlan): string {
  const { longest } = offerOf(device, pools, plan);
  return (
    `it needs ${slots(plan.nslots)} in a row; ${freeSlots(pools)} are free,` +
    ` but the longest free run is ${longest}`
  );
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
