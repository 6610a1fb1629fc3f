import type { CopyPolicy, DmaIommuPolicy, IommuRelease, IovaPolicy } from './iommuRelease.js';
import { zeroAroundData, zeroFromData, zeroFromGranule } from './padding.js';
import type { Commit, Release } from './release.js';
import { findRelease } from './select.js';

const commit = (id: string, subject: string): Commit => ({ id, subject });

/** Differences of a row; policies differ key by key. */
interface Changes {
  kind?: IommuRelease['kind'];
  swiotlb?: string;
  iova?: Partial<IovaPolicy>;
  dma?: Partial<DmaIommuPolicy>;
  copy?: Partial<CopyPolicy>;
}

function slotAllocator(name: string): Release {
  const release = findRelease(name);
  if (release === undefined) throw new Error(`no allocator ${name}`);
  return release;
}

/** A row that differs from another in a few policies. */
function row(
  base: IommuRelease,
  name: string,
  summary: string,
  commits: readonly Commit[],
  changes: Changes = {},
): IommuRelease {
  const { kind = 'mainline', swiotlb = name, iova = {}, dma = {}, copy = {} } = changes;
  return {
    name,
    kind,
    summary,
    commits,
    swiotlb: slotAllocator(swiotlb),
    iova: { ...base.iova, ...iova },
    dma: { ...base.dma, ...dma, copy: { ...base.dma.copy, ...copy } },
  };
}

const v510: IommuRelease = {
  name: 'v5.10',
  kind: 'mainline',
  summary: 'one downward search from the cached position; dma-iommu bounces nothing',
  commits: [commit('base', 'iova and dma-iommu as v5.10 has them')],
  swiotlb: slotAllocator('v5.10'),
  iova: {
    secondPass: 'none',
    forgetsFailure: 'with-cached-node',
    magazineEntries: 128,
    depotCapacity: 32,
    trimsDepot: false,
    flushEmptiesDepot: false,
    roundsFastSizes: false,
    dac: 'always-below-4g-first',
  },
  dma: {
    bounces: false,
    alignsBounce: false,
    mapsRoundedSize: true,
    padding: zeroFromData,
    maintainsBounce: false,
    unmapCopies: 'sync-and-release',
    syncSgByAddress: false,
    syncsSgBeforeMap: true,
    sgErrors: { bounce: 0, addresses: 0 },
    refusesWideAlignMask: false,
    largeGranules: false,
    copy: { keepsSlotOffset: false, copiesInAlways: false, offsetBelowStart: 'wraps' },
    link: 'none',
  },
};

const v511 = row(
  v510,
  'v5.11',
  'a failed search looks above the cached position too; untrusted devices are bounced',
  [
    commit('4e89dce72521', 'iommu/iova: Retry from last rb tree node if iova search fails'),
    commit('6fa3525b455a', 'iommu/iova: Free global iova rcache on iova alloc failure'),
    commit('82612d66d51d', 'iommu: Allow the dma-iommu api to use bounce buffers'),
  ],
  { iova: { secondPass: 'wraps', flushEmptiesDepot: true }, dma: { bounces: true } },
);

const v512 = row(
  v511,
  'v5.12',
  'bounce buffers keep the offset in a slot that min_align_mask asks for',
  [commit('1f221a0d0dbf', 'swiotlb: respect min_align_mask')],
  { copy: { keepsSlotOffset: true } },
);

const v513 = row(
  v512,
  'v5.13',
  'iommu.forcedac=1 does without the try below 4 GiB',
  [commit('3542dcb15cef', 'iommu/dma: Resurrect the "forcedac" option')],
  { iova: { dac: 'below-4g-first' } },
);

/** v5.14 with the first patches of "Fixes for dma-iommu swiotlb bounce buffers" (v3, August 2021). */
const series = (
  base: IommuRelease,
  patches: string,
  summary: string,
  change: Commit,
  dma: Partial<DmaIommuPolicy>,
): IommuRelease =>
  row(base, `v5.14+${patches}`, summary, base === v513 ? [change] : [...base.commits, change], {
    kind: 'patched',
    swiotlb: 'v5.14',
    dma,
  });

const s1 = series(
  v513,
  's1',
  'sync_sg of an untrusted device syncs each entry by its device address',
  commit('08ae5d4a1ae9', 'dma-iommu: fix sync_sg with swiotlb'),
  { syncSgByAddress: true },
);
const s2 = series(
  s1,
  's1-2',
  'cache maintenance before the map, on the address that the device uses',
  commit('06e620345d54', 'dma-iommu: fix arch_sync_dma for map'),
  { maintainsBounce: true, syncsSgBeforeMap: false },
);
const s3 = series(
  s2,
  's1-3',
  'an unmap that has synced does not copy once more when it releases',
  commit('ee9d4097cc14', 'dma-iommu: skip extra sync during unmap w/swiotlb'),
  { unmapCopies: 'sync' },
);
const s4 = series(
  s3,
  's1-4',
  'compile-time conditions only',
  commit('2e727bffbe93', 'dma-iommu: check CONFIG_SWIOTLB more broadly'),
  {},
);
const s5 = series(
  s4,
  's1-5',
  'the size asked for is mapped, and padding in front of the data zeroed',
  commit('never merged', 'dma-iommu: account for min_align_mask (v3)'),
  { mapsRoundedSize: false, padding: zeroFromGranule },
);

