import { describe, expect, it } from 'vitest';
import { addressesOf, replay } from '../support/replaying.js';

/** Rows on an empty pool of 16 slots at 0x80000000, from line 3 on. */
const rows = (...lines: string[]) =>
  [
    '#pool name=default base=0x80000000 nslabs=16 index=0',
    'dev,op,orig_addr,size,tlb_addr',
    ...lines,
  ].join('\n');

/** Which slots of the first pool are in use. */
function usedSlots({ session }: Awaited<ReturnType<typeof replay>>): number[] {
  const { list } = session.allocators[0].pool;
  return [...list.keys()].filter((slot) => list[slot] === 0);
}

describe('an unmap of a recorded address', () => {
  it('frees the model’s own address where the release gave another', async () => {
    const trace = rows('net,map,0x100800,4096,0x80000800', 'net,map,0x5000,2048,');
    const mapped = await replay('v6.9', trace);
    expect(addressesOf(mapped)).toEqual(['0x80000000', '0x80001000']);
    const unmapped = await replay('v6.9', `${trace}\nnet,unmap,,4096,0x80000800`);
    expect(usedSlots(unmapped)).toEqual([2]);
    expect(unmapped.found).not.toContain('unmatched-unmap@5');
  });

  it('is not taken for the model’s address of somebody else', async () => {
    // The recorded address of line 4 is the model's address of line 3, and the other way round.
    const replayed = await replay(
      'v6.9',
      rows(
        'net,map,0x5000,2048,0x80000800',
        'usb,map,0x5000,2048,0x80000000',
        'usb,unmap,,2048,0x80000000',
      ),
    );
    expect(addressesOf(replayed)).toEqual(['0x80000000', '0x80000800']);
    expect(usedSlots(replayed)).toEqual([0]);
    expect(replayed.found).toEqual(['leak@3']);
  });

  it('frees by the model’s address where the map’s result was not recorded', async () => {
    const replayed = await replay(
      'v6.9',
      rows('net,map,0x5000,2048,', 'net,map,0x5000,2048,', 'net,unmap,,2048,0x80000800'),
    );
    expect(usedSlots(replayed)).toEqual([0]);
  });

  it('finds addresses with the offset that min_align_mask keeps', async () => {
    const replayed = await replay(
      'v6.9',
      `
      #pool name=default base=0x80000000 nslabs=16 index=0
      #device name=nvme min_align_mask=0xfff
      dev,op,orig_addr,size,tlb_addr
      nvme,map,0x1234a10,100,0x90002a10
      nvme,unmap,,100,0x90002a10`,
    );
    expect(addressesOf(replayed)).toEqual(['0x80000a10']);
    expect(usedSlots(replayed)).toEqual([]);
    expect(replayed.found).toEqual([]);
  });

  it('frees the newer of two live maps that were recorded at one address, then the older', async () => {
    const maps = ['net,map,0x5000,2048,0x90000000', 'net,map,0x5000,4096,0x90000000'];
    const unmap = 'net,unmap,,,0x90000000';
    expect(usedSlots(await replay('v6.9', rows(...maps)))).toEqual([0, 2, 3]);
    expect(usedSlots(await replay('v6.9', rows(...maps, unmap)))).toEqual([0]);
    const both = await replay('v6.9', rows(...maps, unmap, unmap));
    expect(usedSlots(both)).toEqual([]);
    expect(both.found).toEqual([]);
  });
});

describe('a result that the model does not share', () => {
  it('is released at once where the recorded kernel was full and the model is not', async () => {
    const replayed = await replay('v6.9', rows('net,map,0x5000,4096,full', 'net,map,0x5000,2048,'));
    expect(addressesOf(replayed)).toEqual(['0x80000000', '0x80001000']);
    expect(usedSlots(replayed)).toEqual([2]);
    expect(replayed.session.totals).toMatchObject({ servedAnyway: 1, mismatches: 1, failed: 0 });
    expect(replayed.report.assumptions.at(-1)?.message).toMatch(/^1 request/);
    expect(replayed.found).toEqual(['leak@4']);
  });

  it('is released at once as well where the recorded kernel never came back', async () => {
    const replayed = await replay('v6.9', rows('net,map,0x5000,4096,hang'));
    expect(usedSlots(replayed)).toEqual([]);
    expect(replayed.session.totals.servedAnyway).toBe(1);
  });

  it('is released whole, though v6.8 would not find pages that begin on an odd slot by their page', async () => {
    const trace = `
      #pool name=default base=0x80000000 nslabs=16 index=1
      dev,op,orig_addr,size,tlb_addr
      net,alloc,,4096,full`;
    expect(usedSlots(await replay('v6.8', trace))).toEqual([]);
    expect(usedSlots(await replay('v6.9', trace))).toEqual([]);
  });

  it('leaves no assumption behind where both were full', async () => {
    const replayed = await replay('v6.9', rows('net,map,0x5000,300000,full'));
    expect(replayed.session.totals).toMatchObject({ servedAnyway: 0, mismatches: 0, failed: 1 });
    expect(replayed.report.assumptions).toEqual([]);
  });

  it('is remembered where the model refused, so that its unmap releases nothing', async () => {
    const replayed = await replay(
      'v6.9',
      rows(
        'net,map,0x5000,2048,0x80000000',
        'net,map,0x5000,40000,0x80000800',
        'net,unmap,,40000,0x80000800',
      ),
    );
    expect(replayed.found).toEqual(['pool-full@4', 'leak@3']);
    expect(usedSlots(replayed)).toEqual([0]);
    expect(replayed.session.totals).toMatchObject({ recorded: 2, mismatches: 1, failed: 1 });
  });
});

