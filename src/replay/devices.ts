import type { Assumption, TraceInfo } from '../events/trace.js';
import type { Release } from '../kernel/release.js';
import {
  type Allocator,
  createAllocator,
  createDevice,
  type Device,
} from '../swiotlb/allocator.js';
import { createPool } from '../swiotlb/pool.js';
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

  function declarePools(): void {
    for (const declared of resolvePools(info, options.pools)) {
      if (allocators.some(({ pool }) => pool.name === declared.name)) continue;
      const pool = createPool(declared, options.release.clampsTail);
      declared.startIndexes.slice(0, pool.areas).forEach((index, area) => {
        pool.areaIndex[area] = index < pool.areaNslabs ? index : 0;
      });
      const allocator = createAllocator(
        pool,
        declared.restricted,
        SEARCHERS[options.search ?? DEFAULT_SEARCH],
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
      const { name, minAlignMask, segBoundaryMask } = resolved;
      const device = createDevice(name, minAlignMask, segBoundaryMask, allocator);
      const startIndex = startIndexes.get(allocator) as StartIndexInference;
      list[number] = { device, startIndex };
      return list[number];
    },
  };
}
