import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { eachLive, sizeOf } from '../../src/replay/allocations.js';
import { RELEASE_NAMES, scenarios, traceOf } from '../replay/generating.js';
import { replay } from '../support/replaying.js';

const NOTHING = { rounding: 0, alignment: 0 };

describe('bytes lost inside allocations', () => {
  it('are rounding behind the data and alignment in front of it', async () => {
    const trace = (orig: string) => `
      #pool name=default base=0x80000000 nslabs=64 index=0
      #device name=net min_align_mask=0xfff
      dev,op,orig_addr,size,alloc_size,alloc_align_mask
      net,map,${orig},100,4096,0xfff`;
    // 0xa10 bytes in front, 4 slots of which 4096 + 0xa10 bytes are used (spec Q6).
    const v69 = await replay('v6.9', trace('0x1234a10'));
    expect(v69.report.fragmentation.end[0].lost).toEqual({
      rounding: 4 * 2048 - 0xa10 - 100,
      alignment: 0xa10,
    });
    const v612 = await replay('v6.12', trace('0x1234a10'));
    expect(v612.report.fragmentation.end[0].lost).toEqual({
      rounding: 2 * 2048 - 0xa10 - 100,
      alignment: 0xa10,
    });
    const aligned = await replay('v6.12', trace('0x1234000'));
    expect(aligned.report.fragmentation.end[0].lost).toEqual({ rounding: 3996, alignment: 0 });
  });

  it.each(RELEASE_NAMES)('and the bytes asked for fill the used slots in %s', async (release) => {
    await fc.assert(
      fc.asyncProperty(scenarios, async (scenario) => {
        const { report, session } = await replay(
          release,
          traceOf(scenario, { allocs: release !== 'v6.8', releaseAll: false }),
        );
        const live = report.summary.live;
        const { rounding, alignment } = report.fragmentation.end[0].lost;
        let asked = 0;
        let count = 0;
        eachLive(session.allocations, (n) => {
          asked += sizeOf(session.allocations, n);
          count++;
        });
        expect(count).toBe(live);
        expect(rounding + alignment + asked).toBe(report.pools[0].used * 2048);
        expect(Math.min(rounding, alignment)).toBeGreaterThanOrEqual(0);
      }),
      { numRuns: 100 },
    );
  });

  it.each(RELEASE_NAMES)('are none again when everything is unmapped in %s', async (release) => {
    await fc.assert(
      fc.asyncProperty(scenarios, async (scenario) => {
        const { report } = await replay(
          release,
          traceOf(scenario, { allocs: release !== 'v6.8', releaseAll: true }),
        );
        expect(report.fragmentation.end[0].lost).toEqual(NOTHING);
      }),
      { numRuns: 100 },
    );
  });

  it('are counted for the device that mapped, whoever unmaps', async () => {
    const { report } = await replay(
      'v6.9',
      `
      #pool name=default base=0x80000000 nslabs=16 index=0
      dev,op,orig_addr,size,tlb_addr
      net,map,0x5000,100,0x80000000
      usb,unmap,,100,0x80000000`,
    );
    expect(report.fragmentation.end[0].lost).toEqual(NOTHING);
  });
});
