/** A kernel version as one number, so that ranges can be compared: v6.6.63 is 6_006_063. */
export function versionNumber(major: number, minor: number, patch = 0): number {
  return major * 1_000_000 + minor * 1000 + patch;
}

/** An argument of a kernel function, and the field of an event that holds it. */
export interface Argument {
  /** As the function's definition, and so BTF, names it. */
  name: string;
  /** Field of the event; undefined where nobody needs it. */
  field?: string;
  /** Type that a probe prints it with. */
  type: 'string' | 'x64' | 'x32' | 'u64' | 's32';
  /** The value is behind a pointer. */
  pointer?: true;
  /** Member of the struct pointed to; the first one, so that no offset is needed without BTF. */
  firstMember?: string;
}

/** A function of the allocator, and the event that tells of a call of it. */
export interface ProbedCall {
  event: 'map' | 'unmap' | 'sync' | 'sync_cpu' | 'sync_dev' | 'alloc' | 'free' | 'release';
  symbol: string;
  /** In the order of the prototype. */
  args: readonly Argument[];
}

/** Where the default pool's geometry can be read by symbol: fetch arguments of a probe event. */
export interface PoolSymbol {
  symbol: string;
  base: string;
  nslabs: string;
}

/** What the tracing of a release can do. */
export type ProbeKind =
  /** Entry and return are two events with arguments by number. */
  | 'numbered'
  /** Two events; BTF names and members in the entry's (v6.6). */
  | 'named'
  /** One event at the return, with arguments and result (v6.9). */
  | 'joined';

/** How a device's own pool is found in struct device. */
export type DevicePool =
  /** There is one pool for all (before v5.15). */
  | 'none'
  /** dev->dma_io_tlb_mem is the pool (v5.15). */
  | 'plain'
  /** The pool is dev->dma_io_tlb_mem->defpool (v6.6). */
  | 'defpool';

/** All that sets the recipes of two releases apart. */
export interface CaptureFacts {
  /** As the user named the kernel. */
  release: string;
  /** See versionNumber(). */
  version: number;
  map: ProbedCall;
  /** What releases or syncs. */
  others: readonly ProbedCall[];
  /** swiotlb_alloc() and what frees, called for restricted pools alone; empty before v5.15. */
  restricted: readonly ProbedCall[];
  pool: PoolSymbol;
  devicePool: DevicePool;
  /** Pools have areas, and tell how many (v6.0). */
  hasAreas: boolean;
  probes: ProbeKind;
}

const DEV: Argument = { name: 'dev', field: 'dev', type: 'string' };
const HWDEV: Argument = { ...DEV, name: 'hwdev' };
const ORIG_ADDR: Argument = { name: 'orig_addr', field: 'orig_addr', type: 'x64' };
const TLB_ADDR: Argument = { name: 'tlb_addr', field: 'tlb_addr', type: 'x64' };
const MAPPING_SIZE: Argument = { name: 'mapping_size', field: 'size', type: 'u64' };
const SIZE: Argument = { name: 'size', field: 'size', type: 'u64' };
const ALLOC_SIZE: Argument = { name: 'alloc_size', field: 'alloc_size', type: 'u64' };
const ALIGN_MASK: Argument = { name: 'alloc_align_mask', field: 'align_mask', type: 'x32' };
const DIR: Argument = { name: 'dir', field: 'dir', type: 's32' };
const ATTRS: Argument = { name: 'attrs', field: 'attrs', type: 'x64' };
const TARGET: Argument = { name: 'target', field: 'target', type: 's32' };
const PAGE: Argument = { name: 'page', field: 'page', type: 'x64' };
const POOL: Argument = { name: 'pool', field: 'pool_start', type: 'x64', firstMember: 'start' };
const UNUSED_POOL: Argument = { name: 'pool', type: 'x64' };

/** A fact and the version from which on it holds, until the next of its list. */
interface Since<T> {
  from: number;
  fact: T;
}

function since<T>(major: number, minor: number, fact: T, patch = 0): Since<T> {
  return { from: versionNumber(major, minor, patch), fact };
}

const MAP_ARGS: readonly Since<readonly Argument[]>[] = [
  since(5, 10, [DEV, ORIG_ADDR, MAPPING_SIZE, ALLOC_SIZE, DIR, ATTRS]),
  // e81e99bacc9f, v5.16; 5.15.33 took it.
  since(5, 15, [DEV, ORIG_ADDR, MAPPING_SIZE, ALLOC_SIZE, ALIGN_MASK, DIR, ATTRS], 33),
  // 327e2c97c46a
  since(6, 10, [DEV, ORIG_ADDR, MAPPING_SIZE, ALIGN_MASK, DIR, ATTRS]),
  since(7, 3, [DEV, ORIG_ADDR, MAPPING_SIZE, ALIGN_MASK, DIR, { ...ATTRS, pointer: true }]),
];

