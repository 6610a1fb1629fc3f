import { dmaAllocIova, dmaFreeIova, freeFast } from '../iommu/iovaDomain.js';
import { NO_PFN } from '../iommu/iovaTree.js';
import { mapGranules, type PageTable, physOf, Right, unmapGranules } from '../iommu/pageTable.js';
import { offsetIn } from '../kernel/padding.js';
import { type BounceFailure, isBounced, releaseBounce, takeBounce, zeroPadding } from './bounce.js';
import type { DeviceAddress, DmaDevice } from './device.js';
import { Attr, type CacheSync, Dir, type DmaSystem, skipsSync } from './system.js';

/** Why something could not be mapped. */
export type MapFailure =
  | BounceFailure
  /** No device address was left (-ENOMEM). */
  | 'no-address'
  /** A granule was mapped already (-EEXIST). */
  | 'collision'
  /** What is to be mapped does not begin on a granule (-EINVAL). */
  | 'unaligned'
  /** The device's min_align_mask is wider than a granule. */
  | 'wide-align-mask';

/** What the device may do with a mapping (dma_info_to_prot()). */
export function rightsOf(dir: number): number {
  if (dir === Dir.bidirectional) return Right.both;
  return dir === Dir.toDevice ? Right.read : Right.write;
}

/** Granules that hold `size` bytes from `offset` on. */
export function granulesOf(granule: number, offset: number, size: number): number {
  return Math.ceil((offset + size) / granule);
}

/** Gives device addresses back that nothing was mapped to; they are not queued. */
export function freeUnmapped(
  system: DmaSystem,
  { domain }: DmaDevice,
  pfn: number,
  count: number,
): void {
  freeFast(domain, system.cpu, pfn, count, system.now);
}

/** Maps granules for a call, all or none; a collision is among what the call did. */
export function mapOrCollide(
  { effects }: DmaSystem,
  table: PageTable,
  pfn: number,
  count: number,
  phys: number,
  rights: number,
): boolean {
  if (mapGranules(table, pfn, count, phys, rights)) return true;
  effects.collisions.push({ pfn, count });
  return false;
}

/** Allocates device addresses, or tells that there are none; NO_PFN then. */
export function takeAddresses(system: DmaSystem, device: DmaDevice, count: number): number {
  const pfn = dmaAllocIova(device.domain, system.cpu, count, device.dmaMask);
  const size = count * device.table.granule;
  if (pfn === NO_PFN) system.onRefusal?.({ why: 'no-address', device, size });
  return pfn;
}

/**
 * Allocates device addresses for bytes and maps them, with what shares their granules (__iommu_dma_map()).
 * @param address is filled with where they begin
 * @returns why it could not be done; undefined where it was
 */
export function mapRange(
  system: DmaSystem,
  device: DmaDevice,
  phys: number,
  size: number,
  rights: number,
  address: DeviceAddress,
): MapFailure | undefined {
  const { table } = device;
  const { granule } = table;
  if (system.release.dma.refusesWideAlignMask && device.minAlignMask > granule - 1) {
    system.effects.warnings++;
    system.onRefusal?.({ why: 'wide-align-mask', device, size });
    return 'wide-align-mask';
  }
  const offset = offsetIn(phys, granule);
  const count = granulesOf(granule, offset, size);
  const pfn = takeAddresses(system, device, count);
  if (pfn === NO_PFN) return 'no-address';
  if (!mapOrCollide(system, table, pfn, count, phys - offset, rights)) {
    freeUnmapped(system, device, pfn, count);
    return 'collision';
  }
  address.pfn = pfn;
  address.offset = offset;
  return undefined;
}

/** Unmaps the granules that hold bytes, and gives their device addresses back (__iommu_dma_unmap()). */
export function unmapRange(
  system: DmaSystem,
  { domain, table }: DmaDevice,
  { pfn, offset }: DeviceAddress,
  size: number,
): void {
  const count = granulesOf(table.granule, offset, size);
  if (unmapGranules(table, pfn, count) < count) system.effects.warnings++;
  dmaFreeIova(domain, system.cpu, pfn, count, system.now);
}

/** Cache maintenance, where the device needs it (arch_sync_dma_for_device(), ..._for_cpu()). */
export function maintainCache(
  system: DmaSystem,
  device: DmaDevice,
  who: CacheSync['for'],
  phys: number,
  length: number,
): void {
  if (device.coherent) return;
  const { effects } = system;
  const sync = { for: who, phys, length };
  // A list that grows begins with room for many.
  if (effects.cacheSyncs.length === 0) effects.cacheSyncs = [sync];
  else effects.cacheSyncs.push(sync);
}

