import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Release } from '../../src/kernel/release.js';
import { findRelease } from '../../src/kernel/select.js';
import { tryPool } from '../../src/sizing/trial.js';
import { workloadOf } from '../support/sizing.js';

const ALONE = { scale: 1, cpus: undefined };

function release(name: string): Release {
  return findRelease(name) as Release;
}

/** What a driver does: asks for a buffer, or gives back one of those it has. */
const CALL = fc.record({
  cpu: fc.nat(3),
  dev: fc.constantFrom('d', 'e'),
  slots: fc.integer({ min: 1, max: 9 }),
  offset: fc.nat(3),
  release: fc.nat(),
});

/** A trace of a kernel whose pool never fills: its addresses join calls, and say nothing else. */
function traceOf(
  calls: readonly { cpu: number; dev: string; slots: number; offset: number; release: number }[],
): string {
  const live: string[] = [];
  const rows = calls.flatMap(({ cpu, dev, slots, offset, release: which }, n) => {
    const rows = [];
    if (which % 3 === 0 && live.length > 0) {
      rows.push(live.splice(which % live.length, 1)[0]);
    }
    const address = `0x${(0x90000000 + n * 0x40000).toString(16)}`;
    const orig = `0x${(0x1000000 + n * 4096 + offset * 1024).toString(16)}`;
    rows.push(`${cpu},${dev},map,${orig},${slots * 2048 - 700},,${address}`);
    live.push(`0,${dev},unmap,,${slots * 2048 - 700},,${address}`);
    return rows;
  });
  return `
    #pool name=default base=0x80000000 nslabs=256 areas=2 index=0:0
    #device name=d min_align_mask=0xfff
    cpu,dev,op,orig_addr,size,alloc_align_mask,tlb_addr
    ${rows.join('\n')}`;
}

describe.each(['v5.10', 'v5.15', 'v6.1', 'v6.8', 'v6.12'])('a trial in %s', (name) => {
  test('is the replay of the trace in that pool: the same requests fail, and as many slots are used', async () => {
    const run = fc.asyncProperty(
      fc.array(CALL, { minLength: 20, maxLength: 60 }),
      fc.constantFrom([128, 1], [128, 2], [256, 4]),
      async (calls, [nslabs, areas]) => {
        const { hasAreas } = release(name);
        const geometry = { nslabs, areas: hasAreas ? areas : 1 };
        const index = [0, 0, 0, 0].slice(0, areas);
        const { workload, replayed } = await workloadOf(name, traceOf(calls), {
          pools: [{ ...geometry, index }],
        });
        const trial = tryPool(workload, release(name), { pool: 0, ...geometry }, ALONE, false);
        const { summary, pools, findings } = replayed.report;
        expect(trial).toMatchObject({ failed: summary.failed, peak: pools[0].usedHiwater });
        const first = findings.find(({ rule }) => /pool-full|endless/.test(rule));
        expect(trial.first?.line).toBe(first?.line);
      },
    );
    await fc.assert(run, { numRuns: 60 });
  });
});

const FULL = `
  #pool name=default base=0x80000000 nslabs=128 areas=1 index=0
  dev,op,orig_addr,size,tlb_addr
  d,map,0x1000,262144,0x80000000
  d,map,0x2000,300000,full
  d,map,0x3000,2048,full
  d,map,0x4000,2048,full
  d,unmap,,262144,0x80000000`;

test('a trial names the first request that another pool could serve, and stops there if it may', async () => {
  const { workload } = await workloadOf('v6.12', FULL);
  const pool = { pool: 0, nslabs: 128, areas: 1 };
  const all = tryPool(workload, release('v6.12'), pool, ALONE, false);
  expect(all).toMatchObject({ failed: 2, never: 1, peak: 128 });
  expect(all.first).toMatchObject({ line: 5, device: 'd', size: 2048, cause: 'exhausted' });
  expect(all.firstNever).toMatchObject([{ line: 4, cause: 'too-large' }]);
  const stopped = tryPool(workload, release('v6.12'), pool, ALONE, true);
  expect(stopped).toMatchObject({ failed: 1, never: 1 });
  const larger = tryPool(workload, release('v6.12'), { ...pool, nslabs: 256 }, ALONE, true);
  expect(larger).toMatchObject({ failed: 0, never: 1, first: undefined, peak: 130 });
});

