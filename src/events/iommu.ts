import type { Assumption, ProblemLog } from './trace.js';

/** `#kernel` of an IOMMU trace. */
export interface IommuKernelLine {
  /** The release that the rows were recorded on. */
  version: string;
  /** Releases that gave the same rows. */
  identical: string[];
  /** PAGE_SIZE, bytes. */
  pageSize: number;
  /** The trace does not tell it. */
  assumesPageSize?: boolean;
  /** CPUs that are online. */
  cpus: number;
}

/** `#domain` of an IOVA trace: one IOVA domain with its one device. */
export interface IovaDomainLine {
  name: string;
  granule: number;
  startPfn: number;
  lazy: boolean;
  pci: boolean;
  forcedac: boolean;
  /** Last byte; Infinity for none. */
  apertureEnd: number;
  /** Last byte; Infinity for none. */
  busDmaLimit: number;
  /** Names of the devices behind it, where the trace tells. */
  devices: string[];
}

/** What a row of an IOVA trace can be. */
export const IOVA_OPS = [
  'alloc',
  'free',
  'alloc_fast',
  'free_fast',
  'dma_alloc',
  'dma_free',
  'reserve',
  'cpu_dead',
  'fq_timeout',
  'depot_work',
] as const;

/** One row of an IOVA trace; what its op does not have is NaN. */
export interface IovaRow {
  /** Line in the trace. */
  line: number;
  /** Milliseconds since the start. */
  time: number;
  cpu: number;
  /** Number of its `#domain`. */
  domain: number;
  op: (typeof IOVA_OPS)[number];
  id: number;
  /** Pfns; bytes for dma ops; the size class for depot_work. */
  size: number;
  /** Highest pfn, or the device's mask for dma_alloc; Infinity for 64 bits. */
  limit: number;
  /** Flag bits; for depot_work magazines before. */
  flags: number;
  /** First pfn, for depot_work magazines after; NaN for `fail` and for none. */
  pfn: number;
  /** `fail` stands in the result. */
  failed: boolean;
}

/** What an IOVA trace says besides its rows. */
export interface IovaTrace {
  kernel: IommuKernelLine;
  domains: IovaDomainLine[];
  problems: ProblemLog;
  /** What was not read. */
  assumptions: Assumption[];
}

/** `#pool` of a dma-iommu trace. */
export interface BouncePoolLine {
  name: string;
  base: number;
  nslabs: number;
  areas: number;
}

/** `#device` of a dma-iommu trace: one device, with a domain and a page table of its own. */
export interface DmaDeviceLine {
  name: string;
  granule: number;
  startPfn: number;
  lazy: boolean;
  pci: boolean;
  /** Last byte that it reaches; Infinity for 64 bits. */
  dmaMask: number;
  untrusted: boolean;
  coherent: boolean;
  minAlignMask: number;
  /** Infinity for none. */
  segBoundaryMask: number;
  maxSegSize: number;
  /** What no trace tells, but a user may: as in IovaDomainLine. */
  forcedac?: boolean;
  apertureEnd?: number;
  busDmaLimit?: number;
}

/** What a row of a dma-iommu trace can be. */
export const DMA_OPS = [
  'map_page',
  'unmap_page',
  'map_sg',
  'unmap_sg',
  'sync_single_cpu',
  'sync_single_dev',
  'sync_sg_cpu',
  'sync_sg_dev',
  'cpu_write',
  'cpu_read',
  'dev_write',
  'dev_read',
  'alloc',
  'free',
  'iova_alloc',
  'iova_link',
  'iova_unlink',
  'iova_destroy',
  'fq_timeout',
] as const;

/** A 64-bit device address in two exact parts. */
export interface DeviceAddressField {
  /** The address without its low 12 bits, divided by 4096. */
  page: number;
  /** The low 12 bits. */
  low: number;
}

/** A stretch of physical memory. */
export interface PhysPiece {
  phys: number;
  length: number;
}

/** Copies and their bytes. */
export interface CopyCount {
  copies: number;
  bytes: number;
}

/** Where bytes begin for a device. */
export interface DeviceRange extends DeviceAddressField {
  /** Bytes; NaN for a lone address. */
  length: number;
}

/** What stands in the column result: an address that is written as addresses are, or any other text. */
export type DmaResult = number | string;

/** One row of a dma-iommu trace. Readers may use the object again: a list of physical pieces alone may be kept. */
export interface DmaRow {
  line: number;
  /** Milliseconds since the start. */
  time: number;
  cpu: number;
  /** Number of its `#device`. */
  device: number;
  op: (typeof DMA_OPS)[number];
  id: number;
  /** One piece without a length for a lone address; none for an empty field. */
  phys: readonly PhysPiece[];
  /** Bytes or entries; NaN for none. */
  size: number;
  /** 0 bidirectional, 1 to the device, 2 from the device. */
  dir: number;
  /** Attributes of the call, or the data's seed for writes. */
  attrs: number;
  /** Device addresses; none for `error` and for empty. */
  dma: readonly DeviceRange[];
  /** `error` stands in place of the device address. */
  failed: boolean;
  result: DmaResult;
  /** State after the row; NaN where it is not recorded. */
  granules: number;
  slots: number;
  leaked: number;
  toBounce: CopyCount;
  fromBounce: CopyCount;
  /** Cache maintenance, in its order. */
  arch: readonly (PhysPiece & { for: 'device' | 'cpu' })[];
  warn: number;
  /** CRC-32; NaN for none. */
  crc: number;
}

/** What a dma-iommu trace says besides its rows. */
export interface DmaIommuTrace {
  kernel: IommuKernelLine;
  /** Physical memory; undefined where the trace does not tell. */
  ram: PhysPiece | undefined;
  pools: BouncePoolLine[];
  devices: DmaDeviceLine[];
  problems: ProblemLog;
  /** What was not read. */
  assumptions: Assumption[];
}
