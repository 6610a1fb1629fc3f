import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { PROJECT, swiotlbReplay } from '../support/cli.js';
import { expectConfirmed } from '../support/sizeAnswers.js';

/** Traces of running kernels: the full set where the environment names it, the small ones otherwise. */
const ROOT = process.env.SWIOTLB_REAL ?? join(PROJECT, 'test/vectors/real');

const RUNS = readdirSync(ROOT).filter((run) => existsSync(join(ROOT, run, 'trace.csv.gz')));

const folder = mkdtempSync(join(tmpdir(), 'size-real-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe.each(RUNS)('the run %s', (run) => {
  test('has an answer for each number of areas that replays confirm in both directions', () => {
    const path = join(ROOT, run, 'trace.csv.gz');
    const workload = join(folder, `${run}.jsonl`);
    const { status, stdout } = swiotlbReplay(['size', path, '--json', '--workload', workload]);
    expect(status).toBe(0);
    const found = JSON.parse(stdout);
    expect(found.unanswered).toEqual([]);
    expect(found.answers.length).toBeGreaterThan(0);
    const isSame = found.held.requests === 0 && !found.traces[0].dynamic;
    expectConfirmed(found, path, workload, isSame);
    rmSync(workload);
  }, 300_000);
});
