import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { PROJECT, swiotlbReplay } from '../support/cli.js';
import { filesOf, STORIES } from '../support/stories.js';

function hasFile(story: string, file: RegExp): boolean {
  return filesOf(story).some((name) => file.test(name));
}

/**
 * Stories about the slot allocator; those with a kernel log alone are told in diagnose.test.ts, those
 * behind an IOMMU in check/dma/stories.test.ts.
 */
const TOLD = STORIES.filter(
  (story) => !story.startsWith('iommu-') && hasFile(story, /^trace\.(csv|log)$/),
);

/** Stories about what a recording tells: the exit status of `verify`, and what the report says. */
const TOLD_OF_RECORDINGS: Record<string, [status: number, words: string]> = {
  'lost-unmap': [3, '1 event missing'],
  'returned-late': [0, 'was found by trying'],
};

/**
 * The finding that each story is told for, and the release in which it is gone; what only another pool or
 * a mended driver makes go away has that among its expectations.
 */
const TOLD_FOR: Record<
  string,
  [rule: string, cause: string | undefined, fixed: string | undefined]
> = {
  'address-zero': ['min-align-mask', undefined, 'v6.1'],
  'contradicting-masks': ['pool-full', 'unsatisfiable', 'v6.9'],
  'double-allocation': ['double-allocated-page', undefined, 'v6.9'],
  'endless-search': ['endless-search', undefined, 'v6.3'],
  'every-second-page': ['pool-full', 'alignment', 'v6.3'],
  fragmented: ['pool-full', 'fragmented', undefined],
  'freed-neighbour': ['double-allocated-slot', undefined, 'v6.9'],
  'lost-bit': ['min-align-mask', undefined, 'v6.9'],
  'mask-ignored': ['min-align-mask', undefined, 'v5.12'],
  'missing-unmap': ['pool-full', 'exhausted', undefined],
  'odd-start': ['pool-full', 'alignment', 'v6.9'],
  'other-direction': ['dir-mismatch', undefined, undefined],
  'page-bits': ['page-alignment', undefined, 'v6.9'],
  'partial-unmap': ['wrong-free', 'fragmented', 'v5.13'],
  'past-the-end': ['beyond-pool', undefined, 'v6.6.3'],
  'restricted-alone': ['pool-full', 'area-skew', 'v6.6.63'],
  'segment-boundary': ['pool-full', 'boundary', undefined],
  'short-areas': ['area-overrun', undefined, undefined],
  'skewed-areas': ['pool-full', 'area-skew', 'v5.19'],
  'stepped-over': ['pool-full', 'alignment', 'v6.1'],
  'too-large': ['pool-full', 'too-large', undefined],
  'transient-odd-slot': ['pool-full', 'alignment', undefined],
  'unaligned-granule': ['alloc-alignment', undefined, 'v6.9'],
  'unmapped-elsewhere': ['unmatched-unmap', undefined, undefined],
  'unmapped-twice': ['double-unmap', undefined, undefined],
};

test('every story is told for something', () => {
  expect(TOLD).toEqual(Object.keys(TOLD_FOR));
});

test('every recording is told of', () => {
  const recordings = STORIES.filter((story) => hasFile(story, /^trace\.txt$/));
  expect(recordings).toEqual(Object.keys(TOLD_OF_RECORDINGS));
});

test.each(Object.entries(TOLD_OF_RECORDINGS))('the recording %s', (story, [status, words]) => {
  const trace = join('traces', story, 'trace.txt');
  expect(swiotlbReplay(['verify', '--strict', trace]).status).toBe(status);
  expect(swiotlbReplay([trace]).stdout.replace(/\s+/g, ' ')).toContain(words);
});

describe.each(TOLD)('the story %s', (story) => {
  const folder = join('traces', story);
  const [rule, cause, fixed] = TOLD_FOR[story];
  const trace = ['trace.log', 'trace.csv']
    .map((name) => join(folder, name))
    .find((path) => existsSync(join(PROJECT, path)));
  const replay = (...options: string[]) =>
    JSON.parse(swiotlbReplay([trace ?? '', '--json', ...options]).stdout);

  test('records what its kernel gives', () => {
    expect(swiotlbReplay(['verify', '--strict', trace ?? '']).status).toBe(0);
  });

  test('shows what it is told for', () => {
    const { summary, allocations } = replay();
    expect(summary.findings[rule]).toBeGreaterThan(0);
    if (cause === undefined) return;
    const causes = allocations.map((row: { cause?: string }) => row.cause);
    expect(causes).toContain(cause);
  });

  test.skipIf(fixed === undefined)('is another one where that is mended', () => {
    expect(replay('--kernel', fixed ?? '').summary.findings[rule]).toBeUndefined();
  });
});