function syncs(prefix: string, args: readonly Argument[]): ProbedCall[] {
  return [
    { event: 'sync_cpu', symbol: `${prefix}swiotlb_sync_single_for_cpu`, args },
    { event: 'sync_dev', symbol: `${prefix}swiotlb_sync_single_for_device`, args },
  ];
}

const OTHERS: readonly Since<readonly ProbedCall[]>[] = [
  since(5, 10, [
    {
      event: 'unmap',
      symbol: 'swiotlb_tbl_unmap_single',
      args: [HWDEV, TLB_ADDR, MAPPING_SIZE, ALLOC_SIZE, DIR, ATTRS],
    },
    {
      event: 'sync',
      symbol: 'swiotlb_tbl_sync_single',
      args: [HWDEV, TLB_ADDR, SIZE, DIR, TARGET],
    },
  ]),
  // 2973073a80b4 and 80808d273a3f
  since(5, 13, [
    {
      event: 'unmap',
      symbol: 'swiotlb_tbl_unmap_single',
      args: [DEV, TLB_ADDR, MAPPING_SIZE, DIR, ATTRS],
    },
    ...syncs('', [DEV, TLB_ADDR, SIZE, DIR]),
  ]),
  // 7296f2301a05: the old names became inline functions that look up the pool first.
  since(6, 11, [
    {
      event: 'unmap',
      symbol: '__swiotlb_tbl_unmap_single',
      args: [DEV, TLB_ADDR, MAPPING_SIZE, DIR, ATTRS, POOL],
    },
    ...syncs('__', [DEV, TLB_ADDR, SIZE, DIR, UNUSED_POOL]),
  ]),
];

/** f4111e39a52a. Callers get and give pages; the release says at which address they lie. */
const RESTRICTED: readonly Since<readonly ProbedCall[]>[] = [
  since(5, 10, []),
  since(5, 15, [
    { event: 'alloc', symbol: 'swiotlb_alloc', args: [DEV, SIZE] },
    { event: 'free', symbol: 'swiotlb_free', args: [DEV, PAGE, SIZE] },
    { event: 'release', symbol: 'swiotlb_release_slots', args: [DEV, TLB_ADDR] },
  ]),
];

/**
 * The pool's struct begins with its start, its end, from v5.17 on (1a5e91d8375f) a virtual address,
 * and the slots: words of 64 bits whatever the build, so that they are found without BTF.
 */
const POOL_SYMBOL: readonly Since<PoolSymbol>[] = [
  since(5, 10, {
    symbol: 'io_tlb_start',
    base: '@io_tlb_start:x64',
    nslabs: '@io_tlb_nslabs:u64',
  }),
  // 2d29960af0be: a pointer to the pool.
  since(5, 13, {
    symbol: 'io_tlb_default_mem',
    base: '+0(@io_tlb_default_mem):x64',
    nslabs: '+16(@io_tlb_default_mem):u64',
  }),
  // 463e862ac63e: the pool itself.
  since(5, 15, {
    symbol: 'io_tlb_default_mem',
    base: '@io_tlb_default_mem:x64',
    nslabs: '@io_tlb_default_mem+16:u64',
  }),
  since(5, 17, {
    symbol: 'io_tlb_default_mem',
    base: '@io_tlb_default_mem:x64',
    nslabs: '@io_tlb_default_mem+24:u64',
  }),
];

const DEVICE_POOL: readonly Since<DevicePool>[] = [
  since(5, 10, 'none'),
  since(5, 15, 'plain'),
  since(6, 6, 'defpool'),
];

const PROBES: readonly Since<ProbeKind>[] = [
  since(5, 10, 'numbered'),
  since(6, 6, 'named'),
  // 25f00e40ce79
  since(6, 9, 'joined'),
];

function at<T>(history: readonly Since<T>[], version: number): T {
  const known = history.filter(({ from }) => from <= version).at(-1) ?? history[0];
  return known.fact;
}

/**
 * What is known of a kernel. Newer versions than any that is known are taken to be like the newest.
 * @param release name for the script's own words
 * @param version as versionNumber() gives it, v5.10 or newer
 */
export function captureFacts(release: string, version: number): CaptureFacts {
  return {
    release,
    version,
    map: { event: 'map', symbol: 'swiotlb_tbl_map_single', args: at(MAP_ARGS, version) },
    others: at(OTHERS, version),
    restricted: at(RESTRICTED, version),
    pool: at(POOL_SYMBOL, version),
    devicePool: at(DEVICE_POOL, version),
    hasAreas: version >= versionNumber(6, 0),
    probes: at(PROBES, version),
  };
}