const v515 = row(
  v513,
  'v5.15',
  'map_sg returns error codes; a sync below the start of its mapping is refused',
  [
    commit('ad8f36e4b6b1', 'iommu: Return full error code from iommu_map_sg[_atomic]()'),
    commit('868c9ddc182b', 'swiotlb: add overflow checks to swiotlb_bounce'),
  ],
  { dma: { sgErrors: { bounce: -5, addresses: -12 } }, copy: { offsetBelowStart: 'refused' } },
);

const v516 = row(
  v515,
  'v5.16',
  'bouncing redone: granule-aligned buffers, the size asked for is mapped, one copy at unmap',
  [
    commit('08ae5d4a1ae9', 'iommu/dma: Fix sync_sg with swiotlb'),
    commit('06e620345d54', 'iommu/dma: Fix arch_sync_dma for map'),
    commit('ee9d4097cc14', 'iommu/dma: Skip extra sync during unmap w/swiotlb'),
    commit('9b49bbc2c4df', 'iommu/dma: Fold _swiotlb helpers into callers'),
    commit('2e727bffbe93', 'iommu/dma: Check CONFIG_SWIOTLB more broadly'),
    commit('e81e99bacc9f', 'swiotlb: Support aligned swiotlb buffers'),
    commit('2cbc61a1b166', 'iommu/dma: Account for min_align_mask w/swiotlb'),
  ],
  {
    dma: {
      alignsBounce: true,
      mapsRoundedSize: false,
      maintainsBounce: true,
      unmapCopies: 'release',
      syncSgByAddress: true,
      syncsSgBeforeMap: false,
    },
  },
);

const v517 = row(
  v516,
  'v5.17',
  'alloc_iova_fast() rounds sizes that it caches',
  [commit('972bf252f860', 'iommu/iova: Move fast alloc size roundup into alloc_iova_fast()')],
  { iova: { roundsFastSizes: true } },
);

const freeEstimate = commit('5b61343b5059', 'iommu/iova: Improve 32-bit free space estimate');

const v518 = row(
  v517,
  'v5.18',
  'every free below 4 GiB makes failed sizes worth a try again; a map always copies in',
  [freeEstimate, commit('901c7280ca0d', 'Reinstate some of "swiotlb: rework ..."')],
  { iova: { forgetsFailure: 'below-4g' }, copy: { copiesInAlways: true } },
);

const v60 = row(
  v518,
  'v6.0',
  'magazines of 127 entries, so that one fits a power of two',
  [commit('b4c9bf178ace', 'iommu/iova: change IOVA_MAG_SIZE to 127 to save memory')],
  { iova: { magazineEntries: 127 } },
);

const overflowFix = commit('dcdb3ba7e2a8', 'iommu/iova: Fix alloc iova overflows issue');

const v62 = row(
  v60,
  'v6.2',
  'a second pass never begins below what the domain may hand out',
  [overflowFix],
  { iova: { secondPass: 'bounded' } },
);

const v64 = row(
  v62,
  'v6.4',
  'once there was no address below 4 GiB, the device is not sent there again',
  [commit('791c2b17fb40', 'iommu: Optimise PCI SAC address trick')],
  { iova: { dac: 'below-4g-until-failure' } },
);

const v67 = row(
  v64,
  'v6.7',
  'the depot of magazines has no limit, and is trimmed every 100 ms',
  [
    commit('911aa1245da8', 'iommu/iova: Make the rcache depot scale better'),
    commit('233045378dbb', 'iommu/iova: Manage the depot list size'),
  ],
  { iova: { depotCapacity: Number.POSITIVE_INFINITY, trimsDepot: true } },
);

const v610 = row(
  v67,
  'v6.10',
  'bounce buffers are whole granules, and everything around the data is zeroed',
  [
    commit('327e2c97c46a', 'swiotlb: remove alloc_size argument to swiotlb_tbl_map_single()'),
    commit(
      '2650073f1b58',
      'iommu/dma: fix zeroing of bounce buffer padding used by untrusted devices',
    ),
    commit('e8068f2d756d', "swiotlb: fix swiotlb_bounce() to do partial sync's correctly"),
  ],
  {
    dma: { padding: zeroAroundData, refusesWideAlignMask: true },
    copy: { offsetBelowStart: 'found' },
  },
);

const v616 = row(
  v610,
  'v6.16',
  'ranges of device addresses are allocated first and linked piece by piece',
  [commit('433a76207dcf', 'dma-mapping: Implement link/unlink ranges API')],
  { dma: { link: 'undoes-from-start' } },
);

const v71 = row(
  v616,
  'v7.1',
  'linking leaves out an empty middle, and undoes no more than it did',
  [commit('6ec91df8aff7', 'iommu/dma: Do not try to iommu_map a 0 length region in swiotlb')],
  { dma: { link: 'mended' } },
);

/** The table: mainline oldest first, then the patched kernels and the stable ones. */
export const IOMMU_RELEASES: readonly IommuRelease[] = [
  v510,
  v511,
  v512,
  v513,
  v515,
  v516,
  v517,
  v518,
  v60,
  v62,
  v64,
  v67,
  v610,
  v616,
  v71,
  s1,
  s2,
  s3,
  s4,
  s5,
  row(v510, 'v5.10.223', "v5.10 with v5.18's estimate of free space below 4 GiB", [freeEstimate], {
    kind: 'stable',
    iova: { forgetsFailure: 'below-4g' },
  }),
  row(v60, 'v6.1.170', "v6.1 with v6.2's second pass", [overflowFix], {
    kind: 'stable',
    swiotlb: 'v6.1.192',
    iova: { secondPass: 'bounded' },
  }),
];
