import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type PoolFragmentation, watchFragmentation } from '../../src/analysis/fragmentation.js';
import type { Observer } from '../../src/replay/outcome.js';
import type { Session } from '../../src/replay/session.js';
import type { Pool } from '../../src/swiotlb/pool.js';
import { RELEASE_NAMES, scenarios, traceOf } from '../replay/generating.js';
import { replay } from '../support/replaying.js';

/** Length of the free run from a slot to the end of its segment or the pool, slot by slot. */
function runFrom({ list, nslabs }: Pool, slot: number): number {
  let end = slot;
  while (end < nslabs && list[end] !== 0 && Math.floor(end / 128) === Math.floor(slot / 128)) end++;
  return end - slot;
}

/** The free runs of a pool: a run begins where the slot before is used or of another segment. */
function runsOf(pool: Pool): number[] {
  const runs: number[] = [];
  for (let slot = 0; slot < pool.nslabs; slot++) {
    const begins = slot % 128 === 0 || pool.list[slot - 1] === 0;
    if (begins && runFrom(pool, slot) > 0) runs.push(runFrom(pool, slot));
  }
  return runs;
}

/** External fragmentation as its description says. */
function externalOf(pool: Pool): number {
  const runs = runsOf(pool);
  const free = runs.reduce((sum, run) => sum + run, 0);
  return free === 0 ? 0 : 1 - Math.max(...runs) / Math.min(free, 128);
}

/** What a snapshot has to say of a pool, found slot by slot. */
function bruteForce(pool: Pool) {
  const runs = runsOf(pool);
  const slots = Array.from({ length: pool.nslabs }, (_, slot) => slot);
  const inArea = Math.floor(pool.nslabs / pool.areas);
  const buckets = [1, 2, 4, 8, 16, 32, 64, 128].map((from) => {
    const lengths = runs.filter((run) => run >= from && (run < 2 * from || from === 128));
    const to = from === 128 ? 128 : 2 * from - 1;
    const sum = lengths.reduce((total, run) => total + run, 0);
    return { from, to, runs: lengths.length, slots: sum };
  });
  return {
    freeSlots: slots.filter((slot) => pool.list[slot] !== 0).length,
    freeRuns: runs.length,
    largestRun: Math.max(0, ...runs),
    largestRunPerArea: Array.from({ length: pool.areas }, (_, area) =>
      Math.max(
        ...slots.slice(area * inArea, (area + 1) * inArea).map((slot) => runFrom(pool, slot)),
      ),
    ),
    external: externalOf(pool),
    histogram: buckets.filter((bucket) => bucket.runs > 0),
    servable: [2048, 4096, 8192, 16384, 32768, 65536, 131072, 262144].map((align) => ({
      align,
      largest: Math.max(
        0,
        ...slots
          .filter((slot) => (pool.base + slot * 2048) % align === 0)
          .map((slot) => runFrom(pool, slot) * 2048),
      ),
    })),
  };
}

/** What a watch would tell of the pool now. */
function snapshotOf(session: Session): PoolFragmentation {
  const watch = watchFragmentation(session);
  watch.atEnd?.();
  return watch.end[0];
}

/** The highest external fragmentation that any event left behind, and the first such event. */
interface Peak {
  line: number;
  external: number;
}

/** Holds every event's numbers against brute force, and notes the worst moment. */
function comparing(peak: Peak, moments: number[]) {
  return (session: Session): Observer => {
    const compare = ({ line }: { line: number }): void => {
      const { pool } = session.allocators[0];
      const expected = bruteForce(pool);
      moments.push(line);
      expect(snapshotOf(session), `after line ${line}`).toMatchObject(expected);
      if (expected.external > peak.external)
        Object.assign(peak, { line, external: expected.external });
    };
    return { onRequest: compare, onRelease: compare };
  };
}

