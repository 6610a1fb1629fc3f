import type { PaddingPolicy } from './padding.js';
import type { Commit, Release, ReleaseKind } from './release.js';

/** What sets the IOVA allocators of releases apart. */
export interface IovaPolicy {
  /**
   * After a search from the cached position failed: none (up to v5.10), a second pass above that
   * position (4e89dce72521, v5.11), which wraps to pfn 0 where the position is the anchor, or one
   * that does not (dcdb3ba7e2a8, v6.2).
   */
  secondPass: 'none' | 'wraps' | 'bounded';
  /**
   * Which free forgets that a size did not fit below 4 GiB: one that moves the cached position, or
   * (5b61343b5059, v5.18) every one below 4 GiB.
   */
  forgetsFailure: 'with-cached-node' | 'below-4g';
  /** Entries of a magazine (IOVA_MAG_SIZE): 128, or (b4c9bf178ace, v6.0) 127. */
  magazineEntries: number;
  /** Magazines of a depot (MAX_GLOBAL_MAGS): 32; Infinity from v6.7 on (911aa1245da8). */
  depotCapacity: number;
  /** Work trims the depot to one magazine per CPU, every 100 ms (233045378dbb, v6.7). */
  trimsDepot: boolean;
  /** A failed allocation empties the depots as well as the CPUs' caches (6fa3525b455a, v5.11). */
  flushEmptiesDepot: boolean;
  /** The caches' sizes are rounded up by alloc_iova_fast(), not by dma-iommu alone (972bf252f860, v5.17). */
  roundsFastSizes: boolean;
  /**
   * PCI devices get addresses below 4 GiB first: always; unless iommu.forcedac=1 (3542dcb15cef,
   * v5.13); or (791c2b17fb40, v6.4) until that fails once.
   */
  dac: 'always-below-4g-first' | 'below-4g-first' | 'below-4g-until-failure';
}

/** What swiotlb copies between a buffer and its bounce buffer, and how it finds the buffer. */
export interface CopyPolicy {
  /** Data keeps its offset in a slot, as min_align_mask asks (1f221a0d0dbf, v5.12). */
  keepsSlotOffset: boolean;
  /** A map copies in whatever the direction (v5.18); before, only what goes to the device. */
  copiesInAlways: boolean;
  /**
   * What becomes of an access that begins in a later slot, below the offset that the first slot has:
   * the offset wraps to nearly 4 GiB and the copy goes astray (up to v5.14); it is refused with a
   * warning (868c9ddc182b, v5.15); it is found (e8068f2d756d, v6.10).
   */
  offsetBelowStart: 'wraps' | 'refused' | 'found';
}

/** What sets the dma-iommu mapping paths of releases apart. */
export interface DmaIommuPolicy {
  /** What an untrusted device maps is bounced by dma-iommu itself (82612d66d51d, v5.11). */
  bounces: boolean;
  /** alloc_align_mask of a bounce buffer is a granule's (e81e99bacc9f, v5.16); 0 before. */
  alignsBounce: boolean;
  /** The IOMMU maps the size rounded up, on top of the buffer's offset (up to v5.15). */
  mapsRoundedSize: boolean;
  padding: PaddingPolicy;
  /** A map's cache maintenance is for the address really used, before the map (06e620345d54). */
  maintainsBounce: boolean;
  /**
   * What an unmap copies back: sync and release both (up to v5.15); the sync alone (patch 3 of the
   * series, ee9d4097cc14); the release alone (9b49bbc2c4df, v5.16).
   */
  unmapCopies: 'sync-and-release' | 'sync' | 'release';
  /** sync_sg of an untrusted device finds the bounce buffers by device address (08ae5d4a1ae9). */
  syncSgByAddress: boolean;
  /** map_sg syncs an untrusted device's list before there is anything to sync (up to v5.15). */
  syncsSgBeforeMap: boolean;
  /** What map_sg returns where an entry could not be bounced, and where no addresses were left. */
  sgErrors: { bounce: number; addresses: number };
  /** Nothing is mapped for a device whose min_align_mask is wider than a granule (v6.10 has it). */
  refusesWideAlignMask: boolean;
  /**
   * A granule may be larger than a page. No release has this: all stop at boot. It is what the
   * discussion of August 2021 came to, "Support IOMMU page sizes larger than the CPU page size".
   */
  largeGranules: boolean;
  copy: CopyPolicy;
  /**
   * dma_iova_link() and its kin: none; v6.16's, which links an empty middle between two bounced ends
   * and undoes a failure from the range's start; or that mended (6ec91df8aff7, v7.1).
   */
  link: 'none' | 'undoes-from-start' | 'mended';
}

/** One row of the table of IOMMU generations. */
export interface IommuRelease {
  /** As in the table of allocators: `v6.8`, `v6.1.170`, `v5.14+s1-2`. */
  name: string;
  kind: ReleaseKind;
  /** What sets it apart from the row before, in a line. */
  summary: string;
  commits: readonly Commit[];
  /** The allocator of bounce buffers: that of the kernel by whose name the row was found. */
  swiotlb: Release;
  iova: IovaPolicy;
  dma: DmaIommuPolicy;
}
