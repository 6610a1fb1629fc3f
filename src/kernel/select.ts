import type { Release } from './release.js';
import { RELEASES } from './releases.js';

/** The newest tag whose allocator is known; it has that of the last row of the table. */
const NEWEST_TAG = 'v7.2';

const MAINLINE = RELEASES.filter((release) => release.kind === 'mainline');

/** `v6.8` as 6008, to compare releases by; undefined for what is no mainline version. */
function versionNumber(name: string): number | undefined {
  const parts = /^v?(\d{1,3})\.(\d{1,3})$/.exec(name);
  return parts ? Number(parts[1]) * 1000 + Number(parts[2]) : undefined;
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
  return MAINLINE.map((release, n) => {
    const next = MAINLINE[n + 1];
    if (next === undefined) return latestRelease();
    const [major, minor] = next.name.slice(1).split('.').map(Number);
    // The last minor version of a major one is not known to the table; its first row is.
    return minor === 0 ? release : { ...release, name: `v${major}.${minor - 1}` };
  });
}

/**
 * The release of that name; the `v` may be left out. A mainline tag between two rows has the
 * allocator of the older one.
 * @returns undefined for what the table cannot place
 */
export function findRelease(name: string): Release | undefined {
  const wanted = name.startsWith('v') ? name : `v${name}`;
  const exact = RELEASES.find((release) => release.name === wanted);
  if (exact !== undefined) return exact;
  const number = versionNumber(wanted);
  if (number === undefined || number > (versionNumber(NEWEST_TAG) as number)) return undefined;
  const release = MAINLINE.filter((row) => rowNumber(row) <= number).at(-1);
  return release === undefined ? undefined : { ...release, name: wanted };
}

/**
 * Names to suggest for one that the table does not hold: for a version the rows next to it, for
 * anything else the names that begin like it, or the one that is fewest edits away.
 */
export function nearestReleases(name: string): string[] {
  const version = /^v?(\d{1,3}\.\d{1,3})\b/.exec(name);
  const begun = RELEASES.filter((release) => release.name.startsWith(name));
  if (begun.length > 0) return begun.map((release) => release.name);
  if (version === null) {
    const distance = (release: Release): number => editDistance(name, release.name);
    return [RELEASES.reduce((a, b) => (distance(b) < distance(a) ? b : a)).name];
  }
  const wanted = versionNumber(version[1]) as number;
  const below = MAINLINE.filter((release) => rowNumber(release) <= wanted).at(-1);
  const above = MAINLINE.find((release) => rowNumber(release) > wanted);
  return [below, above].flatMap((release) => (release ? [release.name] : []));
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
