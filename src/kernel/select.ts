import { RELEASES, type Release } from './releases.js';

/** The newest release that is not a patched kernel. */
export function latestRelease(): Release {
  return RELEASES.filter((release) => !release.patched).at(-1) as Release;
}

/**
 * The release of that name; the `v` may be left out.
 * @returns undefined where the table has no such row.
 */
export function findRelease(name: string): Release | undefined {
  const wanted = name.startsWith('v') ? name : `v${name}`;
  return RELEASES.find((release) => release.name === wanted);
}

/**
 * Names to suggest for one that the table does not hold: for a version the rows next to it, for
 * anything else the name that is fewest edits away.
 */
export function nearestReleases(name: string): string[] {
  const wanted = versionNumber(name);
  if (wanted === undefined) {
    const begun = RELEASES.filter((release) => release.name.startsWith(name));
    if (begun.length > 0) return begun.map((release) => release.name);
    const distance = (release: Release): number => editDistance(name, release.name);
    return [RELEASES.reduce((a, b) => (distance(b) < distance(a) ? b : a)).name];
  }
  const mainline = RELEASES.filter((release) => !release.patched);
  const numberOf = (release: Release): number => versionNumber(release.name) as number;
  const below = mainline.filter((release) => numberOf(release) <= wanted).at(-1);
  const above = mainline.find((release) => numberOf(release) > wanted);
  return [below, above].flatMap((release) => (release ? [release.name] : []));
}

/** `v6.8` as 6008, to compare releases by; undefined for what is no version. */
function versionNumber(name: string): number | undefined {
  const parts = /^v?(\d{1,3})\.(\d{1,3})(\.\d+)*$/.exec(name);
  return parts ? Number(parts[1]) * 1000 + Number(parts[2]) : undefined;
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
