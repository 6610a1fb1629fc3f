import { isBounced, syncBounce } from './bounce.js';
import type { DeviceAddress, DmaDevice } from './device.js';
import { leadsTo, maintainCache } from './mapping.js';
import type { CacheSync, DmaSystem } from './system.js';

/** A buffer of a scatter list. */
export interface SgEntry {
  /** Physical address. */
  phys: number;
  /** Bytes. */
  length: number;
}

/** A segment of a mapped list, as the device sees it. */
export interface SgSegment {
  address: DeviceAddress;
  /** Bytes. */
  length: number;
}

/** A device address at which nothing is ever mapped: what a fresh list has before it is mapped. */
const UNSET: DeviceAddress = { pfn: 0, offset: 0 };

/** dma_sync_single_for_cpu() and ..._for_device(); the copy comes last or first. */
export function syncSingle(
  system: DmaSystem,
  device: DmaDevice,
  address: DeviceAddress,
  size: number,
  dir: number,
  who: CacheSync['for'],
): void {
  const phys = leadsTo(device, address);
  if (who === 'cpu') maintainCache(system, device, who, phys, size);
  if (isBounced(device, phys)) syncBounce(system, device, phys, size, dir, who === 'device');
  if (who === 'device') maintainCache(system, device, who, phys, size);
}

/**
 * dma_sync_sg_for_cpu() and ..._for_device(). Up to v5.15 it looks for bounce buffers at the original
 * addresses, finds none, and copies nothing.
 * @param segments the list's device addresses; none for a list that is not mapped yet
 */
export function syncSg(
  system: DmaSystem,
  device: DmaDevice,
  entries: readonly SgEntry[],
  segments: readonly SgSegment[],
  dir: number,
  who: CacheSync['for'],
): void {
  const byAddress = device.untrusted && system.release.dma.syncSgByAddress;
  entries.forEach(({ phys, length }, n) => {
    if (!byAddress) maintainCache(system, device, who, phys, length);
    else syncSingle(system, device, segments[n]?.address ?? UNSET, length, dir, who);
  });
}
