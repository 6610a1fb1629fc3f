import type { Release } from './release.js';
import { RELEASES } from './releases.js';
import { rangesOf, rangeWords, rowWords, type StableRange } from './stable.js';
import { tagsOf } from './tags.js';
import { type KernelVersion, readVersion } from './version.js';

const MAINLINE = RELEASES.filter((release) => release.kind === 'mainline');

/** The newest tag whose allocator is known; it has that of the last row of the table. */
const NEWEST_TAG = lastTag(MAINLINE[MAINLINE.length - 1]);

/** Tags in their order. */
function tagNumber(major: number, minor: number): number {
  return major * 1000 + minor;
}

/** `v6.8` as a number, to compare tags by; undefined for what is no mainline tag. */
function versionNumber(name: string): number | undefined {
  const parts = /^v?(\d{1,3})\.(\d{1,3})$/.exec(name);
  return parts ? tagNumber(Number(parts[1]), Number(parts[2])) : undefined;
}

function rowNumber(release: Release): number {
  return versionNumber(release.name) as number;
}

/** The newest release. */
export function latestRelease(): Release {
  return { ...MAINLINE[MAINLINE.length - 1], name: NEWEST_TAG };
}

/**
 * The releases that a trace may have been recorded on, oldest first: each mainline row once, under
 * the newest tag that still has its allocator.
 */
export function candidateReleases(): Release[] {
  return MAINLINE.map((release) => ({ ...release, name: lastTag(release) }));
}

/** The newest tag that still has the allocator of a mainline row. */
export function lastTag(row: Release): string {
  return tagsOf(row).at(-1) ?? row.name;
}

/**
 * The release of that name; the `v` may be left out. A mainline tag between two rows has the
 * allocator of the older one.
 * @returns undefined for what is neither a row's name nor a mainline tag
 */
export function findRelease(name: string): Release | undefined {
  const wanted = name.startsWith('v') ? name : `v${name}`;
  const exact = RELEASES.find((release) => release.name === wanted);
  if (exact !== undefined) return exact;
  const number = versionNumber(wanted);
  if (number === undefined) return undefined;
  const release = rowOfTag(number);
  return release === undefined ? undefined : { ...release, name: wanted };
}

function rowOfTag(number: number): Release | undefined {
  if (number > (versionNumber(NEWEST_TAG) as number)) return undefined;
  return MAINLINE.filter((row) => rowNumber(row) <= number).at(-1);
}

/** The release that a kernel's name stands for, or why there is none. */
export type Placement =
  | {
      /** Under the kernel's own name, whatever the row's is. */
      release: Release;
      /** Which row it is and why, where the name is not the row's own. */
      reason: string | undefined;
    }
  | {
      release: undefined;
      reason: string;
      /** Names to offer instead, the older first. */
      nearest: string[];
    };

/**
 * The release for a name as users have it: a row's name, a mainline tag, a release candidate, a
 * stable version, or what uname prints.
 * @returns why not, for a kernel whose allocator its name does not tell; undefined for what is no
 *   kernel's name
 */
export function placeRelease(name: string): Placement | undefined {
  const found = findRelease(name) ?? patchedRelease(name);
  if (found !== undefined) return { release: found, reason: unchanged(found) };
  const version = readVersion(name);
  if (version === undefined) return undefined;
  const number = tagNumber(version.major, version.minor);
  const row = rowOfTag(number);
  if (row === undefined) {
    const newer = number > (versionNumber(NEWEST_TAG) as number);
    return {
      release: undefined,
      reason: newer
        ? `${NEWEST_TAG} is the newest release that is known (--kernel latest tries it)`
        : `${MAINLINE[0].name} is the oldest release that is known`,
      nearest: [newer ? NEWEST_TAG : MAINLINE[0].name],
    };
  }
  return ownBackports(version, row) ?? placeVersion(version, row);
}

/** A patched row by more digits of its commit's id than its name has. */
function patchedRelease(name: string): Release | undefined {
  const wanted = name.startsWith('v') ? name : `v${name}`;
  const digits = wanted.slice(wanted.indexOf('+') + 1);
  return RELEASES.find(
    (row) =>
      row.kind === 'patched' &&
      wanted.startsWith(row.name) &&
      row.commits.some(({ id }) => id.startsWith(digits) || digits.startsWith(id)),
  );
}

/** For a tag between two rows: which row it is. */
function unchanged(release: Release): string | undefined {
  if (RELEASES.some(({ name }) => name === release.name)) return undefined;
  const row = rowOfTag(versionNumber(release.name) as number) as Release;
  return `as the row ${row.name}, unchanged up to ${lastTag(row)}`;
}

