/** What is known of a pool besides the trace; what is left out comes from the trace. */
export interface PoolOptions {
  /** Left out for the default pool, or the only one. */
  name?: string;
  /** Physical address, a multiple of 2048. */
  base?: number;
  /** Slots of 2048 bytes. */
  nslabs?: number;
  /** A power of two. */
  areas?: number;
  /** Where the search of each area starts, in slots. */
  index?: number[];
  restricted?: boolean;
}

/** What is known of devices besides the trace. */
export interface DeviceOptions {
  /** Of the devices that are meant; `*` is any text and `?` any character. */
  name: string;
  minAlignMask?: number;
  /** A power of two less one, 0x7ff or more; Infinity for no boundary. */
  segBoundaryMask?: number;
  /** Physical addresses that they reach; Infinity for all. */
  dmaMask?: number;
  /** Name of their pool. */
  pool?: string;
}

/** How a trace is read. */
export interface TraceOptions {
  /** What reports call a trace that is no file. */
  name?: string;
  /** Skips detection: `csv`, `jsonl`, `dev-dbg`, `ftrace`, ... */
  format?: string;
  /** Path of the boot log beside it: kernel, pools and devices that it does not tell. */
  dmesg?: string;
  /** PAGE_SIZE in bytes: 4096, 16384 or 65536. Default: what the trace says, else 4096. */
  pageSize?: number;
  /** Pools that it does not tell, or that shall be others. */
  pools?: readonly PoolOptions[];
}

/** How a trace is replayed, besides the kernel. */
export interface MachineOptions extends TraceOptions {
  devices?: readonly DeviceOptions[];
  /** The default pool as the kernel's boot parameter `swiotlb=` makes it: `65536,8`. */
  swiotlb?: string;
}