test('a search that would never end is a failure of the pool', async () => {
  const odd = 'd,map,0x1800,2048,';
  const rows = Array.from(
    { length: 64 },
    (_, n) => `${odd}0x${(0x80000800 + n * 4096).toString(16)}`,
  );
  const { workload } = await workloadOf(
    'v6.1',
    `
    #pool name=default base=0x80000000 nslabs=256 areas=1 index=0
    #device name=d min_align_mask=0xfff
    dev,op,orig_addr,size,tlb_addr
    ${rows.join('\n')}
    e,map,0x9000,2048,0x80000000
    ${odd}0x80040800`,
  );
  const trial = tryPool(workload, release('v6.1'), { pool: 0, nslabs: 128, areas: 1 }, ALONE, true);
  expect(trial.first).toMatchObject({ line: 69, cause: 'endless-search' });
});

test('the occupancy is counted by events: 99.9 % of them leave as many slots in use, or fewer', async () => {
  const pair = 'd,map,0x1000,2048,0x80000000\nd,unmap,,2048,0x80000000';
  const spike = 'd,map,0x1000,20480,0x80000000\nd,unmap,,20480,0x80000000';
  const trace = (pairs: number): string => `
    #pool name=default base=0x80000000 nslabs=128 areas=1 index=0
    dev,op,orig_addr,size,tlb_addr
    ${[spike, ...new Array<string>(pairs).fill(pair)].join('\n')}`;
  const pool = { pool: 0, nslabs: 128, areas: 1 };
  const rare = await workloadOf('v6.12', trace(500));
  expect(tryPool(rare.workload, release('v6.12'), pool, ALONE, true)).toMatchObject({
    peak: 10,
    percentile999: 1,
  });
  const often = await workloadOf('v6.12', trace(400));
  expect(tryPool(often.workload, release('v6.12'), pool, ALONE, true).percentile999).toBe(10);
});

test('copies of a request live and go with it', async () => {
  const { workload } = await workloadOf(
    'v6.12',
    `
    #pool name=default base=0x80000000 nslabs=128 areas=1 index=0
    dev,op,orig_addr,size,tlb_addr
    d,map,0x1000,20480,0x80000000
    d,unmap,,20480,0x80000000
    d,map,0x1000,6144,0x80000000`,
  );
  const pool = { pool: 0, nslabs: 128, areas: 1 };
  const triple = { scale: 3, cpus: undefined };
  const trial = tryPool(workload, release('v6.12'), pool, triple, true);
  expect(trial).toMatchObject({ failed: 0, peak: 30 });
});

test('a refused request is served, and gives its slots back when its time is up', async () => {
  const trace = (last: string): string => `
    #pool name=default base=0x80000000 nslabs=128 areas=1 index=0
    dev,op,orig_addr,size,tlb_addr
    d,map,0x9000,2048,0x80000000
    d,unmap,,2048,0x80000000
    d,map,0x1000,204800,full
    ${last}`;
  const pool = { pool: 0, nslabs: 128, areas: 1 };
  const during = await workloadOf('v6.12', trace('e,map,0x5000,204800,0x80000000'));
  expect(tryPool(during.workload, release('v6.12'), pool, ALONE, true).failed).toBe(1);
  const after = 'e,map,0x7000,2048,0x80000000\n e,map,0x5000,204800,0x80000800';
  const later = await workloadOf('v6.12', trace(after));
  expect(tryPool(later.workload, release('v6.12'), pool, ALONE, true)).toMatchObject({
    failed: 0,
    peak: 101,
  });
});
