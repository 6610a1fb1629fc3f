import type { IommuRelease } from './iommuRelease.js';
import { IOMMU_RELEASES } from './iommuReleases.js';
import { placeRelease } from './select.js';
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
    const dma = { ...base.dma, largeGranules: true };
    return { ...base, name: base.name + LARGE_GRANULES, kind: 'patched', dma };
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
