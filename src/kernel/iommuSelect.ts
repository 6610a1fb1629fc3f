import type { IommuRelease } from './iommuRelease.js';
import { IOMMU_RELEASES } from './iommuReleases.js';
import { RELEASES } from './releases.js';
import { builderWords, closestName, placeRelease } from './select.js';
import { TAGS, tagsOf } from './tags.js';
import { readVersion } from './version.js';

/** Tags and stable versions in their order. */
interface Place {
  tag: number;
  patch: number;
}

function placeOf(name: string): Place | undefined {
  const version = readVersion(name);
  if (version === undefined) return undefined;
  return { tag: version.major * 1000 + version.minor, patch: version.patch ?? 0 };
}

/** Rows of mainline tags and stable versions, with their place. */
const PLACED = IOMMU_RELEASES.filter(({ kind }) => kind !== 'patched').map((release) => ({
  release,
  place: placeOf(release.name) as Place,
}));

/** Mainline tags and rows. */
const NAMES: ReadonlySet<string> = new Set([...TAGS, ...IOMMU_RELEASES.map(({ name }) => name)]);

/** Behind a kernel's name: with granules larger than a page, which was proposed and never merged. */
const LARGE_GRANULES = '+large-granules';

/**
 * The IOMMU generation of a kernel: a row's name, a mainline tag between two rows, or a stable
 * version. Stable versions count as the newest row of their series that is not newer than they are.
 * `+large-granules` behind any of them allows granules larger than a page.
 * @returns undefined for what is older than v5.10, or no kernel's name
 */
export function findIommuRelease(name: string): IommuRelease | undefined {
  if (name.endsWith(LARGE_GRANULES)) {
    const base = findIommuRelease(name.slice(0, -LARGE_GRANULES.length));
    if (base === undefined) return undefined;
    return withLargeGranules(base);
  }
  const wanted = name.startsWith('v') ? name : `v${name}`;
  const exact = IOMMU_RELEASES.find((release) => release.name === wanted);
  if (exact !== undefined) return exact;
  const place = placeOf(name);
  if (place === undefined) return undefined;
  const stable = PLACED.filter(
    (row) => row.place.tag === place.tag && row.place.patch <= place.patch,
  );
  const older = PLACED.filter(
    (row) => row.release.kind === 'mainline' && row.place.tag <= place.tag,
  );
  const found = (stable.length > 0 ? stable : older).at(-1);
  if (found === undefined) return undefined;
  // Slot allocators change at other tags than IOMMU code does.
  const swiotlb = placeRelease(name)?.release ?? found.release.swiotlb;
  return { ...found.release, name: wanted, swiotlb };
}

/** The IOMMU generation that a kernel's name stands for, or why there is none. */
export type IommuPlacement =
  | {
      release: IommuRelease /** Where the name alone does not say it. */;
      reason: string | undefined;
    }
  | { release: undefined; reason: string };

/**
 * The IOMMU generation for a name as users have it: what placeRelease() takes, and the rows of this table.
 * @returns why not, for a kernel whose code its name does not tell; undefined for what is no kernel's name
 */
export function placeIommuRelease(name: string): IommuPlacement | undefined {
  const base = name.endsWith(LARGE_GRANULES) ? name.slice(0, -LARGE_GRANULES.length) : name;
  const isTagOrRow = [base, `v${base}`].some((known) => NAMES.has(known));
  if (isTagOrRow) return { release: findIommuRelease(name) as IommuRelease, reason: undefined };
  const version = readVersion(base);
  const placed = placeRelease(base);
  if (version === undefined || placed === undefined) return undefined;
  if (placed.release === undefined) return placed;
  const release = findIommuRelease(placed.release.name + name.slice(base.length));
  if (release === undefined) return undefined;
  if (version.hidesPatch) return { release, reason: placed.reason };
  const row = IOMMU_RELEASES.find(({ summary }) => summary === release.summary)?.name;
  return { release, reason: `as the row ${row}${builderWords(version)}` };
}

/** Names to suggest for one that is not known: those that begin like it, or the closest. */
export function nearestIommuReleases(name: string): string[] {
  const names = [...new Set([...TAGS, ...IOMMU_RELEASES.map((row) => row.name)])];
  const wanted = name.startsWith('v') ? name : `v${name}`;
  const begun = names.filter((known) => known.startsWith(wanted));
  if (begun.length > 0) return begun.slice(0, 8);
  const placed = placeRelease(name);
  if (placed !== undefined && placed.release === undefined) return placed.nearest;
  return [closestName(wanted, names)];
}

/** The newest tag that still has the code of a mainline row. */
export function lastIommuTag({ name }: IommuRelease): string {
  const from = TAGS.indexOf(name);
  const rows = IOMMU_RELEASES.filter(({ kind }) => kind === 'mainline').map((row) => row.name);
  const next = TAGS.findIndex((tag, n) => n > from && rows.includes(tag));
  return TAGS[(next < 0 ? TAGS.length : next) - 1];
}

/** The newest release. */
export function latestIommuRelease(): IommuRelease {
  return findIommuRelease(TAGS[TAGS.length - 1]) as IommuRelease;
}

/** Releases that replay a kind of trace alike. */
export interface AlikeReleases {
  release: IommuRelease;
  /** Their names: mainline tags, or the one name of a stable or patched row. */
  names: string[];
}

/** Whether two policies hold the same values; functions are the same or not. */
function isSame(a: object, b: object): boolean {
  const other = b as Record<string, unknown>;
  return Object.entries(a).every(([key, value]) =>
    typeof value === 'object' && value !== null
      ? isSame(value, other[key] as object)
      : value === other[key],
  );
}

/** The row of the table of slot allocators that a release of that name has. */
function slotRowOf(name: string): string {
  return RELEASES.find((row) => tagsOf(row).includes(name))?.name ?? name;
}

/**
 * Every release once that differs from the others, oldest first, with the names of those alike.
 * @param bounces whether the mapping layer and the slot allocator count as well, or IOVA allocation alone
 */
export function distinctIommuReleases(bounces: boolean): AlikeReleases[] {
  const isAlike = (a: IommuRelease, b: IommuRelease): boolean =>
    isSame(a.iova, b.iova) &&
    (!bounces || (isSame(a.dma, b.dma) && slotRowOf(a.swiotlb.name) === slotRowOf(b.swiotlb.name)));
  const tagged = TAGS.map((tag) => findIommuRelease(tag) as IommuRelease);
  const others = IOMMU_RELEASES.filter(({ kind }) => kind !== 'mainline');
  const found: AlikeReleases[] = [];
  for (const release of [...tagged, ...others]) {
    const alike = found.find((one) => isAlike(one.release, release));
    if (alike === undefined) found.push({ release, names: [release.name] });
    else alike.names.push(release.name);
  }
  return found;
}

/** Mainline tags that replay a kind of trace differently, each the newest of those alike, oldest first. */
export function electableIommuReleases(bounces: boolean): IommuRelease[] {
  return distinctIommuReleases(bounces).flatMap(({ names }) => {
    const newest = TAGS.findLast((tag) => names.includes(tag));
    return newest === undefined ? [] : [findIommuRelease(newest) as IommuRelease];
  });
}

/** A release as it would be with granules larger than a page. */
export function withLargeGranules(release: IommuRelease): IommuRelease {
  const dma = { ...release.dma, largeGranules: true };
  return { ...release, name: release.name + LARGE_GRANULES, kind: 'patched', dma };
}
