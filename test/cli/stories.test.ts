import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { PROJECT, swiotlbReplay } from '../support/cli.js';

const FOLDERS = readdirSync(join(PROJECT, 'traces'));

function hasFile(story: string, file: RegExp): boolean {
  return readdirSync(join(PROJECT, 'traces', story)).some((name) => file.test(name));
}

/**
 * Stories about the slot allocator; those with a kernel log alone are told in diagnose.test.ts, those
 * behind an IOMMU in check/dma/stories.test.ts.
 */
const STORIES = FOLDERS.filter(
  (story) => !story.startsWith('iommu-') && hasFile(story, /^trace\.(csv|log)$/),
);

/** Stories about what a recording tells: the exit status of `verify`, and what the report says. */
const TOLD_OF_RECORDINGS: Record<string, [status: number, words: string]> = {
  'lost-unmap': [3, '1 event missing'],
  'returned-late': [0, 'was found by trying'],
};

/** The finding that each story is told for, and the release in which it is gone. */
const TOLD_FOR: Record<
  string,
  [rule: string, cause: string | undefined, fixed: string | undefined]
> = {
  'contradicting-masks': ['pool-full', 'unsatisfiable', 'v6.9'],
  'double-allocation': ['double-allocated-page', undefined, 'v6.9'],
  'endless-search': ['endless-search', undefined, 'v6.3'],
  fragmented: ['pool-full', 'fragmented', undefined],
  'freed-neighbour': ['double-allocated-slot', undefined, 'v6.9'],
  'page-bits': ['page-alignment', undefined, 'v6.9'],
  'stepped-over': ['pool-full', 'alignment', 'v6.1'],
  'transient-odd-slot': ['pool-full', 'alignment', undefined],
};

test('every story is told for something', () => {
  expect(STORIES).toEqual(Object.keys(TOLD_FOR));
});

test('every recording is told of', () => {
  const recordings = FOLDERS.filter((story) => hasFile(story, /^trace\.txt$/));
  expect(recordings).toEqual(Object.keys(TOLD_OF_RECORDINGS));
});

test.each(Object.entries(TOLD_OF_RECORDINGS))('the recording %s', (story, [status, words]) => {
  const trace = join('traces', story, 'trace.txt');
  expect(swiotlbReplay(['verify', '--strict', trace]).status).toBe(status);
  expect(swiotlbReplay([trace]).stdout.replace(/\s+/g, ' ')).toContain(words);
  const text = readFileSync(join(PROJECT, 'traces', story, 'README.md'), 'utf8');
  expect(text.trimEnd().split('\n')).toHaveLength(2);
});

describe.each(STORIES)('the story %s', (story) => {
  const folder = join('traces', story);
  const [rule, cause, fixed] = TOLD_FOR[story];
  const trace = ['trace.log', 'trace.csv']
    .map((name) => join(folder, name))
    .find((path) => existsSync(join(PROJECT, path)));
  const replay = (...options: string[]) =>
    JSON.parse(swiotlbReplay([trace ?? '', '--json', ...options]).stdout);

  test('has two lines on what it shows and where it comes from', () => {
    const text = readFileSync(join(PROJECT, folder, 'README.md'), 'utf8');
    expect(text.trimEnd().split('\n')).toHaveLength(2);
  });

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
