import { createIovaDomain, type DomainSetup, type IovaDomain } from '../iommu/iovaDomain.js';
import { createPageTable, type PageTable } from '../iommu/pageTable.js';
import type { IommuRelease } from '../kernel/iommuRelease.js';
import { type Allocator, createDevice, type Device } from '../swiotlb/allocator.js';

/** What sets a device behind an IOMMU up. */
export interface DmaDeviceSetup {
  name: string;
  domain: DomainSetup;
  /** Last byte that the device reaches (DMA and coherent mask); Infinity for 64 bits. */
  dmaMask: number;
  /** What it maps may not let it see anything else: unaligned buffers are bounced. */
  untrusted: boolean;
  /** The CPU's caches need no maintenance. */
  coherent: boolean;
  /** dma_get_min_align_mask(). */
  minAlignMask: number;
  /** dma_get_seg_boundary(); Infinity for none. */
  segBoundaryMask: number;
  /** dma_get_max_seg_size(), bytes. */
  maxSegSize: number;
}

/** A device behind an IOMMU, with a domain and a page table of its own. */
export interface DmaDevice extends Omit<DmaDeviceSetup, 'domain'> {
  domain: IovaDomain;
  table: PageTable;
  /** The device as the slot allocator sees it. */
  bouncer: Device;
}

/**
 * Whether a kernel stops at boot where the smallest IOMMU page is no power of two or larger than
 * PAGE_SIZE (BUG_ON() in init_iova_domain()).
 */
export function stopsAtBoot(release: IommuRelease, pageSize: number, granule: number): boolean {
  if (!Number.isInteger(Math.log2(granule))) return true;
  return granule > pageSize && !release.dma.largeGranules;
}

/**
 * A device behind an IOMMU. Its granule is one at which the kernel does not stop: see stopsAtBoot().
 * @param allocator where its bounce buffers come from
 */
export function createDmaDevice(
  release: IommuRelease,
  setup: DmaDeviceSetup,
  allocator: Allocator,
): DmaDevice {
  const { name, minAlignMask, segBoundaryMask, dmaMask } = setup;
  return {
    ...setup,
    domain: createIovaDomain(release.iova, setup.domain),
    table: createPageTable(setup.domain.granule),
    bouncer: createDevice(name, minAlignMask, segBoundaryMask, dmaMask, allocator),
  };
}

/** A device address: the granule's number, and the byte in it. Both are exact up to 64 bits. */
export interface DeviceAddress {
  pfn: number;
  /** Below the granule. */
  offset: number;
}

/** A device address `bytes` further on. */
export function addressAfter(
  { pfn, offset }: DeviceAddress,
  bytes: number,
  granule: number,
): DeviceAddress {
  const total = offset + bytes;
  const granules = Math.floor(total / granule);
  return { pfn: pfn + granules, offset: total - granules * granule };
}
