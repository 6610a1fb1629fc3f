import type { Commit, Release } from './release.js';
import { RELEASES } from './releases.js';

/**
 * From one patch level of a stable series on: which allocator its kernels have. Where backports
 * came one by one, a step may have a mix that no row of the table has.
 */
interface StableStep {
  /** The first patch level: 24 of 6.6.24. */
  from: number;
  row: string;
  /** Ids of what came on top of that row. */
  with?: readonly string[];
  /** The policies that this makes differ, and the row that has them so. */
  like?: Readonly<Partial<Record<keyof Release, string>>>;
}

/** A stable series of which not every version has the allocator of its tag. */
interface StableSeries {
  /** `6.6` of 6.6.y. */
  name: string;
  /** The newest patch level of which results or source are known; later ones are taken to be alike. */
  checked?: number;
  /** By patch level, the first of them 0. */
  steps: readonly StableStep[];
}

/** What 6.6.24, 6.7.12 and 6.8.3 took of the five commits of v6.9. */
const THREE_OF_FIVE = {
  with: ['04867a7a3332', 'cbf53074a528', '51b30ecb73b4'],
  like: { masks: 'v6.8+51b30ecb', coherentAlignMask: 'v6.8+cbf53074' },
} as const;

/**
 * Where the patch levels come from: the short logs of the announcements of 5.10.143, 5.10.147,
 * 5.15.68, 5.15.72, 5.15.154, 6.1.84, 6.6.24 and 6.6.35; the history of linux-5.10.y for 5.10.35;
 * the review of 5.15.33 for e81e99bacc9f; CVE-2023-52790 for 6.6.3; CVE-2024-35814 for 6.7.12 and
 * 6.8.3. 0eee5ae10256 was in review for 6.1.23 and 6.2.10, and was taken out before their release.
 */
const SERIES: readonly StableSeries[] = [
  {
    name: '5.10',
    checked: 262,
    steps: [
      { from: 0, row: 'v5.10' },
      { from: 35, row: 'v5.12' },
      {
        from: 143,
        row: 'v5.12',
        with: ['3f0461613ebc'],
        like: { wrapsSlotOffset: 'v5.10.223' },
      },
      { from: 147, row: 'v5.10.223' },
    ],
  },
  {
    name: '5.15',
    checked: 167,
    steps: [
      { from: 0, row: 'v5.15' },
      { from: 33, row: 'v5.16' },
      {
        from: 68,
        row: 'v5.16',
        with: ['3f0461613ebc'],
        like: { wrapsSlotOffset: 'v5.15.167' },
      },
      {
        from: 72,
        row: 'v5.16',
        with: ['3f0461613ebc', '82806744fd7d'],
        like: { wrapsSlotOffset: 'v5.15.167', maxMappingSize: 'v5.15.167' },
      },
      { from: 154, row: 'v5.15.167' },
    ],
  },
  {
    name: '6.1',
    checked: 192,
    steps: [
      { from: 0, row: 'v6.1' },
      { from: 84, row: 'v6.1.192' },
    ],
  },
  {
    name: '6.6',
    checked: 63,
    steps: [
      { from: 0, row: 'v6.6.0' },
      { from: 3, row: 'v6.6' },
      { from: 24, row: 'v6.6', ...THREE_OF_FIVE },
      { from: 35, row: 'v6.6.63' },
    ],
  },
  {
    name: '6.7',
    steps: [
      { from: 0, row: 'v6.6' },
      { from: 12, row: 'v6.6', ...THREE_OF_FIVE },
    ],
  },
  {
    name: '6.8',
    steps: [
      { from: 0, row: 'v6.8' },
      { from: 3, row: 'v6.8', ...THREE_OF_FIVE },
    ],
  },
];

/** Versions of a stable series that have one allocator. */
export interface StableRange {
  series: string;
  first: number;
  /** Undefined for a range that is open. */
  last: number | undefined;
  /** The newest patch level that was looked at, in an open range of a series that goes on. */
  checked: number | undefined;
  row: Release;
  /** What came on top of the row. */
  with: readonly Commit[];
  /** The row with that on top. */
  release: Release;
}

function rowNamed(name: string): Release {
  const row = RELEASES.find((release) => release.name === name);
  if (row === undefined) throw new Error(`no row ${name}`);
  return row;
}

function commitOf(id: string): Commit {
  const commit = RELEASES.flatMap(({ commits }) => commits).find((known) => known.id === id);
  if (commit === undefined) throw new Error(`no row has commit ${id}`);
  return commit;
}

function copyPolicy<K extends keyof Release>(to: Release, key: K, from: Release): void {
  to[key] = from[key];
}

/** The allocator of a step. */
function compose(step: StableStep): Release {
  const release = { ...rowNamed(step.row) };
  for (const [key, row] of Object.entries(step.like ?? {})) {
    copyPolicy(release, key as keyof Release, rowNamed(row));
  }
  return release;
}

/** The stable series whose versions differ, oldest first, as ranges of versions that do not. */
export const STABLE_RANGES: readonly StableRange[] = SERIES.flatMap(({ name, checked, steps }) =>
  steps.map((step, n) => ({
    series: name,
    first: step.from,
    last: n + 1 < steps.length ? steps[n + 1].from - 1 : undefined,
    checked: n + 1 < steps.length ? undefined : checked,
    row: rowNamed(step.row),
    with: (step.with ?? []).map(commitOf),
    release: compose(step),
  })),
);

/** The ranges of a series (`6.6`); none where all its versions have the allocator of the tag. */
export function rangesOf(series: string): StableRange[] {
  return STABLE_RANGES.filter((range) => range.series === series);
}

/** The row of a range, and what came on top, in words. */
export function rowWords(range: StableRange): string {
  const ids = range.with.map(({ id }) => id);
  const last = ids.pop();
  if (last === undefined) return range.row.name;
  return `${range.row.name} with ${ids.length > 0 ? `${ids.join(', ')} and ${last}` : last}`;
}

/** The versions of a range in words: `6.6.24 to 6.6.34`, `6.6.35 on`. */
export function rangeWords({ series, first, last }: StableRange): string {
  return last === undefined ? `${series}.${first} on` : `${series}.${first} to ${series}.${last}`;
}
