import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { findIommuRelease } from '../../src/kernel/iommuSelect.js';
import { PROJECT } from '../support/cli.js';
import { linesOf, readIovaTrace } from '../support/iommuVectors.js';
import { replayIova } from '../support/iovaVectors.js';

/** Traces of running kernels: the full set where the environment names it, the small ones otherwise. */
const ROOT = process.env.SWIOTLB_REAL ?? join(PROJECT, 'test/vectors/real');

/** Runs, and how many rows give the recorded result before one does not. */
const RUNS: readonly [run: string, rows: number][] = [
  ['6.1-iommu-1', 56_711],
  // Row 59,317 is an allocation made in an interrupt, inside another: the rows' order is not the calls'.
  ['6.12-iommu-1', 59_316],
];

const present = RUNS.filter(([run]) => existsSync(join(ROOT, run, 'iova.csv.gz')));

test('there are IOMMU runs of running kernels', () => {
  expect(present.length).toBeGreaterThan(0);
});

describe.each(present)('the run %s', (run, rows) => {
  test(`is reproduced for ${rows} rows`, () => {
    const trace = readIovaTrace(linesOf(join(ROOT, run, 'iova.csv.gz')));
    const release = findIommuRelease(trace.kernel.version);
    if (release === undefined) throw new Error(`no release ${trace.kernel.version}`);
    trace.rows.length = rows;
    expect(replayIova(trace, release)).toMatchObject({ compared: rows, differences: [] });
  });
});
