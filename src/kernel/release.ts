import type { MaskPolicy, SizePolicy } from './plan.js';

/** A kernel commit that made a release behave as it does. */
export interface Commit {
  /** Mainline id, or where the patch was posted if it was never merged. */
  id: string;
  subject: string;
}

/** What a row of the table stands for. */
export type ReleaseKind =
  /** A mainline tag, and those after it until the next row. */
  | 'mainline'
  /** A version of a stable series that carries fixes of later tags. */
  | 'stable'
  /** A release with patches; never chosen by itself. */
  | 'patched';

/** What sets the boot code of releases with areas apart. */
export interface BootPolicy {
  /** Where memory is short, half the pool is tried, down to 512 slots (8d58aa484920, v6.2). */
  halves: boolean;
  /** No more areas than segments: the boot path uses the limit from v6.6 on (8ac04063354a). */
  limitsAreas: boolean;
  /** Slots below which the kernel panics (v6.0). */
  leastNslabs: number;
}

/**
 * One row of the table of allocators: the policies that make up a release. Everything that is not
 * here is the same in every release.
 */
export interface Release {
  /** How users name it: `v6.8`, `v6.6.63`, or `v6.8+will-v1` for a patched one. */
  name: string;
  kind: ReleaseKind;
  /** What sets this allocator apart from the row before, in a line. */
  summary: string;
  /** The commits behind that line. */
  commits: readonly Commit[];
  /** Bytes, offset and slots of a request. */
  size: SizePolicy;
  /** Alignment masks and stride of a request. */
  masks: MaskPolicy;
  /** swiotlb_tbl_map_single() has an alloc_size argument, and refuses one below mapping_size. */
  takesAllocSize: boolean;
  /** An unmap releases what its caller says, not what was stored at the map (up to v5.12). */
  believesUnmapSize: boolean;
  /** The slot's offset in a result is a 32-bit number, and overflows from 4 GiB on (up to v6.0). */
  wrapsSlotOffset: boolean;
  /** Areas, each with an index and a count of its own (20347fca71a3); one alone before. */
  hasAreas: boolean;
  /** How the default pool is set up, in releases that have areas. */
  boot: BootPolicy;
  /**
   * alloc_align_mask that swiotlb_alloc() searches with, for a size in bytes; undefined where there
   * is no swiotlb_alloc() (before v5.15). The line of the trace is for messages.
   */
  coherentAlignMask: ((size: number, pageSize: number, line?: number) => number) | undefined;
  /** swiotlb_alloc() gives back and refuses a result that does not start on a page (823353b7cf0e). */
  refusesUnalignedPages: boolean;
  /** Free-run counters of a last, partial segment end at the pool's end (53c87e846e33). */
  clampsTail: boolean;
  /**
   * With CONFIG_SWIOTLB_DYNAMIC: all areas of one pool before the next pool, or (55c543865b76,
   * v6.8) one area of every pool before the next area. Undefined before v6.6.
   */
  dynamicOrder: 'pool-by-pool' | 'area-by-area' | undefined;
  /** swiotlb_max_mapping_size() for a device's min_align_mask, in bytes. */
  maxMappingSize: (minAlignMask: number) => number;
  /** Where the policies come from that are not of the table; undefined where all are. */
  policyOf?: string;
}