describe('fragmentation', () => {
  it.each(RELEASE_NAMES)('is what brute force counts after every event of %s', async (release) => {
    await fc.assert(
      fc.asyncProperty(scenarios, fc.boolean(), async (scenario, releaseAll) => {
        const peak: Peak = { line: 0, external: 0 };
        const moments: number[] = [];
        const { report } = await replay(release, traceOf(scenario, { allocs: true, releaseAll }), {
          observe: comparing(peak, moments),
        });
        expect(moments.length).toBeGreaterThan(0);
        const [worst] = report.fragmentation.worst;
        expect(worst.external).toBe(peak.external);
        if (peak.external > 0) expect(worst.line).toBe(peak.line);
      }),
      { numRuns: 60 },
    );
  });

  it('is worst at the first of several moments that are as bad', async () => {
    const { report } = await replay(
      'v6.9',
      `
      #pool name=default base=0x80000000 nslabs=4 index=0
      dev,op,orig_addr,size,tlb_addr
      net,map,0x5000,2048,0x80000000
      net,map,0x5000,2048,0x80000800
      net,map,0x5000,2048,0x80001000
      net,unmap,,2048,0x80000000
      net,map,0x5000,2048,0x80001800
      net,unmap,,2048,0x80001000
      net,unmap,,2048,0x80000800`,
    );
    // Lines 6 and 8 both leave two free slots that are apart.
    expect(report.fragmentation.worst[0]).toMatchObject({ line: 6, external: 0.5, freeSlots: 2 });
    expect(report.fragmentation.end[0]).toMatchObject({ line: 9, external: 0, freeSlots: 3 });
  });

  it('counts 128 slots in a row as unbroken, since no allocation needs more', async () => {
    const { report } = await replay(
      'v6.9',
      `
      #pool name=default base=0x80000000 nslabs=512 index=0
      dev,op,orig_addr,size
      net,map,0x5000,2048`,
    );
    expect(report.fragmentation.end[0]).toMatchObject({ external: 0, freeSlots: 511, freeRuns: 4 });
    expect(report.fragmentation.end[0].histogram).toEqual([
      { from: 64, to: 127, runs: 1, slots: 127 },
      { from: 128, to: 128, runs: 3, slots: 384 },
    ]);
  });

  it('sees what an unmap inside a buffer breaks up', async () => {
    const { report } = await replay(
      'v6.9',
      `
      #pool name=default base=0x80000000 nslabs=8 index=0
      dev,op,orig_addr,size,tlb_addr
      net,map,0x5000,4096,0x80000000
      net,map,0x5000,8192,0x80001000
      net,unmap,,,0x80000800
      net,unmap,,,0x80001000`,
    );
    expect(report.fragmentation.worst[0]).toMatchObject({ line: 5, freeSlots: 3 });
    expect(report.fragmentation.end[0].line).toBe(6);
  });

  it('is worst for each pool by itself', async () => {
    const { report } = await replay(
      'v6.9',
      `
      #pool name=default base=0x80000000 nslabs=4 index=0
      #pool name=own base=0x90000000 nslabs=4 index=0 restricted=1
      #device name=usb pool=own
      dev,op,orig_addr,size,tlb_addr
      net,map,0x5000,2048,0x80000000
      net,map,0x5000,2048,0x80000800
      net,map,0x5000,2048,0x80001000
      net,unmap,,2048,0x80000000
      usb,map,0x5000,2048,0x90000000
      usb,map,0x5000,2048,0x90000800
      usb,unmap,,2048,0x90000000
      usb,unmap,,2048,0x90000800`,
    );
    expect(report.fragmentation.worst).toMatchObject([
      { pool: 'default', line: 8, external: 0.5 },
      { pool: 'own', line: 11, external: 1 - 2 / 3 },
    ]);
  });

  it('is told for each pool', async () => {
    const { report } = await replay(
      'v6.9',
      `
      #pool name=default base=0x80000000 nslabs=16 index=0
      #pool name=own base=0x90000000 nslabs=8 index=0 restricted=1
      #device name=usb pool=own
      dev,op,orig_addr,size
      net,map,0x5000,6000
      usb,map,0x5000,2048
      usb,map,0x5000,100`,
    );
    const { end } = report.fragmentation;
    expect(end.map(({ pool, freeSlots }) => [pool, freeSlots])).toEqual([
      ['default', 13],
      ['own', 6],
    ]);
    expect(end.map(({ lost }) => lost)).toEqual([
      { rounding: 144, alignment: 0 },
      { rounding: 1948, alignment: 0 },
    ]);
  });
});
