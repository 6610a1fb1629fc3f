import { NO_PFN } from '../iommu/iovaTree.js';
import { Right, unmapGranules } from '../iommu/pageTable.js';
import { roundUpPowerOfTwo } from '../kernel/constants.js';
import type { ByteRange } from './access.js';
import type { DeviceAddress, DmaDevice } from './device.js';
import {
  freeUnmapped,
  granulesOf,
  type MapFailure,
  mapOrCollide,
  mapRange,
  takeAddresses,
  unmapRange,
} from './mapping.js';
import { zero } from './memory.js';
import type { SgEntry } from './sync.js';
import { Attr, type DmaSystem } from './system.js';

/** Where pages come from: the kernel's page allocator, or a trace that tells its answers. */
export interface PageSource {
  /**
   * @param count pages, a power of two; the block is aligned to its own size
   * @returns their physical address, or NaN where there are none
   */
  take(count: number): number;
  /** Pages that were taken; a block may come back in parts. */
  give(phys: number, count: number): void;
}

/** Memory for a driver and its device. */
export interface CoherentBuffer {
  address: DeviceAddress;
  /** Bytes asked for. */
  size: number;
  /** In one block of pages. */
  isContiguous: boolean;
  /** Pages taken, in the order of device addresses. */
  blocks: ByteRange[];
}

/** Why there was no such memory. */
export type AllocFailure = MapFailure | 'no-pages';

/** -ENXIO. */
const ENXIO = -6;

/** Takes a block of pages and adds it to others, zeroed; false where there is none. */
function takeBlock(
  system: DmaSystem,
  pages: PageSource,
  count: number,
  blocks: ByteRange[],
): boolean {
  const start = pages.take(count);
  if (Number.isNaN(start)) return false;
  const length = count * system.pageSize;
  zero(system.memory, start, length);
  blocks.push({ start, length });
  return true;
}

function giveBlocks(system: DmaSystem, pages: PageSource, blocks: readonly ByteRange[]): void {
  for (const { start, length } of blocks) pages.give(start, length / system.pageSize);
}

/**
 * Pages from wherever they are, for `count` pages: one by one or, where a granule is larger than a
 * page, in whole granules; what does not fill one comes first, at a granule's end, so that the device
 * addresses that follow are on granules.
 * @returns false where there are not enough; `blocks` then holds what was taken
 */
function takeScattered(
  system: DmaSystem,
  device: DmaDevice,
  pages: PageSource,
  count: number,
  blocks: ByteRange[],
): boolean {
  const { pageSize } = system;
  const perBlock = Math.max(1, device.table.granule / pageSize);
  const odd = count % perBlock;
  for (let n = 0; n < Math.ceil(count / perBlock); n++) {
    if (!takeBlock(system, pages, perBlock, blocks)) return false;
  }
  if (odd > 0) {
    const [first] = blocks;
    pages.give(first.start, perBlock - odd);
    blocks[0] = {
      start: first.start + (perBlock - odd) * pageSize,
      length: odd * pageSize,
    };
  }
  return true;
}

/**
 * dma_alloc_coherent() of a device behind an IOMMU (iommu_dma_alloc()): zeroed pages, never bounced.
 * For granules larger than a page an untrusted device's memory is rounded up to them; a trusted device
 * sees the pages beside it.
 */
export function allocCoherent(
  system: DmaSystem,
  device: DmaDevice,
  size: number,
  attrs: number,
  pages: PageSource,
): CoherentBuffer | AllocFailure {
  const { pageSize } = system;
  const { granule } = device.table;
  const pads = device.untrusted && granule > pageSize;
  const count = Math.ceil((pads ? granulesOf(granule, 0, size) * granule : size) / pageSize);
  const isContiguous = (attrs & Attr.forceContiguous) !== 0;
  const blocks: ByteRange[] = [];
  const isTaken = isContiguous
    ? takeBlock(system, pages, roundUpPowerOfTwo(count), blocks)
    : takeScattered(system, device, pages, count, blocks);
  if (isTaken) {
    const address = { pfn: 0, offset: 0 };
    const failure = isContiguous
      ? mapRange(system, device, blocks[0].start, size, Right.both, address)
      : mapBlocks(system, device, blocks, size, address);
    if (failure === undefined) return { address, size, isContiguous, blocks };
    giveBlocks(system, pages, blocks);
    return failure;
  }
  giveBlocks(system, pages, blocks);
  system.onRefusal?.({ why: 'no-pages', device, size });
  return 'no-pages';
}

/**
 * Maps blocks behind each other, no further than the size reaches (__iommu_dma_alloc_noncontiguous());
 * as mapRange() does it.
 */
function mapBlocks(
  system: DmaSystem,
  device: DmaDevice,
  blocks: readonly ByteRange[],
  size: number,
  address: DeviceAddress,
): MapFailure | undefined {
  const { table } = device;
  const { granule } = table;
  const offset = blocks[0].start % granule;
  const count = granulesOf(granule, offset, size);
  const pfn = takeAddresses(system, device, count);
  if (pfn === NO_PFN) return 'no-address';
  let mapped = 0;
  for (const { start, length } of blocks) {
    const within = start % granule;
    const granules = Math.min(granulesOf(granule, within, length), count - mapped);
    if (!mapOrCollide(system, table, pfn + mapped, granules, start - within, Right.both)) {
      unmapGranules(table, pfn, mapped);
      freeUnmapped(system, device, pfn, count);
      return 'collision';
    }
    mapped += granules;
  }
  address.pfn = pfn;
  address.offset = offset;
  return undefined;
}

/** dma_free_coherent() of a device behind an IOMMU. */
export function freeCoherent(
  system: DmaSystem,
  device: DmaDevice,
  { address, size, blocks }: CoherentBuffer,
  pages: PageSource,
): void {
  unmapRange(system, device, address, size);
  giveBlocks(system, pages, blocks);
}

/**
 * dma_get_sgtable(): the memory as a list. With granules larger than a page it is refused with -ENXIO,
 * as nobody could map the list for another device.
 */
export function getSgtable(
  system: DmaSystem,
  device: DmaDevice,
  { blocks, size, isContiguous }: CoherentBuffer,
): SgEntry[] | number {
  const { pageSize } = system;
  if (device.table.granule > pageSize) return ENXIO;
  let left = isContiguous ? Math.ceil(size / pageSize) * pageSize : size;
  const entries: SgEntry[] = [];
  for (const { start, length: whole } of blocks) {
    const length = Math.min(whole, left);
    left -= length;
    const last = entries.at(-1);
    if (last !== undefined && last.phys + last.length === start) last.length += length;
    else entries.push({ phys: start, length });
  }
  return entries;
}
