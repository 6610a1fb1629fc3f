import { describe, expect, it } from 'vitest';
import { replay } from '../support/replaying.js';

/** An empty pool of 8 slots; all addresses are the model's. */
const HEAD = '#pool name=default base=0x80000000 nslabs=8 index=0\n';

const whoOf = async (trace: string) => (await replay('v6.9', trace)).report.who;

describe('lifetimes', () => {
  it('are in seconds where the trace has times', async () => {
    const { clock, duration, devices } = await whoOf(`${HEAD}time,dev,op,orig_addr,size,tlb_addr
      10.5,net,map,0x5000,4096,0x80000000
      10.75,net,map,0x5000,4096,0x80001000
      11,net,unmap,,4096,0x80001000
      12.5,net,unmap,,4096,0x80000000`);
    expect({ clock, duration }).toEqual({ clock: 'seconds', duration: 2 });
    expect(devices[0].lifetimes).toMatchObject({ count: 2, longest: 2 });
    expect(devices[0].lifetimes?.median).toBeCloseTo(0.25, 1);
    expect(devices[0]).toMatchObject({ bounced: 8192, rate: 4096 });
  });

  it('are in events where it has none', async () => {
    const { clock, duration, devices } = await whoOf(`${HEAD}dev,op,orig_addr,size,tlb_addr
      net,map,0x5000,4096,0x80000000
      usb,map,0x5000,4096,0x80001000
      net,unmap,,4096,0x80000000
      net,unmap,,4096,0x80003000`);
    expect({ clock, duration }).toEqual({ clock: 'events', duration: 4 });
    expect(devices.map(({ name, lifetimes }) => [name, lifetimes])).toEqual([
      ['net', { count: 1, median: 2, p90: 2, p99: 2, longest: 2 }],
      ['usb', undefined],
    ]);
  });

  it('count for who mapped, and not for what the recorded kernel had refused', async () => {
    const { devices } = await whoOf(`${HEAD}dev,op,orig_addr,size,tlb_addr
      net,map,0x5000,4096,0x80000000
      usb,map,0x5000,4096,full
      usb,unmap,,4096,0x80000000`);
    expect(devices.map(({ name, lifetimes }) => [name, lifetimes?.count])).toEqual([
      ['net', 1],
      ['usb', undefined],
    ]);
  });

  it('are never below 0 where the clocks of CPUs differ', async () => {
    const { devices } = await whoOf(`${HEAD}time,dev,op,orig_addr,size,tlb_addr
      1.5,net,map,0x5000,4096,0x80000000
      1.25,net,unmap,,4096,0x80000000
      2.5,net,map,0x5000,4096,0x80001000
      3.5,net,unmap,,4096,0x80001000`);
    expect(devices[0].lifetimes).toMatchObject({ count: 2, median: 0, longest: 1 });
  });
});

