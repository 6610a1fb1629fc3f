import { describe, expect, it } from 'vitest';
import { UserError } from '../../src/events/errors.js';
import { addressesOf, type Replaying, replay } from '../support/replaying.js';

const TRACE = `
  #pool name=default base=0x80000000 nslabs=16 index=0
  #pool name=own base=0x90000000 nslabs=8 index=2 restricted=1
  #device name=usb pool=own
  dev,op,orig_addr,size
  net0,map,0x100a00,1000
  usb,map,0x100a00,1000`;

const WITHOUT_POOL = `
  dev,op,orig_addr,size
  net0,map,0x100800,4096`;

const matches = (pattern: RegExp) => (name: string) => pattern.test(name);

async function addresses(trace: string, options: Replaying): Promise<(string | null)[]> {
  return addressesOf(await replay('v6.9', trace, options));
}

describe('--pool', () => {
  it('changes what it names and leaves the rest as the trace has it', async () => {
    expect(await addresses(TRACE, {})).toEqual(['0x80000000', '0x90001000']);
    expect(await addresses(TRACE, { pools: [{ name: 'own', index: [3] }] })).toEqual([
      '0x80000000',
      '0x90001800',
    ]);
  });

  it('gives the start index, whatever the record shows', async () => {
    const trace = `
      #pool name=default base=0x80000000 nslabs=64
      dev,op,orig_addr,size,tlb_addr
      net0,map,0x5000,2048,0x8000a000`;
    expect(await addresses(trace, {})).toEqual(['0x8000a000']);
    expect(await addresses(trace, { pools: [{ index: [3] }] })).toEqual(['0x80001800']);
  });

  it('means the pool named default wherever it stands', async () => {
    const [, first, second] = TRACE.split('\n');
    const swapped = TRACE.replace(`${first}\n${second}`, `${second}\n${first}`);
    const { report } = await replay('v6.9', swapped, { pools: [{ nslabs: 32 }] });
    expect(report.pools).toMatchObject([
      { name: 'own', nslabs: 8, used: 1 },
      { name: 'default', nslabs: 32, used: 1 },
    ]);
  });

  it('means the default pool where it names none, or the only one', async () => {
    const { report } = await replay('v6.9', TRACE, { pools: [{ nslabs: 64, areas: 4 }] });
    expect(report.pools).toMatchObject([
      { name: 'default', base: 0x80000000, nslabs: 64, areas: 4, restricted: false },
      { name: 'own', base: 0x90000000, nslabs: 8, areas: 1, restricted: true },
    ]);
    const only = TRACE.replace(/.*name=default.*\n/, '').replace(/.*name=usb.*\n/, '');
    expect(await addresses(only, { pools: [{ base: 0xa0000000 }] })).toEqual([
      '0xa0001000',
      '0xa0001800',
    ]);
  });

  it('declares a pool that the trace does not know', async () => {
    const pools = [{ base: 0x80000000, nslabs: 64 }];
    const { report } = await replay('v6.9', WITHOUT_POOL, { pools });
    expect(report.pools).toMatchObject([
      { name: 'default', base: 0x80000000, nslabs: 64, areas: 1, used: 2 },
    ]);
  });

  it('says whether a pool is restricted', async () => {
    const { report } = await replay('v6.9', TRACE, { pools: [{ restricted: true }] });
    expect(report.pools[0].restricted).toBe(true);
  });

  it('of a pool without a base or a size is refused with what to give', async () => {
    for (const override of [
      { name: 'new', nslabs: 8 },
      { name: 'new', base: 0x80000000 },
    ]) {
      const replaying = replay('v6.9', WITHOUT_POOL, { pools: [override] });
      await expect(replaying).rejects.toThrow(UserError);
      await expect(replaying).rejects.toThrow(/--pool name=new,base=ADDRESS,nslabs=SLOTS/);
    }
  });

  it('of more areas than slots is refused', async () => {
    const replaying = replay('v6.9', TRACE, { pools: [{ areas: 32 }] });
    await expect(replaying).rejects.toThrow(UserError);
    await expect(replaying).rejects.toThrow(/32 areas do not fit in 16 slots/);
  });
});

describe('--device', () => {
  it('sets masks of the devices that match, and of no others', async () => {
    const devices = [{ matches: matches(/^net/), minAlignMask: 0xfff }];
    expect(await addresses(TRACE, { devices })).toEqual(['0x80000a00', '0x90001000']);
  });

  it('sets the boundary', async () => {
    // Two slots from slot 3 on cross a multiple of 0x2000.
    const text = `
      #pool name=default base=0x80000000 nslabs=16 index=3
      dev,op,orig_addr,size
      net0,map,0x100000,4000`;
    expect(await addresses(text, {})).toEqual(['0x80001800']);
    const devices = [{ matches: matches(/./), segBoundaryMask: 0x1fff }];
    expect(await addresses(text, { devices })).toEqual(['0x80002000']);
  });

  it('gives a device another pool', async () => {
    const devices = [{ matches: matches(/^net0$/), pool: 'own' }];
    expect(await addresses(TRACE, { devices })).toEqual(['0x90001000', '0x90001800']);
  });

  it('is overridden by a later one, value by value', async () => {
    const devices = [
      { matches: matches(/^net/), minAlignMask: 0xfff, pool: 'own' },
      { matches: matches(/0$/), minAlignMask: 0 },
    ];
    expect(await addresses(TRACE, { devices })).toEqual(['0x90001000', '0x90001800']);
  });
});

describe('a pool that nobody declares', () => {
  it('stops the replay with what to give', async () => {
    const replaying = replay('v6.9', WITHOUT_POOL);
    await expect(replaying).rejects.toThrow(UserError);
    await expect(replaying).rejects.toThrow(/--pool base=ADDRESS,nslabs=SLOTS/);
  });

  it('stops it as well where a device names it', async () => {
    const replaying = replay('v6.9', TRACE.replace('pool=own', 'pool=other'));
    await expect(replaying).rejects.toThrow(UserError);
    await expect(replaying).rejects.toThrow(/usb.*--pool name=other,base=ADDRESS,nslabs=SLOTS/);
  });

  it('is no trouble where only a device without events names it', async () => {
    const trace = TRACE.replace('name=usb pool=own', 'name=idle pool=other');
    expect(await addresses(trace, {})).toEqual(['0x80000000', '0x80000800']);
  });
});
