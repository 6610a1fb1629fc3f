import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { recognisesIovaText } from '../../../src/formats/traceText/iova.js';
import { linesOf, readIovaText, readIovaTrace } from '../../support/iommuVectors.js';

/*
 * Raw text of running kernels against the rows that were made of it by other means: the runs of the
 * folder that SWIOTLB_REAL names.
 */
const folder = process.env.SWIOTLB_REAL;
if (folder === undefined)
  console.info('iovaReal.test.ts: skipped, SWIOTLB_REAL names no folder of recorded runs');

/** Runs, and the rows in the part of the run that the text holds: its iova_alloc_ret and iova_free records. */
const RUNS: readonly [run: string, rows: number][] = [
  ['6.1-iommu-1', 26_129],
  ['6.12-iommu-1', 31_268],
];

const present = RUNS.filter(
  ([run]) => folder !== undefined && existsSync(join(folder, run, 'trace.txt.gz')),
);

describe.skipIf(folder === undefined)('of the recorded runs', () => {
  test('both are there', () => {
    expect(present.map(([run]) => run)).toEqual(RUNS.map(([run]) => run));
  });

  describe.each(present)('%s', (run, count) => {
    const lines = linesOf(join(folder as string, run, 'trace.txt.gz'));
    const { rows, domains, kernel, problems } = readIovaText(lines);
    const published = readIovaTrace(linesOf(join(folder as string, run, 'iova.csv.gz')));

    test('is recognised by its head', () => {
      expect(recognisesIovaText(Buffer.from(lines.slice(0, 100).join('\n')))).toBe(true);
    });

    test('gives the published rows', () => {
      expect(problems.first).toEqual([]);
      expect(rows.length).toBe(count);
      const withoutLine = rows.map(({ line: _, ...row }) => row);
      const expected = published.rows.slice(0, count).map(({ line: _, ...row }) => row);
      expect(withoutLine).toEqual(expected);
    });

    test('gives the published domains', () => {
      expect(kernel.cpus).toBe(published.kernel.cpus);
      const seen = domains.map(({ devices: _, ...domain }) => domain);
      expect(published.domains.slice(0, seen.length).map(({ devices: _, ...d }) => d)).toEqual(
        seen,
      );
    });
  });
});
