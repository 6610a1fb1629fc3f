import { describe, expect, it } from 'vitest';
import type { TraceInfo } from '../../src/events/trace.js';
import { addressesOf, type Replaying, replay } from '../support/replaying.js';

/** One pool, and rows of CPU and recorded address of maps of a slot each. */
function trace(pool: string, ...maps: [cpu: number, address: string][]): string {
  return [
    `#pool name=default base=0x80000000 ${pool}`,
    'dev,op,cpu,orig_addr,size,tlb_addr',
    ...maps.map(([cpu, address]) => `net,map,${cpu},0x5000,2048,${address}`),
  ].join('\n');
}

/** As formats declare a pool of a trace that begins in the middle. */
const fromTheMiddle: Replaying = {
  prepare: (info: TraceInfo) => {
    info.pools[0].indexKnowledge = 'unknown';
  },
};

const slot = (n: number) => `0x${(0x80000000 + n * 2048).toString(16)}`;

describe('a start index that the trace gives', () => {
  it('is taken as it is, whatever was recorded', async () => {
    const replayed = await replay('v6.9', trace('nslabs=64 index=7', [0, slot(20)]));
    expect(addressesOf(replayed)).toEqual([slot(7)]);
    expect(replayed.report.assumptions).toEqual([]);
  });

  it('is given per area, and 0 where there are fewer than areas', async () => {
    const replayed = await replay(
      'v6.9',
      trace('nslabs=64 areas=4 index=7:3', [0, ''], [1, ''], [2, '']),
    );
    expect(addressesOf(replayed)).toEqual([slot(7), slot(16 + 3), slot(32)]);
  });

  it('is 0 where it lies outside of its area', async () => {
    const replayed = await replay('v6.9', trace('nslabs=64 areas=2 index=40:5', [0, ''], [1, '']));
    expect(addressesOf(replayed)).toEqual([slot(0), slot(32 + 5)]);
  });
});

describe('a start index that the trace leaves out', () => {
  it('is 0 where the first address is one that an empty pool gives, and no assumption', async () => {
    const replayed = await replay('v6.9', trace('nslabs=64', [0, slot(0)], [0, slot(1)]));
    expect(addressesOf(replayed)).toEqual([slot(0), slot(1)]);
    expect(replayed.report.assumptions).toEqual([]);
  });

  it('is 0 where the model differs by a few slots, as another release does', async () => {
    const replayed = await replay('v6.9', trace('nslabs=64', [0, slot(1)]));
    expect(addressesOf(replayed)).toEqual([slot(0)]);
    expect(replayed.report.assumptions).toEqual([]);
  });

  it('comes from the first address where that lies too far in for an empty pool', async () => {
    const replayed = await replay('v6.9', trace('nslabs=64', [0, slot(20)], [0, slot(21)]));
    expect(addressesOf(replayed)).toEqual([slot(20), slot(21)]);
    expect(replayed.report.summary.mismatches).toBe(0);
    expect(replayed.report.assumptions).toEqual([
      { line: 3, message: expect.stringMatching(/pool default.* index 20/) },
    ]);
  });

  it('is looked for in the first recorded address only', async () => {
    const replayed = await replay('v6.9', trace('nslabs=64', [0, slot(0)], [0, slot(40)]));
    expect(addressesOf(replayed)).toEqual([slot(0), slot(1)]);
  });

  it('is looked for in each area, however many addresses another area has', async () => {
    const replayed = await replay(
      'v6.9',
      trace('nslabs=64 areas=2', [0, slot(0)], [0, slot(25)], [0, slot(26)], [1, slot(32 + 20)]),
    );
    expect(addressesOf(replayed)).toEqual([slot(0), slot(1), slot(2), slot(32 + 20)]);
  });

  it('waits for a recorded address, and passes over addresses outside of the pool', async () => {
    const replayed = await replay(
      'v6.9',
      trace('nslabs=64', [0, 'full'], [0, '0x70000000'], [0, slot(30)]),
    );
    expect(addressesOf(replayed).at(-1)).toBe(slot(30));
  });
});

describe('a start index of a trace that begins in the middle', () => {
  it('comes from the first address, however near it is', async () => {
    const text = trace('nslabs=64', [0, slot(1)], [0, slot(2)]);
    const replayed = await replay('v6.9', text, fromTheMiddle);
    expect(addressesOf(replayed)).toEqual([slot(1), slot(2)]);
    expect(replayed.report.assumptions).toHaveLength(1);
  });

  it('comes from the first address of each area, counted from the area’s start', async () => {
    const text = trace(
      'nslabs=64 areas=2',
      [0, slot(5)],
      [1, slot(32 + 9)],
      [0, slot(6)],
      [1, slot(32 + 10)],
    );
    const replayed = await replay('v6.9', text, fromTheMiddle);
    expect(replayed.report.summary.mismatches).toBe(0);
    expect(replayed.report.pools[0].index).toEqual([7, 11]);
    expect(replayed.report.assumptions).toEqual([
      { line: 3, message: expect.stringMatching(/area 0 .*index 5/) },
      { line: 4, message: expect.stringMatching(/area 1 .*index 9/) },
    ]);
  });

  it('counts from the first slot of the allocation, not from its data', async () => {
    const text = (address: string) => `
      #pool name=default base=0x80000000 nslabs=64
      #device name=net min_align_mask=0xfff
      dev,op,orig_addr,size,alloc_align_mask,tlb_addr
      net,map,0x1234a10,100,0xfff,${address}`;
    // One padding slot and 0x210 bytes lie before the data.
    const replayed = await replay('v6.9', text('0x80004a10'), fromTheMiddle);
    expect(addressesOf(replayed)).toEqual(['0x80004a10']);
    expect(replayed.report.assumptions[0].message).toContain('index 8');
  });

  it('comes from an allocation of pages as well', async () => {
    const text = `
      #pool name=default base=0x97ff0000 nslabs=7168 restricted=1
      dev,op,orig_addr,size,tlb_addr
      net,alloc,,8192,0x98326800
      net,alloc,,8192,0x98328800`;
    const replayed = await replay('v6.8', text, fromTheMiddle);
    expect(replayed.report.summary.mismatches).toBe(0);
    expect(replayed.report.assumptions[0].message).toContain('index 1645');
  });

  it('comes from the recorded pool where the user moved it for the replay', async () => {
    const text = trace('nslabs=64', [0, slot(20)]);
    const replayed = await replay('v6.9', text, {
      ...fromTheMiddle,
      pools: [{ base: 0xa0000000 }],
    });
    expect(addressesOf(replayed)).toEqual([`0x${(0xa0000000 + 20 * 2048).toString(16)}`]);
  });
});
