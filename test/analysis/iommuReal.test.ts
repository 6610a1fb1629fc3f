import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { findsFault } from '../../src/analysis/iommuFacts.js';
import { watchIommu } from '../../src/analysis/iommuMappings.js';
import { openSource } from '../../src/source/open.js';
import { linesOf } from '../support/iommuVectors.js';
import { readSource } from '../support/reading.js';

/* Page tables of running kernels: the runs of the folder that SWIOTLB_REAL names. */
const folder = process.env.SWIOTLB_REAL;
if (folder === undefined)
  console.info('iommuReal.test.ts: skipped, SWIOTLB_REAL names no folder of recorded runs');

/** What the trace tells the devices of. */
const RUNS: readonly [run: string, tells: 'all' | 'bounced'][] = [
  ['6.1-iommu-1', 'all'],
  ['6.12-iommu-1', 'all'],
  ['6.1-untrusted-1', 'bounced'],
  ['6.12-untrusted-1', 'bounced'],
];

const present = RUNS.filter(
  ([run]) => folder !== undefined && existsSync(join(folder, run, 'trace.txt.gz')),
);

/** Maps, unmaps and bytes, counted without the reader. */
function countOf(path: string) {
  const count = { maps: 0, unmaps: 0, atEnd: 0, peak: 0 };
  for (const text of linesOf(path)) {
    const match = /: (un)?map: IOMMU: .*size=(\d+)$/.exec(text);
    if (match === null) continue;
    const isUnmap = match[1] !== undefined;
    if (isUnmap) count.unmaps++;
    else count.maps++;
    count.atEnd += isUnmap ? -Number(match[2]) : Number(match[2]);
    count.peak = Math.max(count.peak, count.atEnd);
  }
  return count;
}

describe.skipIf(folder === undefined)('of the recorded runs', () => {
  test('all are there', () => {
    expect(present.length).toBe(RUNS.length);
  });

  test.each(present)('%s: nothing is wrong, and every byte is counted', async (run, tells) => {
    const path = join(folder as string, run, 'trace.txt.gz');
    const watch = watchIommu();
    const { info } = await readSource(await openSource(path), { onIommu: watch.see });
    const facts = watch.facts();
    if (facts === undefined) throw new Error('nothing was seen');
    const { maps, unmaps, atEnd, peak } = countOf(path);
    expect(facts).toMatchObject({ maps, unmaps, unseenUnmaps: 0, dropped: 0, granule: 4096 });
    expect([facts.mapped.atEnd, facts.mapped.peak]).toEqual([atEnd, peak]);
    expect([findsFault(facts), info.problems.count]).toEqual([false, 0]);
    if (tells === 'all') {
      expect(facts.labelled).toBe(maps);
    } else {
      expect(facts.labelled).toBe(facts.bounced.maps);
      // The run ends with no bounce buffer in use.
      expect(facts.devices.map(({ mappedAtEnd }) => mappedAtEnd)).toEqual([0, 0]);
    }
  });
});