describe('what is live at the end', () => {
  it('is told oldest first, with its age, and whether it outlives what its device released', async () => {
    const { oldest, devices } = await whoOf(`${HEAD}time,dev,op,orig_addr,size,tlb_addr
      1.5,net,map,0x5000,100,0x80000000
      2,usb,map,0x5000,4096,0x80001000
      2.5,net,map,0x5000,2048,0x80000800
      3,net,unmap,,2048,0x80000800
      3.25,net,map,0x5000,64,`);
    expect(oldest).toEqual([
      { line: 3, device: 'net', address: 0x80000000, size: 100, nslots: 1, age: 1.75 },
      { line: 4, device: 'usb', address: 0x80001000, size: 4096, nslots: 2, age: 1.25 },
      { line: 7, device: 'net', address: 0x80002800, size: 64, nslots: 1, age: 0 },
    ]);
    expect(devices.map(({ name, outliving }) => [name, outliving])).toEqual([
      ['net', 1],
      ['usb', 0],
    ]);
  });

  it('is told of the ten oldest', async () => {
    const maps = Array.from({ length: 12 }, () => 'net,map,0x5000,64,');
    const trace = `#pool name=default base=0x80000000 nslabs=128 index=0
      dev,op,orig_addr,size,tlb_addr
      ${maps.join('\n')}`;
    const { oldest } = await whoOf(trace);
    expect(oldest.map(({ line }) => line)).toEqual([3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  });
});

describe('the peak', () => {
  it('is when most slots were in use first, with what each device held then', async () => {
    const { peak, devices } = await whoOf(`${HEAD}time,dev,op,orig_addr,size,tlb_addr
      1.5,net,map,0x5000,2048,0x80000000
      2,usb,map,0x5000,3000,0x80001000
      2.5,net,unmap,,2048,0x80000000
      3,usb,map,0x5000,2000,0x80000000
      4,net,map,0x5000,9000,`);
    expect(peak).toEqual({ line: 4, time: 2, used: 3, capacity: 8 });
    expect(devices.map(({ name, atPeak }) => [name, atPeak])).toEqual([
      ['usb', { slots: 2, bytes: 3000 }],
      ['net', { slots: 1, bytes: 2048 }],
    ]);
  });

  it('is not there where nothing was asked for', async () => {
    const { peak, devices } = await whoOf(
      `${HEAD}dev,op,size,tlb_addr\nusb,sync_for_cpu,64,0x80000000`,
    );
    expect({ peak, devices }).toEqual({ peak: undefined, devices: [] });
  });
});

describe('sizes', () => {
  it('are told in classes of powers of two, with what lies in front and behind', async () => {
    const { devices } = await whoOf(`#device name=nvme min_align_mask=0xfff
      ${HEAD}dev,op,orig_addr,size
      nvme,map,0x5200,256
      nvme,map,0x5000,257
      nvme,map,0x5000,4096`);
    expect(devices[0].sizes).toEqual([
      { upTo: 256, requests: 1, asked: 256, front: 512, behind: 1280 },
      { upTo: 512, requests: 1, asked: 257, front: 0, behind: 1791 },
      { upTo: 4096, requests: 1, asked: 4096, front: 0, behind: 0 },
    ]);
  });
});

describe('areas', () => {
  /** Two areas of 4 slots; CPU 1 and 3 begin in the second. */
  const AREAS = `#pool name=default base=0x80000000 nslabs=8 areas=2 index=0:0
      cpu,dev,op,orig_addr,size,tlb_addr\n`;

  it('tell whose was full, how often a search left it and where it went', async () => {
    const { areas } = await whoOf(`${AREAS}
      1,net,map,0x5000,4096,0x80002000
      3,net,map,0x5000,2048,0x80003000
      1,net,map,0x5000,4096,0x80000000
      0,net,map,0x5000,2048,0x80001000
      3,net,map,0x5000,4096,
      1,net,map,0x5000,262145,`);
    expect(areas).toEqual([
      { pool: 'default', area: 0, cpus: [0], searches: 1, left: 0, full: 0, failed: 0, guests: 1 },
      {
        pool: 'default',
        area: 1,
        cpus: [1, 3],
        searches: 4,
        left: 1,
        full: 2,
        failed: 1,
        guests: 0,
      },
    ]);
  });

  it('tell when one had room that did not suit', async () => {
    const { areas } = await whoOf(`${AREAS}
      1,net,map,0x5000,2048,0x80002000
      1,net,map,0x5000,2048,0x80002800
      1,net,map,0x5000,2048,0x80003000
      1,net,unmap,,2048,0x80002800
      1,net,map,0x5000,4096,0x80000000`);
    expect(areas[1]).toMatchObject({ searches: 4, left: 1, full: 0 });
  });

  it('are not told of a pool with one', async () => {
    const { areas } = await whoOf(`${HEAD}dev,op,orig_addr,size\nnet,map,0x5000,64`);
    expect(areas).toEqual([]);
  });
});
