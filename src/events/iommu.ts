import type { ProblemLog } from './trace.js';

/** `#kernel` of an IOMMU trace. */
export interface IommuKernelLine {
  /** The release that the rows were recorded on. */
  version: string;
  /** Releases that gave the same rows. */
  identical: string[];
  /** PAGE_SIZE, bytes. */
  pageSize: number;
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

/** An IOVA trace, read. */
export interface IovaTrace {
  kernel: IommuKernelLine;
  domains: IovaDomainLine[];
  rows: IovaRow[];
  problems: ProblemLog;
}
