import { dmaAllocIova } from '../iommu/iovaDomain.js';
import { NO_PFN } from '../iommu/iovaTree.js';
import { mapGranules, Right, unmapGranules } from '../iommu/pageTable.js';
import { roundUpPowerOfTwo } from '../kernel/constants.js';
import type { ByteRange } from './access.js';
import type { DeviceAddress, DmaDevice } from './device.js';
import { freeUnmapped, granulesOf, type MapFailure, mapRange, unmapRange } from './mapping.js';
import { zero } from './memory.js';
import { Attr, type DmaSystem } from './system.js';

/** Where pages come from: the kernel's page allocator, or a trace that tells its answers. */
export interface PageSource {
  /**
   * @param count pages, a power of two
   * @returns their physical address, or NaN where there are none
   */
  take(count: number): number;
  give(phys: number, count: number): void;
}

/** Memory for a driver and its device. */
export interface CoherentBuffer {
  address: DeviceAddress;
  /** Bytes asked for. */
  size: number;
  /** Pages taken, in the order of device addresses; whole blocks. */
  blocks: ByteRange[];
}

/** Why there was no such memory. */
export type AllocFailure = MapFailure | 'no-pages';

/** Blocks of pages, zeroed; undefined, and none taken, where there are not enough. */
function takeBlocks(
  system: DmaSystem,
  pages: PageSource,
  blockPages: number,
  count: number,
): ByteRange[] | undefined {
  const blocks: ByteRange[] = [];
  const length = blockPages * system.pageSize;
  for (let n = 0; n < count; n++) {
    const start = pages.take(blockPages);
    if (Number.isNaN(start)) {
      giveBlocks(system, pages, blocks);
      return undefined;
    }
    zero(system.memory, start, length);
    blocks.push({ start, length });
  }
  return blocks;
}

function giveBlocks(system: DmaSystem, pages: PageSource, blocks: readonly ByteRange[]): void {
  for (const { start, length } of blocks) pages.give(start, length / system.pageSize);
}

/** dma_alloc_coherent() of a device behind an IOMMU (iommu_dma_alloc()): zeroed pages, never bounced. */
export function allocCoherent(
  system: DmaSystem,
  device: DmaDevice,
  size: number,
  attrs: number,
  pages: PageSource,
): CoherentBuffer | AllocFailure {
  const count = Math.ceil(size / system.pageSize);
  const isContiguous = (attrs & Attr.forceContiguous) !== 0;
  const blocks = isContiguous
    ? takeBlocks(system, pages, roundUpPowerOfTwo(count), 1)
    : takeBlocks(system, pages, 1, count);
  if (blocks === undefined) return 'no-pages';
  const address = isContiguous
    ? mapRange(system, device, blocks[0].start, size, Right.both)
    : mapBlocks(system, device, blocks, size);
  if (typeof address !== 'string') return { address, size, blocks };
  giveBlocks(system, pages, blocks);
  return address;
}

/** Maps blocks behind each other, no further than the size reaches (__iommu_dma_alloc_noncontiguous()). */
function mapBlocks(
  system: DmaSystem,
  device: DmaDevice,
  blocks: readonly ByteRange[],
  size: number,
): DeviceAddress | MapFailure {
  const { domain, table } = device;
  const { granule } = table;
  const count = granulesOf(granule, 0, size);
  const pfn = dmaAllocIova(domain, system.cpu, count, device.dmaMask);
  if (pfn === NO_PFN) return 'no-address';
  let mapped = 0;
  for (const { start, length } of blocks) {
    const granules = Math.min(length / granule, count - mapped);
    if (!mapGranules(table, pfn + mapped, granules, start, Right.both)) {
      unmapGranules(table, pfn, mapped);
      freeUnmapped(system, device, pfn, count);
      return 'collision';
    }
    mapped += granules;
  }
  return { pfn, offset: 0 };
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
