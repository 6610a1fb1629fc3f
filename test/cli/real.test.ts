import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { PROJECT, swiotlbReplay } from '../support/cli.js';

/** Traces of running kernels: the full set where the environment names it, the small ones otherwise. */
const ROOT = process.env.SWIOTLB_REAL ?? join(PROJECT, 'test/vectors/real');

/** The runs whose rows stand in the order of the locks, so that every address can be had, and their kernels. */
const EXACT: readonly [run: string, kernel: string, row: string][] = [
  ['5.10-8', 'v5.10.262', 'v5.10.223'],
  ['6.1-2', 'v6.1.192', 'v6.1.192'],
  ['6.1-3', 'v6.1.192', 'v6.1.192'],
  ['6.1-7', 'v6.1.192', 'v6.1.192'],
  ['6.1-untrusted-1', 'v6.1.192', 'v6.1.192'],
  ['6.12-8', 'v6.12.107', 'v6.12'],
  ['6.12-untrusted-1', 'v6.12.107', 'v6.12'],
  ['6.12-arm64-16k-1', 'v6.12.107', 'v6.12'],
  ['6.12-arm64-dyn-1', 'v6.12.107', 'v6.12'],
  ['6.12-arm64-restricted-1', 'v6.12.107', 'v6.12'],
  ['7.2-1', 'v7.2.13', 'v7.2'],
];

const present = EXACT.filter(([run]) => existsSync(join(ROOT, run, 'trace.csv.gz')));

test('there are traces of running kernels', () => {
  expect(present.length).toBeGreaterThanOrEqual(3);
});

describe.each(present)('the run %s of %s', (run, kernel, row) => {
  const path = join(ROOT, run, 'trace.csv.gz');

  test.each(['linear', 'indexed'])(
    'is reproduced to the last address, %s',
    (search) => {
      const { status, stdout } = swiotlbReplay(['verify', path, '--json', '--search', search]);
      const result = JSON.parse(stdout);
      expect(result).toMatchObject({ kernel, mismatches: [], expect: { ok: true } });
      expect(result.reproduced).toBe(result.recorded);
      expect(result.recorded).toBeGreaterThan(1000);
      expect(status).toBe(0);
    },
    120_000,
  );

  test('is identified', () => {
    const { stdout } = swiotlbReplay(['identify', path, '--json']);
    expect(JSON.parse(stdout).matches).toContain(row);
  });
});

const DEBIAN: Record<string, string> = {
  '6.1-5': 'v6.1.192',
  '6.12-5': 'v6.12.107',
  '7.2-5': 'v7.2.13',
};
const TEXTS = [
  'trace-cmd-report',
  'trace-cmd-report-t',
  'trace-cmd-report-R',
  'perf-script',
  'perf-script-ns-pid-tid',
];

/** The texts as the tracers printed them, with the boot's log beside them; in the full set only. */
const RAW = [
  ...EXACT.map(([run, kernel]) => ({ run, kernel, file: 'trace' })),
  ...Object.entries(DEBIAN).flatMap(([run, kernel]) =>
    TEXTS.map((file) => ({ run, kernel, file })),
  ),
].filter(({ run, file }) => existsSync(join(ROOT, run, `${file}.txt.gz`)));

describe.runIf(RAW.length > 0)('the text of a tracer', () => {
  test.each(RAW)(
    '$run/$file is reproduced to the last address',
    ({ run, kernel, file }) => {
      const path = join(ROOT, run, `${file}.txt.gz`);
      const dmesg = join(ROOT, run, 'dmesg.txt');
      const { status, stdout } = swiotlbReplay(['verify', path, '--dmesg', dmesg, '--json']);
      const result = JSON.parse(stdout);
      const format = file.startsWith('perf')
        ? 'perf-script'
        : file === 'trace'
          ? 'ftrace'
          : 'trace-cmd';
      expect(result).toMatchObject({ kernel, format, incomplete: false, mismatches: [] });
      expect(result.reproduced).toBe(result.recorded);
      expect(result.recorded).toBeGreaterThan(file === 'trace' ? 1000 : 100);
      expect(status).toBe(0);
    },
    120_000,
  );
});
