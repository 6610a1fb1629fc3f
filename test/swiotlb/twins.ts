import { IO_TLB_SEGSIZE, IO_TLB_SIZE } from '../../src/kernel/constants.js';
import { emptyPlan, type MapRequest } from '../../src/kernel/plan.js';
import type { Release } from '../../src/kernel/release.js';
import { searchIndexed } from '../../src/swiotlb/indexed.js';
import {
  createPool,
  notePadding,
  type Pool,
  type PoolGeometry,
  releaseSlots,
  slotAddress,
  slotAt,
  takeSlots,
} from '../../src/swiotlb/pool.js';
import { ENDLESS, type Searcher, searchLinear } from '../../src/swiotlb/search.js';
import { type AddressWindow, addressWindow } from '../../src/swiotlb/window.js';

/** Two pools that live through the same events, one searched by the kernel's loop and one by index. */
export interface Twins {
  linear: Pool;
  indexed: Pool;
  /** Addresses that were handed out, those released since included. */
  addresses: number[];
}

/** A request, whole: a map, or swiotlb_alloc() where `pages` is set. */
export interface Request extends Omit<MapRequest, 'transientBase' | 'lookAt'> {
  release: Release;
  pageSize: number;
  /** Infinity for none. */
  segBoundaryMask: number;
  pages: boolean;
}

export function createTwins(geometry: PoolGeometry, clampTail: boolean): Twins {
  return {
    linear: createPool(geometry, clampTail),
    indexed: createPool(geometry, clampTail),
    addresses: [],
  };
}

const plan = emptyPlan();

/** What a release makes of a request. */
function planRequest(request: Request): void {
  const { release, pageSize } = request;
  const wanted = { ...request, transientBase: Number.NaN, lookAt: Number.NaN };
  if (request.pages) {
    wanted.origAddr = 0;
    wanted.allocAlignMask = release.coherentAlignMask?.(request.mappingSize, pageSize) ?? 0;
    plan.offset = 0;
    plan.totalSize = request.mappingSize;
    plan.nslots = Math.ceil(request.mappingSize / IO_TLB_SIZE);
  } else {
    release.size(wanted, plan, pageSize);
  }
  release.masks(wanted, pageSize, plan);
}

/** Searches area by area as the allocator does, and takes what is found; one line on what happened. */
function serve(pool: Pool, search: Searcher, window: AddressWindow, cpu: number): string {
  const tally = { examined: 0 };
  for (let k = 0; k < pool.areas; k++) {
    const area = (cpu + k) & (pool.areas - 1);
    if (plan.nslots > (pool.areaNslabs - pool.areaUsed[area]) >>> 0) continue;
    const slot = search(pool, area, plan, window, tally);
    if (slot === ENDLESS) return `endless, ${tally.examined} examined`;
    if (slot < 0) continue;
    takeSlots(pool, area, slot, plan.nslots, plan.totalSize - (plan.offset & (IO_TLB_SIZE - 1)));
    if (plan.offset >= IO_TLB_SIZE)
      notePadding(pool, slot + (plan.offset >>> 11), plan.offset >>> 11);
    return `slot ${slot}, ${tally.examined} examined`;
  }
  return `full, ${tally.examined} examined`;
}

/** Makes a request of both; says how the linear one was served. */
export function mapTwins(twins: Twins, request: Request): string {
  planRequest(request);
  const window = addressWindow(twins.linear.base, request.segBoundaryMask);
  const linear = serve(twins.linear, searchLinear, window, request.cpu);
  const indexed = serve(twins.indexed, searchIndexed, window, request.cpu);
  if (linear !== indexed) throw new Error(`linear: ${linear}; indexed: ${indexed}`);
  const slot = /^slot (\d+)/.exec(linear)?.[1];
  if (slot !== undefined) {
    twins.addresses.push(slotAddress(twins.linear, Number(slot)) + plan.offset);
  }
  comparePools(twins);
  return linear;
}

/** Releases what lies at an address of both, whether anything was handed out there or not. */
export function unmapTwins(
  twins: Twins,
  address: number,
  minAlignMask: number,
  size: number | undefined,
): void {
  const lowOffset = (address | 0) & minAlignMask & (IO_TLB_SIZE - 1);
  const slot = slotAt(twins.linear, address - lowOffset);
  if (slot < 0 || slot >= twins.linear.nslabs) return;
  const released = { slot: 0, nslots: 0 };
  releaseSlots(twins.linear, address, lowOffset, size, released);
  releaseSlots(twins.indexed, address, lowOffset, size, released);
  comparePools(twins);
}

const COLUMNS = ['list', 'storedSize', 'padSlots', 'areaIndex', 'areaUsed'] as const;

function bytes({ buffer }: Uint16Array | Int32Array): Buffer {
  return Buffer.from(buffer);
}

/** The kernel's state must be the same, and the index promise no less than it. */
function comparePools({ linear, indexed }: Twins): void {
  for (const column of COLUMNS) {
    if (bytes(linear[column]).equals(bytes(indexed[column]))) continue;
    throw new Error(`${column}: ${linear[column]} and ${indexed[column]}`);
  }
  const problem = brokenPromise(indexed);
  if (problem !== undefined) throw new Error(problem);
}

/** What a pool's index denies though the free-run list has it, or where its trees are no trees. */
function brokenPromise({ list, freeIndex }: Pool): string | undefined {
  for (const { period, residue, leaves, bounds } of freeIndex.classes) {
    for (let slot = residue; slot < list.length; slot += period) {
      const bound = bounds[leaves + Math.floor(slot / IO_TLB_SEGSIZE)];
      if (bound < Math.min(255, list[slot])) {
        return `list[${slot}] is ${list[slot]}, its bound ${bound} (${residue} mod ${period})`;
      }
    }
    for (let node = 1; node < leaves; node++) {
      if (bounds[node] !== Math.max(bounds[2 * node], bounds[2 * node + 1])) {
        return `node ${node} of the tree of ${residue} mod ${period} is ${bounds[node]}`;
      }
    }
  }
  if (freeIndex.classes.length === 0) return undefined;
  for (let slot = 0; slot < list.length; slot++) {
    const bit = (freeIndex.free[slot >>> 5] >>> slot) & 1;
    if (list[slot] !== 0 && bit === 0) return `slot ${slot} is free, its bit not`;
  }
  return undefined;
}