/**
 * Kernels of which it is known that their builders take swiotlb changes of later releases, so that
 * their version says nothing: RHEL's and its kin (`5.14.0-427.el9`, with the v6.9 and v6.10 changes)
 * and SUSE's enterprise kernels; android15-6.6 has the series of v6.9 before 6.6.35 has it.
 */
function ownBackports(version: KernelVersion, row: Release): Placement | undefined {
  const { major, minor, patch = 0, suffix } = version;
  const enterprise = /[.-]el\d/.test(suffix) || /^-1[56]\d{4}\./.test(suffix);
  const android = /^-android15\b/.test(suffix) && major === 6 && minor === 6 && patch < 35;
  if (!enterprise && !android) return undefined;
  return {
    release: undefined,
    reason: `its builder (${suffix.slice(1)}) takes changes of later releases, so that ${major}.${minor} does not tell its allocator`,
    nearest: android ? ['v6.6', 'v6.6.63'] : neighbours(row),
  };
}

function placeVersion(version: KernelVersion, row: Release): Placement {
  const { major, minor, candidate, hidesPatch } = version;
  const series = `${major}.${minor}`;
  const ranges = rangesOf(series);
  const patch = version.patch ?? 0;
  const range = ranges.find(({ first, last }) => first <= patch && patch <= (last ?? patch));
  const found = range?.release ?? row;
  const place = (name: string, reason: string): Placement => ({
    release: { ...found, name },
    reason: reason + builderWords(version),
  });
  if (hidesPatch && ranges.length > 0) return newestOf(ranges, version);
  if (hidesPatch) return place(`v${series}`, `as the row ${row.name}, like every ${series}.y`);
  if (candidate !== '') {
    const named = range?.row.name ?? row.name;
    return place(
      `v${series}${candidate}`,
      `as the row ${named}: a release candidate counts as its tag`,
    );
  }
  if (range === undefined) {
    const name = patch === 0 ? `v${series}` : `v${series}.${patch}`;
    return place(name, `as the row ${row.name}, like every ${series}.y`);
  }
  const beyond =
    range.checked !== undefined && patch > range.checked
      ? ` (checked up to ${series}.${range.checked})`
      : '';
  return place(
    `v${series}.${patch}`,
    `as the row ${rowWords(range)}, from ${rangeWords(range)}${beyond}`,
  );
}

/** A warning about who else may have patched the kernel; empty for a kernel.org version. */
export function builderWords({ suffix }: KernelVersion): string {
  return suffix === '' ? '' : `; what its builder changed (${suffix.trim()}) is not known`;
}

/**
 * A distributor's name for its builds of a series whose versions differ: who runs such a kernel most
 * likely runs a new one, and is told that it was a guess and how to do better.
 */
function newestOf(ranges: readonly StableRange[], { suffix }: KernelVersion): Placement {
  const newest = ranges[ranges.length - 1];
  const { series, first } = newest;
  return {
    release: { ...newest.release, name: `v${series}.${first}` },
    reason:
      `a guess: a name that ends in ${suffix} does not tell which ${series}.y it is, and they differ` +
      ` (${ranges.map(rangeWords).join(', ')}); this is the newest, as the row ${rowWords(newest)}.` +
      ' Exact is --kernel "$(uname -rv)" on Debian, --kernel "$(cat /proc/version_signature)" on Ubuntu',
  };
}

/** The mainline row and the one after it. */
function neighbours(row: Release): string[] {
  const at = MAINLINE.findIndex(({ name }) => name === row.name);
  return MAINLINE.slice(at, at + 2).map(({ name }) => name);
}

/**
 * Names to suggest for one that the table does not hold: for a version the rows next to it, for
 * anything else the names that begin like it, or the one that is fewest edits away.
 */
export function nearestReleases(name: string): string[] {
  const placed = placeRelease(name);
  if (placed !== undefined && placed.release === undefined) return placed.nearest;
  const begun = RELEASES.filter((release) => release.name.startsWith(name));
  if (begun.length > 0) return begun.map((release) => release.name);
  const version = /^v?(\d{1,3}\.\d{1,3})\b/.exec(name);
  const row = version === null ? undefined : rowOfTag(versionNumber(version[1]) as number);
  if (row !== undefined) return neighbours(row);
  return [
    closestName(
      name,
      RELEASES.map((release) => release.name),
    ),
  ];
}

/** The one of some names that is fewest edits away. */
export function closestName(name: string, names: readonly string[]): string {
  return names.reduce((a, b) => (editDistance(name, b) < editDistance(name, a) ? b : a));
}

/** Levenshtein distance; names are short, so the plain table will do. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, i) => i);
  for (let i = 1; i <= Math.min(from.length, 64); i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const change = from[i - 1] === to[j - 1] ? 0 : 1;
      next.push(Math.min(next[j - 1] + 1, row[j] + 1, row[j - 1] + change));
    }
    row = next;
  }
  return row[to.length];
}
