import { dmaFreeIova } from '../iommu/iovaDomain.js';
import { NO_PFN } from '../iommu/iovaTree.js';
import { unmapGranules } from '../iommu/pageTable.js';
import { isBounced, releaseBounce } from './bounce.js';
import { addressAfter, type DeviceAddress, type DmaDevice } from './device.js';
import {
  bounceIn,
  freeUnmapped,
  granulesOf,
  leadsTo,
  maintainCache,
  mapOrCollide,
  rightsOf,
  takeAddresses,
} from './mapping.js';
import { type DmaSystem, skipsSync } from './system.js';

/** Device addresses of a driver's own, to which it links memory piece by piece (struct dma_iova_state). */
export interface LinkRange {
  /** Keeps the offset of the memory that it was allocated for. */
  start: DeviceAddress;
  /** Bytes. */
  size: number;
  /** Some piece was bounced (DMA_IOVA_USE_SWIOTLB). */
  usesBounce: boolean;
}

/** What the kernel returns. */
const EIO = -5;
const ENOMEM = -12;
const EEXIST = -17;
const EINVAL = -22;

/** Allocates device addresses to link to (dma_iova_try_alloc()); undefined where there are none. */
export function allocLinkRange(
  system: DmaSystem,
  device: DmaDevice,
  phys: number,
  size: number,
): LinkRange | undefined {
  const { granule } = device.table;
  const offset = phys % granule;
  const count = granulesOf(granule, offset, size);
  const pfn = takeAddresses(system, device, count);
  return pfn === NO_PFN ? undefined : { start: { pfn, offset }, size, usesBounce: false };
}

/** Maps whole granules, after the cache maintenance that they need (__dma_iova_link()). */
function linkGranules(
  system: DmaSystem,
  device: DmaDevice,
  { pfn, offset }: DeviceAddress,
  phys: number,
  size: number,
  dir: number,
  attrs: number,
): number {
  const { granule } = device.table;
  if (!skipsSync(attrs)) maintainCache(system, device, 'device', phys, size);
  if (offset !== 0 || phys % granule !== 0 || size % granule !== 0) {
    system.onRefusal?.({ why: 'unaligned', device, size });
    return EINVAL;
  }
  if (size === 0) return 0;
  const count = size / granule;
  return mapOrCollide(system, device.table, pfn, count, phys, rightsOf(dir)) ? 0 : EEXIST;
}

/** Bounces a piece within one granule, and maps that (iommu_dma_iova_bounce_and_link()). */
function linkBounced(
  system: DmaSystem,
  device: DmaDevice,
  range: LinkRange,
  address: DeviceAddress,
  piece: { phys: number; length: number; front: number },
  dir: number,
  attrs: number,
): number {
  const { granule } = device.table;
  const { phys, length, front } = piece;
  const data = bounceIn(system, device, phys, length, dir, attrs);
  if (typeof data === 'string') return ENOMEM;
  const whole = granulesOf(granule, 0, length) * granule;
  const at = addressAfter(address, -front, granule);
  const error = linkGranules(system, device, at, data - front, whole, dir, attrs);
  if (error === 0) range.usesBounce = true;
  else releaseBounce(system, device, data, length, dir, attrs);
  return error;
}

/**
 * Links memory at a position of a range (dma_iova_link()). An untrusted device gets the ends that
 * share a granule with other memory through the pool.
 * @param position bytes linked before
 * @returns 0, or a negative errno
 */
export function linkPiece(
  system: DmaSystem,
  device: DmaDevice,
  range: LinkRange,
  phys: number,
  position: number,
  size: number,
  dir: number,
  attrs: number,
): number {
  const { granule } = device.table;
  const front = phys % granule;
  if (front > 0 && position > 0) {
    system.effects.warnings++;
    return EIO;
  }
  if (device.untrusted && (front > 0 || size % granule > 0)) {
    return linkWithEnds(system, device, range, phys, position, size, dir, attrs);
  }
  const whole = granulesOf(granule, front, size) * granule;
  const at = addressAfter(range.start, position - front, granule);
  return linkGranules(system, device, at, phys - front, whole, dir, attrs);
}

