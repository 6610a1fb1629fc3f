import { describe, expect, it } from 'vitest';
import { replay } from '../support/replaying.js';

/** Rows of a trace whose maps are known by names that look like addresses. */
function rows(events: number, leaks: (n: number) => boolean): string {
  let text =
    '#pool name=default base=0x80000000 nslabs=4096 index=0\ntime,dev,op,orig_addr,size,tlb_addr\n';
  for (let n = 0; n < events; n += 2) {
    const address = `0x${(0x80000000 + n * 2048).toString(16)}`;
    text += `${n / 100},net,map,0x5000,2048,${address}\n`;
    if (!leaks(n)) text += `${n / 100}5,net,unmap,,2048,${address}\n`;
  }
  return text;
}

const growthOf = async (trace: string) => (await replay('v6.9', trace)).report.who.growth;

describe('growth', () => {
  it('is told with its evidence where a device never falls back to what it held', async () => {
    const trace = rows(4000, (n) => n % 20 === 0);
    const [growth, ...others] = await growthOf(trace);
    expect(others).toEqual([]);
    expect(growth).toMatchObject({ device: 'net', firstLine: 3 });
    expect(growth.lastLine).toBe(trace.trim().split('\n').length);
    expect(growth.least).toHaveLength(8);
    expect(growth.least[0]).toBe(0);
    expect(growth.least[7]).toBeGreaterThan(160);
    // 200 slots in 40 seconds.
    expect(growth.rate).toBeCloseTo(5, 0);
  });

  it.each([
    ['what is filled at first and then stays', rows(4000, (n) => n < 400)],
    ['what swings', rows(4000, () => false)],
    ['a device that gives nothing back', rows(4000, () => true)],
    ['a trace that is too short for it', rows(300, (n) => n % 20 === 0)],
    ['what grows ever more slowly', rows(4000, (n) => n < 2000 || n % 100 === 0)],
  ])('is not told of %s', async (_, trace) => {
    expect(await growthOf(trace)).toEqual([]);
  });
});