describe('an unmap that matches no allocation', () => {
  it('releases what the kernel finds there: the tail of a buffer, from the address on', async () => {
    const replayed = await replay(
      'v6.9',
      rows('net,map,0x5000,16384,0x80000000', 'net,unmap,,64,0x80001800'),
    );
    expect(usedSlots(replayed)).toEqual([0, 1, 2]);
    expect(replayed.found).toEqual(['unmatched-unmap@4', 'leak@3']);
  });

  it('finds the buffer where the model has it, not where it was recorded', async () => {
    const replayed = await replay(
      'v6.9',
      rows(
        'net,map,0x5000,2048,0x90000000',
        'net,map,0x5000,8192,0x80000000',
        'net,unmap,,64,0x80000800',
      ),
    );
    expect(addressesOf(replayed)).toEqual(['0x80000000', '0x80001000']);
    // One slot into the buffer of slots 2 to 5, although 0x80000800 is slot 1.
    expect(usedSlots(replayed)).toEqual([0, 2]);
  });

  it('leaves alone what only the model has there', async () => {
    // The trace knows the buffer by another address; whose this one is nobody can tell.
    const replayed = await replay(
      'v6.9',
      rows('net,map,0x5000,2048,0x90000000', 'usb,unmap,,2048,0x80000000'),
    );
    expect(addressesOf(replayed)).toEqual(['0x80000000']);
    expect(usedSlots(replayed)).toEqual([0]);
    expect(replayed.found).toEqual(['unmatched-unmap@4', 'leak@3']);
  });

  it('counts nothing as released that was mapped before the trace begins', async () => {
    // The kernel's arithmetic would release a slot for the offset in 0x234 alone.
    const { session } = await replay(
      'v6.9',
      `
      #pool name=default base=0x80000000 nslabs=16 index=0
      #device name=nvme min_align_mask=0xfff
      dev,op,orig_addr,size,tlb_addr
      nvme,unmap,,512,0x80000234`,
    );
    expect(session.allocators[0].used).toBe(0);
    expect([...session.allocators[0].pool.areaUsed]).toEqual([0]);
  });

  it('releases nothing in a pool that does not hold the address', async () => {
    const replayed = await replay(
      'v6.9',
      rows('net,map,0x5000,2048,0x80000000', 'net,unmap,,64,0x70000000'),
    );
    expect(usedSlots(replayed)).toEqual([0]);
    expect(replayed.session.allocators[0].used).toBe(1);
  });

  it('releases nothing the second time', async () => {
    const replayed = await replay(
      'v6.9',
      rows(
        'net,map,0x5000,2048,0x80000000',
        'net,unmap,,2048,0x80000000',
        'net,unmap,,2048,0x80000000',
      ),
    );
    expect(replayed.session.allocators[0]).toMatchObject({ used: 0, usedHiwater: 1 });
    expect(replayed.session.totals).toMatchObject({ maps: 1, unmaps: 2 });
  });
});

describe('syncs', () => {
  it('are counted and change nothing', async () => {
    const replayed = await replay(
      'v6.9',
      rows(
        'net,map,0x5000,2048,0x80000000',
        'net,sync_for_cpu,,64,0x80000000',
        'net,sync_for_device,,64,0x80000000',
      ),
    );
    expect(replayed.session.totals).toMatchObject({ maps: 1, unmaps: 0, syncs: 2 });
    expect(usedSlots(replayed)).toEqual([0]);
  });
});
