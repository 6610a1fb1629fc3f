import type { Assumption, PoolDeclaration, TraceInfo } from '../events/trace.js';
import type { Release } from '../kernel/release.js';
import {
  type Allocator,
  createAllocator,
  createDevice,
  type Device,
  growAllocator,
} from '../swiotlb/allocator.js';
import { createPool, type Pool, type PoolGeometry } from '../swiotlb/pool.js';
import { DEFAULT_SEARCH, SEARCHERS } from '../swiotlb/searchers.js';
import { type DeviceOverride, type PoolOverride, resolveDevice, resolvePools } from './geometry.js';
import { createStartIndexInference, type StartIndexInference } from './startIndex.js';

/** What a replay runs on. */
export interface SessionOptions {
  release: Release;
  /** PAGE_SIZE in bytes. */
  pageSize: number;
  pools: readonly PoolOverride[];
  devices: readonly DeviceOverride[];
  /** A name in SEARCHERS; the default where missing. */
  search?: string;
  /** Do what the `look` column says: it was found with this release and these pools. False where missing. */
  followsLook?: boolean;
}

/** A device of a session, with what replaying its events needs. */
export interface SessionDevice {
  device: Device;
  startIndex: StartIndexInference;
}

/** The devices and pools of a session, set up as events name them. */
export interface DeviceTable {
  /** By the trace's device number; holes for devices without events. */
  list: SessionDevice[];
  /** In the order in which the trace declares them. */
  allocators: Allocator[];
  /** Sets up a device at its first event. */
  declare(number: number): SessionDevice;
  /**
   * A pool joins the default allocator.
   * @returns false where there is none, or the release has no dynamic pools
   */
  grow(base: number, nslabs: number, areas: number): boolean;
}

function setStartIndexes(
  pool: Pool,
  { name, startIndexes }: PoolDeclaration,
  assumptions: Assumption[],
): void {
  const fitting = startIndexes.slice(0, pool.areas);
  fitting.forEach((index, area) => {
    pool.areaIndex[area] = index < pool.areaNslabs ? index : 0;
  });
  if (startIndexes.length > pool.areas || fitting.some((index) => index >= pool.areaNslabs)) {
    assumptions.push({
      line: undefined,
      message: `pool ${name}: start indexes beyond its ${pool.areas} areas of ${pool.areaNslabs} slots were left out`,
    });
  }
}

/** Where a pool lies; releases before v6.0 have one area, whatever the trace's kernel had. */
function geometryOf(declared: PoolDeclaration, release: Release): PoolGeometry {
  return { ...declared, areas: release.hasAreas ? declared.areas : 1 };
}

/** A table without devices; `info` is read again as the trace goes on and declares more. */
export function createDeviceTable(
  info: TraceInfo,
  options: SessionOptions,
  assumptions: Assumption[],
): DeviceTable {
  const list: SessionDevice[] = [];
  const allocators: Allocator[] = [];
  const startIndexes = new Map<Allocator, StartIndexInference>();

  const { dynamicOrder, clampsTail } = options.release;
  const order = info.dynamic ? dynamicOrder : undefined;

  function declarePools(): void {
    const declarations = resolvePools(info, options.pools);
    const defaultAreas = declarations.find((pool) => !pool.restricted)?.areas ?? 0;
    for (const declared of declarations) {
      if (allocators.some(({ pool }) => pool.name === declared.name)) continue;
      const pool = createPool(geometryOf(declared, options.release), clampsTail);
      setStartIndexes(pool, declared, assumptions);
      const allocator = createAllocator(
        pool,
        declared.restricted,
        SEARCHERS[options.search ?? DEFAULT_SEARCH],
        order && { order, defaultAreas },
      );
      const recorded = info.pools.find(({ name }) => name === declared.name) ?? pool;
      allocators.push(allocator);
      startIndexes.set(
        allocator,
        createStartIndexInference(pool, declared, recorded.base, assumptions),
      );
    }
  }

  return {
    list,
    allocators,
    declare(number) {
      declarePools();
      const pools = allocators.map(({ pool }) => pool);
      const resolved = resolveDevice(info.devices[number], pools, options.devices);
      const allocator = allocators[pools.findIndex(({ name }) => name === resolved.pool)];
      const { name, minAlignMask, segBoundaryMask, dmaMask } = resolved;
      const device = createDevice(name, minAlignMask, segBoundaryMask, dmaMask, allocator);
      const startIndex = startIndexes.get(allocator) as StartIndexInference;
      list[number] = { device, startIndex };
      return list[number];
    },
    grow(base, nslabs, areas) {
      declarePools();
      const allocator = allocators.find(({ restricted }) => !restricted);
      if (allocator?.dynamic === undefined) return false;
      const name = `${allocator.pool.name}+${allocator.pools.length}`;
      growAllocator(allocator, { name, base, nslabs, areas }, clampsTail);
      return true;
    },
  };
}