/** Where a device address leads; 0 where nothing is mapped, as iommu_iova_to_phys() has it. */
export function leadsTo({ table }: DmaDevice, { pfn, offset }: DeviceAddress): number {
  const phys = physOf(table, pfn, offset);
  return Number.isNaN(phys) ? 0 : phys;
}

/** Whether a buffer is bounced: an untrusted device would see what shares its granules. */
function needsBounce(system: DmaSystem, device: DmaDevice, phys: number, size: number): boolean {
  const { granule } = device.table;
  const isAligned = offsetIn(phys, granule) === 0 && offsetIn(size, granule) === 0;
  return system.release.dma.bounces && device.untrusted && !isAligned;
}

/** A bounce buffer with its padding zeroed; the address of its data. */
export function bounceIn(
  system: DmaSystem,
  device: DmaDevice,
  phys: number,
  size: number,
  dir: number,
  attrs: number,
): number | BounceFailure {
  const { granule } = device.table;
  const allocSize = granulesOf(granule, 0, size) * granule;
  const alignMask = system.release.dma.alignsBounce ? granule - 1 : 0;
  const data = takeBounce(system, device, phys, size, allocSize, alignMask, dir, attrs);
  if (typeof data === 'number') zeroPadding(system, device, data, size, dir, attrs);
  return data;
}

/** One mapping, until the next call. */
export interface Mapped {
  address: DeviceAddress;
  /** Where its first byte leads: into the pool, or to the buffer. */
  phys: number;
}

/** What was mapped last; reused. */
const mapped: Mapped = { address: { pfn: 0, offset: 0 }, phys: 0 };

/**
 * Maps one buffer, through the pool if need be; without the maintenance that releases up to v5.15 do
 * afterwards (__iommu_dma_map_swiotlb(), later the body of iommu_dma_map_page()).
 */
export function mapOne(
  system: DmaSystem,
  device: DmaDevice,
  phys: number,
  size: number,
  dir: number,
  attrs: number,
): Mapped | MapFailure {
  const policy = system.release.dma;
  const { granule } = device.table;
  let used = phys;
  let mappedSize = size;
  if (needsBounce(system, device, phys, size)) {
    const data = bounceIn(system, device, phys, size, dir, attrs);
    if (typeof data === 'string') return data;
    used = data;
    if (policy.mapsRoundedSize) mappedSize = granulesOf(granule, 0, size) * granule;
  }
  if (policy.maintainsBounce && !skipsSync(attrs)) {
    maintainCache(system, device, 'device', used, size);
  }
  const failure = mapRange(system, device, used, mappedSize, rightsOf(dir), mapped.address);
  if (failure === undefined) {
    mapped.phys = used;
    return mapped;
  }
  if (isBounced(device, used)) releaseBounce(system, device, used, size, dir, attrs);
  return failure;
}

/**
 * dma_map_page() of a device behind an IOMMU.
 * @param size bytes, 1 or more
 */
export function mapPage(
  system: DmaSystem,
  device: DmaDevice,
  phys: number,
  size: number,
  dir: number,
  attrs: number,
): Mapped | MapFailure {
  const made = mapOne(system, device, phys, size, dir, attrs);
  const maintainsLate = !system.release.dma.maintainsBounce && !skipsSync(attrs);
  // The original address, whatever the device was given.
  if (maintainsLate && typeof made !== 'string') {
    maintainCache(system, device, 'device', phys, size);
  }
  return made;
}

/** Unmaps one buffer and releases its slots (__iommu_dma_unmap_swiotlb()). */
export function unmapOne(
  system: DmaSystem,
  device: DmaDevice,
  address: DeviceAddress,
  size: number,
  dir: number,
  attrs: number,
): void {
  const phys = leadsTo(device, address);
  if (phys === 0) {
    system.effects.warnings++;
    return;
  }
  const isLast = system.release.dma.unmapCopies === 'release';
  if (isLast && !skipsSync(attrs)) maintainCache(system, device, 'cpu', phys, size);
  unmapRange(system, device, address, size);
  if (isBounced(device, phys)) releaseBounce(system, device, phys, size, dir, attrs);
}

/** Attributes after an unmap has synced: from patch 3 of August 2021 on the release copies no more. */
export function attrsAfterSync(system: DmaSystem, attrs: number): number {
  return system.release.dma.unmapCopies === 'sync' ? attrs | Attr.skipCpuSync : attrs;
}
