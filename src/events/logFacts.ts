/** What the records of a kernel log say, as plain data; diagnosis works on nothing else. */

interface FactBase {
  /** Line of the log in which the record begins. */
  line: number;
  /** Seconds, by whatever clock stands in front of the record; undefined where none does. */
  time: number | undefined;
}

/** A request that was refused. */
export interface RefusalFact extends FactBase {
  kind: 'refusal';
  /**
   * `full`: `swiotlb buffer is full`. `out-of-space` and `coherent` are what kernels before 5.0 say of
   * the same refusal again, in the next line, or alone.
   */
  message: 'full' | 'out-of-space' | 'coherent';
  device: string | undefined;
  /** Bytes. */
  size: number;
  /** Slots of all pools that the device can use, and used ones; undefined before v5.0. */
  total: number | undefined;
  used: number | undefined;
}

/** The kernel's rate limit: messages of a function that were not printed. */
export interface SuppressedFact extends FactBase {
  kind: 'suppressed';
  function: string;
  count: number;
}

/** A banner: a boot begins here. */
export interface BootFact extends FactBase {
  kind: 'boot';
  /** From `Linux version` on. */
  banner: string;
}

/** A kernel's name in an oops or a warning; no banner. */
export interface KernelFact extends FactBase {
  kind: 'kernel';
  name: string;
}

/** An address that the device cannot reach. */
export interface OverflowFact extends FactBase {
  kind: 'overflow';
  device: string | undefined;
  /** It is the bounce buffer's, and not the original one. */
  bounced: boolean;
  address: bigint;
  size: number;
  mask: bigint;
  busLimit: bigint | undefined;
}

/** The kernel could not set a pool up as it should be. */
export interface PoolTroubleFact extends FactBase {
  kind: 'pool-trouble';
  trouble: 'no-memory' | 'short' | 'not-linear' | 'unaligned-pages';
  /** The kernel's words. */
  text: string;
}

/** A sync, or an unmap, beyond what was mapped. */
export interface SyncFact extends FactBase {
  kind: 'sync';
  device: string | undefined;
  /** The kernel's words. */
  text: string;
}

/** dma-iommu would have to bounce and has no pool, or VT-d failed to. */
export interface BounceFact extends FactBase {
  kind: 'bounce-inactive';
  device: string | undefined;
  text: string;
}

/** A complaint of CONFIG_DMA_API_DEBUG. */
export interface DmaDebugFact extends FactBase {
  kind: 'dma-debug';
  device: string | undefined;
  /** A short name of what it complains of, such as `size` or `leak`. */
  complaint: string;
  text: string;
}

/** A device's access that an IOMMU refused. */
export interface IommuFaultFact extends FactBase {
  kind: 'iommu-fault';
  unit: 'VT-d' | 'AMD-Vi' | 'SMMUv2' | 'SMMUv3' | 'IOMMU';
  /** A name or PCI address, or a stream as `sid 0x100`. */
  device: string | undefined;
  address: bigint | undefined;
  access: 'read' | 'write' | undefined;
  /** In the words of the log, or of the architecture where it has numbers only. */
  reason: string;
}

/** A mapping that an IOMMU was given or lost. */
export interface IommuMapFact extends FactBase {
  kind: 'iommu-map';
  op: 'map' | 'unmap';
  iova: bigint;
  size: bigint;
  /** Of maps. */
  physAddr: bigint | undefined;
}

/** Memory for CMA that was not to be had, at boot or later. */
export interface CmaFact extends FactBase {
  kind: 'cma';
  trouble: 'overlap' | 'setup' | 'allocation';
  text: string;
  /** The region that was last reserved, with `memblock=debug`. */
  region: string | undefined;
}

/** Lockdep's complaint with a lock of dma-debug in its chain. */
export interface LockdepFact extends FactBase {
  kind: 'lockdep';
  lock: string;
}

/** A file of debugfs and what it said. */
export interface DebugfsFact extends FactBase {
  kind: 'debugfs';
  /** `io_tlb_used` and the like. */
  name: string;
  value: bigint;
}

/** One thing that a kernel log says. */
export type LogFact =
  | RefusalFact
  | SuppressedFact
  | BootFact
  | KernelFact
  | OverflowFact
  | PoolTroubleFact
  | SyncFact
  | BounceFact
  | DmaDebugFact
  | IommuFaultFact
  | IommuMapFact
  | CmaFact
  | LockdepFact
  | DebugfsFact;
