import { describe, expect, it } from 'vitest';
import { replay } from '../support/replaying.js';

/** An empty pool of 8 slots; all addresses are the model's. */
const rows = (...lines: string[]) =>
  [
    '#pool name=default base=0x80000000 nslabs=8 index=0',
    'dev,op,orig_addr,size,tlb_addr',
    ...lines,
  ].join('\n');

describe('usage per device', () => {
  it('counts requests, failures, slots held and bytes asked for, devices in order of appearance', async () => {
    const { report } = await replay(
      'v6.9',
      rows(
        'usb,map,0x5000,2048,',
        'net,map,0x5000,5000,',
        'usb,map,0x5000,100,',
        'net,map,0x5000,9000,',
        'net,alloc,,4096,',
      ),
    );
    // net: slots 2-4, then 9000 bytes find no page-aligned run of 5, then slots 6-7.
    expect(report.devices).toEqual([
      {
        name: 'usb',
        maxMappingSize: 262144,
        maps: 2,
        unmaps: 0,
        failed: 0,
        liveSlots: 2,
        peakSlots: 2,
        live: 2,
        bytes: 2148,
      },
      {
        name: 'net',
        maxMappingSize: 262144,
        maps: 3,
        unmaps: 0,
        failed: 1,
        liveSlots: 5,
        peakSlots: 5,
        live: 2,
        bytes: 9096,
      },
    ]);
  });

  it('keeps the peak when slots are given back', async () => {
    const { report } = await replay(
      'v6.9',
      rows(
        'net,map,0x5000,4096,0x80000000',
        'net,map,0x5000,4096,0x80001000',
        'net,unmap,,4096,0x80000000',
        'net,unmap,,4096,0x80001000',
        'net,map,0x5000,2048,0x80002000',
      ),
    );
    expect(report.devices[0]).toMatchObject({ live: 1, liveSlots: 1, peakSlots: 4, unmaps: 2 });
  });

  it('counts a call for who makes it, and the slots for who took them', async () => {
    const { report } = await replay(
      'v6.9',
      rows('net,map,0x5000,4096,0x80000000', 'usb,unmap,,4096,0x80000000'),
    );
    expect(report.devices).toMatchObject([
      { name: 'net', maxMappingSize: 262144, unmaps: 0, live: 0, liveSlots: 0, peakSlots: 2 },
      { name: 'usb', maxMappingSize: 262144, unmaps: 1, live: 0, liveSlots: 0, peakSlots: 0 },
    ]);
  });

  it('counts an unmap that matches nothing as a call only', async () => {
    const { report } = await replay(
      'v6.9',
      rows('net,map,0x5000,4096,0x80000000', 'net,unmap,,64,0x80003000'),
    );
    expect(report.devices[0]).toMatchObject({ unmaps: 1, live: 1, liveSlots: 2 });
  });

  it('counts no unmap where the replay gives back what the recorded kernel had refused', async () => {
    const { report } = await replay('v6.9', rows('net,map,0x5000,4096,full'));
    expect(report.devices[0]).toMatchObject({
      maps: 1,
      unmaps: 0,
      failed: 0,
      live: 0,
      liveSlots: 0,
      peakSlots: 2,
    });
  });
});
