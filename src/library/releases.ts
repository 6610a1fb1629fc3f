import type { Commit, Release, ReleaseKind } from '../kernel/release.js';
import { RELEASES } from '../kernel/releases.js';
import { lastTag } from '../kernel/select.js';
import { STABLE_RANGES } from '../kernel/stable.js';

/** A row of the table of releases. */
export interface ReleaseInfo {
  /** As `kernel` takes it: `v6.8`, `v6.6.63`, `v6.8+will-v1`. */
  name: string;
  /** A mainline tag, a version of a stable series, or a release with patches. */
  kind: ReleaseKind;
  /** What sets its allocator apart from the row before, in a line. */
  summary: string;
  /** The commits behind that line. */
  commits: readonly Commit[];
  /** The first and last tag, or version of its series, that the row stands for; null for none, or no end. */
  first: string | null;
  last: string | null;
  /** swiotlb_tbl_map_single() has an alloc_size argument. */
  takesAllocSize: boolean;
  /** Pools are split into areas. */
  hasAreas: boolean;
  /** The order in which CONFIG_SWIOTLB_DYNAMIC searches pools; null where there is no such thing. */
  dynamic: NonNullable<Release['dynamicOrder']> | null;
  /** swiotlb_max_mapping_size() in bytes, by min_align_mask. */
  maxMappingSize: Readonly<Record<string, number>>;
}

/** Masks for which the largest mapping is told: none, a sector, NVMe's page, and 64 KiB pages. */
const MASKS = [0, 0x1ff, 0xfff, 0xffff];

/** The releases whose allocators are told apart, mainline oldest first, then patched and stable ones. */
export function releases(): ReleaseInfo[] {
  return RELEASES.map((release) => ({
    name: release.name,
    kind: release.kind,
    summary: release.summary,
    commits: release.commits.map((commit) => ({ ...commit })),
    ...covers(release),
    takesAllocSize: release.takesAllocSize,
    hasAreas: release.hasAreas,
    dynamic: release.dynamicOrder ?? null,
    maxMappingSize: Object.fromEntries(
      MASKS.map((mask) => [`0x${mask.toString(16)}`, release.maxMappingSize(mask)]),
    ),
  }));
}

/** The tags, or the versions of its own series, that a row stands for; null for none, or no end. */
function covers(release: Release): { first: string | null; last: string | null } {
  if (release.kind === 'mainline') return { first: release.name, last: lastTag(release) };
  const range = STABLE_RANGES.find(
    ({ row, with: backports }) => row.name === release.name && backports.length === 0,
  );
  if (release.kind === 'patched' || range === undefined) return { first: null, last: null };
  const { series, first, last } = range;
  return { first: `v${series}.${first}`, last: last === undefined ? null : `v${series}.${last}` };
}
