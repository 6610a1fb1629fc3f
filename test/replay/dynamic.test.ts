import { describe, expect, test } from 'vitest';
import { replay } from '../support/replaying.js';

/** A dynamic default allocator of one full segment, and what comes after that is full. */
const full = (rows: string): string => `
  #kernel version=v6.12 page_size=4096 dynamic=1
  #pool name=default base=0x80000000 nslabs=128 areas=1 index=0
  #device name=net min_align_mask=0x0
  cpu,dev,op,orig_addr,size,tlb_addr,flags
  0,net,map,0x1000000,262144,0x80000000,
  ${rows}`;

describe('a transient pool', () => {
  test('lies where the trace says, serves one buffer, and goes with it', async () => {
    const { session, found, report } = await replay(
      'v6.12',
      full(`0,net,map,0x1000000,4096,0x50000000,transient=0x50000000
      0,net,map,0x1000000,2048,0x50004000,transient=0x50004000
      0,net,unmap,,4096,0x50000000,`),
    );
    expect(session.totals).toMatchObject({ recorded: 3, mismatches: 0, failed: 0 });
    expect(session.transients).toMatchObject({ taken: 2, invented: 0 });
    expect(session.allocators[0]).toMatchObject({ used: 129, usedHiwater: 131 });
    expect(session.device(0).transientPools.map(({ base }) => base)).toEqual([0x50004000]);
    expect(found).toEqual(['leak@5']);
    expect(report.pools).toHaveLength(1);
  });

  test('is invented where the model needs one that the trace does not have, and said so', async () => {
    const { session } = await replay('v6.12', full('0,net,map,0x1000000,4096,,'));
    expect(session.totals.failed).toBe(0);
    expect(session.transients).toMatchObject({ taken: 0, invented: 1 });
    expect(session.assumptions.map(({ message }) => message).join()).toContain('transient');
  });

  test('that is invented lies where the device reaches', async () => {
    const trace = full('0,usb,map,0x1000000,4096,,').replace(
      'cpu,dev',
      '#device name=usb dma_mask=0xffffffff\n  cpu,dev',
    );
    const { session } = await replay('v6.12', trace);
    const [pool] = session.device(1).transientPools;
    expect(pool.base + pool.nslabs * 2048).toBeLessThanOrEqual(2 ** 32);
    expect(pool.base).toBeGreaterThan(0x80040000);
  });

  test('is not had where the recorded kernel had no pages', async () => {
    const { report, found } = await replay('v6.12', full('0,net,map,0x1000000,4096,full,'));
    expect(found).toEqual(['pool-full@6', 'leak@5']);
    expect(report.findings[0].message).toContain('exhausted');
    expect(report.findings[0].message).toContain('no pages for a transient pool');
  });

  test('that is as large as its buffer does not fit one that wants an odd slot', async () => {
    const trace = full('0,nvme,map,0x100800,600,full,transient_failed=0x50001000').replace(
      'cpu,dev',
      '#device name=nvme min_align_mask=0xfff\n  cpu,dev',
    );
    const { report, session } = await replay('v6.12', trace);
    expect(session.totals.mismatches).toBe(0);
    expect([...report.allocations.rows()][1].cause).toBe('alignment');
  });
});

describe('a pool that joins', () => {
  const grown = (release: string) =>
    replay(
      release,
      `
      #kernel version=v6.8 page_size=4096 dynamic=1
      #pool name=default base=0x80000000 nslabs=256 areas=2
      #device name=net min_align_mask=0x0
      cpu,dev,op,orig_addr,size,tlb_addr,flags
      0,,grow,0x50080000,256,,areas=2
      0,net,map,0x1000000,131072,,
      0,net,map,0x1000000,131072,,
      0,net,map,0x1000000,131072,,`,
    );
  const addresses = async (release: string) =>
    [...(await grown(release)).report.allocations.rows()].map(({ tlbAddr }) => tlbAddr);

  test('is searched first, all its areas before the next pool in v6.6', async () => {
    expect(await addresses('v6.6')).toEqual(['0x50080000', '0x500a0000', '0x500c0000']);
  });

  test('is searched first, area by area from v6.8 on', async () => {
    expect(await addresses('v6.8')).toEqual(['0x50080000', '0x500a0000', '0x80000000']);
  });

  test('is listed with what it holds', async () => {
    const { report } = await grown('v6.8');
    expect(report.pools.map(({ name, used, usedHiwater }) => [name, used, usedHiwater])).toEqual([
      ['default', 192, 192],
      ['default+1', 128, null],
    ]);
    expect(report.fragmentation.end.map(({ pool, freeSlots }) => [pool, freeSlots])).toEqual([
      ['default', 192],
      ['default+1', 128],
    ]);
  });

  test('is left out, and that is said, by a release that has none', async () => {
    const { session, report } = await grown('v6.3');
    expect(report.pools).toHaveLength(1);
    expect(session.assumptions.map(({ message }) => message).join()).toContain('1 pools that join');
  });
});
