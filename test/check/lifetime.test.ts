import { describe, expect, it } from 'vitest';
import { replay } from '../support/replaying.js';

/** Rows on an empty pool of 64 slots at 0x80000000, from line 3 on; all addresses are recorded. */
function rows(...lines: string[]): string {
  return [
    '#pool name=default base=0x80000000 nslabs=64 index=0',
    'dev,op,orig_addr,size,dir,tlb_addr',
    ...lines,
  ].join('\n');
}

const MAP = 'net,map,0x5000,4096,to_device,0x80000000';
const UNMAP = 'net,unmap,,4096,to_device,0x80000000';

describe('a map and its unmap', () => {
  it('are no finding', async () => {
    expect((await replay('v6.9', rows(MAP, UNMAP))).found).toEqual([]);
    const coherent = rows('net,alloc,,4096,,0x80000000', 'net,free,,4096,,0x80000000');
    expect((await replay('v6.9', coherent)).found).toEqual([]);
  });

  it('are no finding where the unmap tells no size', async () => {
    expect((await replay('v6.9', rows(MAP, UNMAP.replace('4096', '')))).found).toEqual([]);
  });
});

describe('unmatched-unmap', () => {
  it('fires for an address that was never mapped', async () => {
    const { found, findings } = await replay('v6.9', rows(MAP, 'usb,unmap,,64,,0x80001000', UNMAP));
    expect(found).toEqual(['unmatched-unmap@4']);
    expect(findings[0]).toMatchObject({
      level: 'error',
      device: 'usb',
      address: 0x80001000,
      related: [],
    });
  });

  it('fires for an address inside a buffer, which is not its own', async () => {
    const { found } = await replay(
      'v6.9',
      rows(MAP, 'net,unmap,,2048,to_device,0x80000800', UNMAP),
    );
    expect(found).toEqual(['unmatched-unmap@4']);
  });

  it('fires for a free as well', async () => {
    const { findings } = await replay('v6.9', rows('net,free,,4096,,0x80002000'));
    expect(findings[0].message).toMatch(/^free of 0x80002000/);
  });

  it('is silent where the model refused what the recorded kernel had served', async () => {
    const { found } = await replay(
      'v6.9',
      rows('net,map,0x5000,262145,to_device,0x80000000', 'net,unmap,,262145,to_device,0x80000000'),
    );
    expect(found).toEqual(['pool-full@3']);
  });
});

describe('double-unmap', () => {
  it('fires for the second unmap, and points to the map', async () => {
    const { found, findings } = await replay('v6.9', rows(MAP, UNMAP, UNMAP));
    expect(found).toEqual(['double-unmap@5']);
    expect(findings[0]).toMatchObject({
      level: 'error',
      address: 0x80000000,
      related: [{ line: 3, message: 'mapped here' }],
    });
  });

  it('says allocated of what was allocated', async () => {
    const free = 'net,free,,4096,,0x80000000';
    const { findings } = await replay('v6.9', rows('net,alloc,,4096,,0x80000000', free, free));
    expect(findings[0].related).toEqual([{ line: 3, message: 'allocated here' }]);
  });

  it('is silent where the address was mapped again in between', async () => {
    const again = rows(MAP, UNMAP, MAP, UNMAP);
    expect((await replay('v6.9', again)).found).toEqual([]);
  });

  it('points to the last of several maps at the address', async () => {
    const { findings } = await replay('v6.9', rows(MAP, UNMAP, MAP, UNMAP, UNMAP));
    expect(findings.map(({ rule, line, related }) => [rule, line, related[0].line])).toEqual([
      ['double-unmap', 7, 5],
    ]);
  });
});

describe('size-mismatch', () => {
  it('warns of an unmap with another size', async () => {
    const { found, findings } = await replay('v6.9', rows(MAP, UNMAP.replace('4096', '4095')));
    expect(found).toEqual(['size-mismatch@4']);
    expect(findings[0]).toMatchObject({
      level: 'warning',
      message: expect.stringMatching(/4095 bytes at 0x80000000.* 4 KiB/),
      related: [{ line: 3, message: 'mapped here' }],
    });
  });

  it('compares with the size that was mapped, not with what alloc_size makes of it', async () => {
    const trace = (size: number) => `
      #pool name=default base=0x80000000 nslabs=64 index=0
      dev,op,orig_addr,size,alloc_size,tlb_addr
      net,map,0x5000,100,4096,0x80000000
      net,unmap,,${size},,0x80000000`;
    expect((await replay('v6.9', trace(100))).found).toEqual([]);
    expect((await replay('v6.9', trace(4096))).found).toEqual(['size-mismatch@4']);
  });
});

describe('dir-mismatch', () => {
  it('warns of an unmap with another direction', async () => {
    const { found, findings } = await replay('v6.9', rows(MAP, UNMAP.replace('to_', 'from_')));
    expect(found).toEqual(['dir-mismatch@4']);
    expect(findings[0]).toMatchObject({
      level: 'warning',
      message: expect.stringMatching(/from_device at 0x80000000.* to_device/),
    });
  });

  it('is silent about frees, which have no direction', async () => {
    const { found } = await replay(
      'v6.9',
      rows('net,alloc,,4096,to_device,0x80000000', 'net,free,,4096,,0x80000000'),
    );
    expect(found).toEqual([]);
  });

  it('comes with a size-mismatch where both are wrong', async () => {
    const wrong = 'net,unmap,,64,bidirectional,0x80000000';
    const { found } = await replay('v6.9', rows(MAP, wrong));
    expect(found).toEqual(['size-mismatch@4', 'dir-mismatch@4']);
  });
});

describe('leak', () => {
  it('notes once per device what is live at the end, at the line of the oldest', async () => {
    const { found, findings } = await replay(
      'v6.9',
      rows(
        'usb,map,0x5000,2048,,0x80000000',
        'net,map,0x5000,2048,,0x80000800',
        'usb,unmap,,2048,,0x80000000',
        'net,map,0x6000,6000,,0x80001000',
        'usb,map,0x7000,100,,0x80002800',
      ),
    );
    expect(found).toEqual(['leak@4', 'leak@7']);
    expect(findings[0]).toMatchObject({ level: 'note', device: 'net', address: 0x80000800 });
    expect(findings[0].message).toMatch(/2 allocations.*4 slots/);
    expect(findings[1].message).toMatch(/1 allocation .*1 slot/);
  });

  it('tells the device with the oldest first', async () => {
    const { findings } = await replay(
      'v6.9',
      rows(
        'usb,map,0x5000,2048,,0x80000000',
        'net,map,0x5000,2048,,0x80000800',
        'usb,unmap,,2048,,0x80000000',
        'usb,map,0x7000,100,,0x80001000',
      ),
    );
    expect(findings.map(({ device, line }) => [device, line])).toEqual([
      ['net', 4],
      ['usb', 6],
    ]);
  });

  it('leaves out what the model refused', async () => {
    const { found } = await replay('v6.9', rows('net,map,0x5000,262145,,0x80000000'));
    expect(found).toEqual(['pool-full@3']);
  });
});
