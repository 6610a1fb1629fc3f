import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { RuleId } from '../../../src/check/rules.js';
import { findIommuRelease } from '../../../src/kernel/iommuSelect.js';
import { PROJECT } from '../../support/cli.js';
import { findIn, short } from '../../support/dmaChecks.js';
import { replayDma } from '../../support/dmaVectors.js';
import { readDmaIommuTrace } from '../../support/iommuVectors.js';

/** What each story is told for, with the lines at which it shows, and the releases that mend it. */
const STORIES: [name: string, rule: RuleId, lines: number[], mended: string[]][] = [
  ['iommu-stale-mapping', 'stale-mapping', [10, 13], ['v5.14+s1-5', 'v5.16', 'v6.10', 'v7.2']],
  ['iommu-stale-mapping', 'iova-collision', [15], ['v5.14+s1-5', 'v5.16', 'v6.10', 'v7.2']],
  ['iommu-padding-leak', 'padding-leak', [12], ['v5.14+s1-5', 'v6.10', 'v7.2']],
  ['iommu-lost-sync', 'lost-sync', [9], ['v5.14+s1', 'v5.16', 'v7.2']],
  ['iommu-double-copy', 'double-copy', [9], ['v5.14+s1-3', 'v5.16', 'v7.2']],
  ['iommu-granule-exposure', 'granule-exposure', [8, 9, 11], ['v5.16', 'v6.10', 'v7.2']],
  ['iommu-granule-exposure', 'padding-leak', [11], ['v5.16', 'v6.10', 'v7.2']],
];

function storyOf(name: string): ReturnType<typeof readDmaIommuTrace> {
  const text = readFileSync(join(PROJECT, 'traces', name, 'trace.csv'), 'utf8');
  return readDmaIommuTrace(text.trimEnd().split('\n'));
}

const NAMES = [...new Set(STORIES.map(([name]) => name)), 'iommu-large-granules'];

describe.each(NAMES)('the story %s', (name) => {
  const trace = storyOf(name);

  test('has two lines on what it shows and where it comes from', () => {
    const text = readFileSync(join(PROJECT, 'traces', name, 'README.md'), 'utf8');
    expect(text.trimEnd().split('\n')).toHaveLength(2);
  });

  test('records what its kernel gives', () => {
    const release = findIommuRelease(trace.kernel.version);
    if (release === undefined) throw new Error(trace.kernel.version);
    expect(replayDma(trace, release)).toEqual({ compared: trace.rows.length, differences: [] });
  });
});

describe.each(STORIES)('the story %s', (name, rule, lines, mended) => {
  const trace = storyOf(name);
  const found = (release: string): string[] =>
    short(findIn(trace, release)).filter((one) => one.startsWith(`${rule}@`));

  test(`shows ${rule} where it is told`, () => {
    expect(found(trace.kernel.version)).toEqual(lines.map((line) => `${rule}@${line}`));
  });

  test.each(mended)(`is without ${rule} in %s`, (release) => {
    expect(found(release)).toEqual([]);
  });
});

describe('the story iommu-large-granules', () => {
  const levels = (release: string): string[] =>
    findIn(storyOf('iommu-large-granules'), release)
      .filter(({ rule }) => rule === 'granule-exposure')
      .map(({ level, device }) => `${level} ${device}`);

  test('exposes the pool to untrusted devices with the bouncing of v5.14', () => {
    expect(levels('v5.14+large-granules')).toEqual(['warning eth', 'warning nvme', 'note disk']);
  });

  test.each(['v5.16', 'v6.10', 'v7.2'])('is a note on the trusted one with that of %s', (base) => {
    expect(levels(`${base}+large-granules`)).toEqual(['note disk']);
  });

  test('says how many pages the trusted one sees', () => {
    const notes = findIn(storyOf('iommu-large-granules'), 'v7.2+large-granules');
    expect(notes.map(({ message }) => message)).toEqual([
      '3 of 3 mappings of this trusted device share granules of 16 KiB with other memory, this one first:' +
        ' up to 20 KiB beside a buffer, and up to 5 whole pages of it',
    ]);
  });
});

test('the mended releases find nothing else wrong in the stories', () => {
  for (const name of NAMES) {
    const worse = findIn(storyOf(name), 'v7.2+large-granules').filter(
      ({ level }) => level !== 'note',
    );
    expect(worse).toEqual([]);
  }
});