/** Head and tail through the pool, whole granules between them in place (iommu_dma_iova_link_swiotlb()). */
function linkWithEnds(
  system: DmaSystem,
  device: DmaDevice,
  range: LinkRange,
  phys: number,
  position: number,
  size: number,
  dir: number,
  attrs: number,
): number {
  const { granule } = device.table;
  const isMended = system.release.dma.link === 'mended';
  const front = phys % granule;
  const tail = (phys + size) % granule;
  const addressOf = (done: number): DeviceAddress =>
    addressAfter(range.start, position + done, granule);
  let done = 0;
  if (front > 0) {
    const length = Math.min(size, granule - front);
    const piece = { phys, length, front };
    const error = linkBounced(system, device, range, addressOf(0), piece, dir, attrs);
    if (error !== 0) return error;
    done = length;
    if (done === size) return 0;
  }
  const middle = size - done - tail;
  const leavesOut = isMended && middle === 0;
  let error = leavesOut
    ? 0
    : linkGranules(system, device, addressOf(done), phys + done, middle, dir, attrs);
  if (error === 0 && tail > 0) {
    done += middle;
    const piece = { phys: phys + done, length: tail, front: 0 };
    error = linkBounced(system, device, range, addressOf(done), piece, dir, attrs);
  }
  if (error !== 0 && done > 0) {
    unlinkPieces(system, device, range, isMended ? position : 0, done, dir, attrs);
  }
  return error;
}

/** Cache maintenance and release granule by granule (iommu_dma_iova_unlink_range_slow()). */
function releaseGranules(
  system: DmaSystem,
  device: DmaDevice,
  from: DeviceAddress,
  size: number,
  dir: number,
  attrs: number,
): void {
  const { granule } = device.table;
  let address = from;
  let left = size;
  while (left > 0) {
    const phys = leadsTo(device, address);
    if (phys === 0) {
      system.effects.warnings++;
      return;
    }
    const length = Math.min(left, granule - address.offset);
    if (!skipsSync(attrs)) maintainCache(system, device, 'cpu', phys, length);
    if (isBounced(device, phys)) releaseBounce(system, device, phys, length, dir, attrs);
    address = { pfn: address.pfn + 1, offset: 0 };
    left -= length;
  }
}

/** Unlinks bytes of a range from a position on; the device addresses stay (dma_iova_unlink()). */
export function unlinkPieces(
  system: DmaSystem,
  device: DmaDevice,
  range: LinkRange,
  position: number,
  size: number,
  dir: number,
  attrs: number,
): void {
  const { granule } = device.table;
  const { pfn, offset } = addressAfter(range.start, position, granule);
  if (range.usesBounce || (!device.coherent && !skipsSync(attrs))) {
    releaseGranules(system, device, { pfn, offset }, size, dir, attrs);
  }
  const count = granulesOf(granule, offset, size);
  if (unmapGranules(device.table, pfn, count) < count) system.effects.warnings++;
}

/**
 * Unlinks what is linked from a range's start on, and gives the device addresses back
 * (dma_iova_destroy()): as many as were linked, or all of them where nothing was.
 */
export function destroyLinkRange(
  system: DmaSystem,
  device: DmaDevice,
  range: LinkRange,
  linked: number,
  dir: number,
  attrs: number,
): void {
  const { start, size } = range;
  const { granule } = device.table;
  if (linked === 0) {
    freeUnmapped(system, device, start.pfn, granulesOf(granule, start.offset, size));
    return;
  }
  unlinkPieces(system, device, range, 0, linked, dir, attrs);
  const count = granulesOf(granule, start.offset, linked);
  dmaFreeIova(device.domain, system.cpu, start.pfn, count, system.now);
}
