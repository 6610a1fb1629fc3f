import { describe, expect, it } from 'vitest';
import { addressesOf, replay } from '../support/replaying.js';

/** The findings of the two rules, and nothing else. */
async function owned(release: string, trace: string) {
  const replayed = await replay(release, trace);
  const findings = replayed.findings.filter(({ rule }) => rule.startsWith('double-allocated'));
  const found = findings.map(({ rule, line }) => `${rule}@${line}`);
  return { ...replayed, findings, found };
}

/** Slots, addresses and lines that a message tells, whatever words are around them. */
function facts(message: string): string[] {
  return message.match(/slots? \d+(-\d+)?|0x[0-9a-f]+(-0x[0-9a-f]+)?|lines? \d+( and \d+)?/g) ?? [];
}

/** Three allocations of two pages that begin on an odd slot (the run behind 04867a7a3332). */
const oddAllocations = `
  #pool name=default base=0x97ff0000 nslabs=7168 index=1645 restricted=1
  dev,op,orig_addr,size,tlb_addr
  net0,alloc,,8192,
  net0,alloc,,8192,
  net1,alloc,,8192,`;

describe('double-allocated-page', () => {
  it('finds the pages that neighbours of a misaligned allocation are handed as well', async () => {
    const { found, report } = await owned('v6.8', oddAllocations);
    expect(found).toEqual(['double-allocated-page@4', 'double-allocated-page@5']);
    expect(report.doubleAllocatedPages).toEqual([0x98328000, 0x9832a000]);
  });

  it('names both owners, the older first, with what each was handed', async () => {
    const [, second] = (await owned('v6.8', oddAllocations)).findings;
    expect(second).toMatchObject({ level: 'error', device: 'net1', address: 0x9832a000 });
    expect(facts(second.message)).toEqual(['0x9832a000', 'lines 4 and 5']);
    expect(second.related.map(({ line }) => line)).toEqual([4, 5]);
    expect(second.related[0].message).toContain('net0');
    expect(second.related.map(({ message }) => facts(message))).toEqual([
      ['slots 1649-1652', '0x98328800-0x9832a7ff', '0x98328000-0x98329fff'],
      ['slots 1653-1656', '0x9832a800-0x9832c7ff', '0x9832a000-0x9832bfff'],
    ]);
  });

  it.each(['v6.8+will-v1', 'v6.9', 'v6.12'])('finds none of them in %s', async (release) => {
    const { found, report } = await owned(release, oddAllocations);
    expect(found).toEqual([]);
    expect(report.doubleAllocatedPages).toEqual([]);
  });

  it('finds a map in the lower half of the page that a misaligned allocation is handed', async () => {
    const { found, findings, report } = await owned(
      'v6.8',
      `
      #pool name=default base=0x80000000 nslabs=16 index=0
      dev,op,orig_addr,size
      usb,map,0x5000,2048
      net,alloc,,4096`,
    );
    expect(found).toEqual(['double-allocated-page@4']);
    expect(findings[0].related.map(({ line }) => line)).toEqual([3, 4]);
    expect(findings[0].related.map(({ message }) => facts(message))).toEqual([
      ['slot 0', '0x80000000-0x800007ff'],
      ['slots 1-2', '0x80000800-0x800017ff', '0x80000000-0x80000fff'],
    ]);
    expect(report.doubleAllocatedPages).toEqual([0x80000000]);
  });

  it('ends with the pool, where the page that is handed out does not', async () => {
    const { found } = await owned(
      'v6.2',
      `#pool name=default base=0xfff90800 nslabs=16 index=1
       dev,op,orig_addr,size,tlb_addr
       net,alloc,,32768,0x4000000000000
       net,map,0x100000,4096,0x4000000100000`,
    );
    expect(found).toEqual([]);
  });

  it('is silent about two maps in the halves of one page, and about a map before an aligned one', async () => {
    const trace = `
      #pool name=default base=0x80000000 nslabs=16 index=0
      dev,op,orig_addr,size
      usb,map,0x5000,2048
      net,map,0x6000,2048
      net,alloc,,4096`;
    expect((await owned('v6.8', trace)).found).toEqual([]);
  });

  it('is silent where the neighbour was unmapped before', async () => {
    const { found } = await owned(
      'v6.8',
      `
      #pool name=default base=0x80000000 nslabs=16 index=0
      dev,op,orig_addr,size,tlb_addr
      usb,map,0x5000,2048,0x80000000
      usb,unmap,,2048,0x80000000
      net,alloc,,4096,`,
    );
    expect(found).toEqual([]);
  });

  it('tells all pages of an overlap at once', async () => {
    // The unmap inside the buffer frees its tail, slots 2 to 7, which are handed out again.
    const { found, findings, report } = await owned(
      'v6.9',
      `
      #pool name=default base=0x80000000 nslabs=8 index=0
      dev,op,orig_addr,size,tlb_addr
      net,map,0x100000,16384,0x80000000
      net,unmap,,4096,0x80001000
      usb,map,0x200000,12288,`,
    );
    expect(found).toEqual(['double-allocated-page@5', 'double-allocated-slot@5']);
    expect(findings.map(({ message }) => facts(message))).toEqual([
      ['0x80001000-0x80003fff', 'lines 3 and 5'],
      ['slots 2-7', 'lines 3 and 5'],
    ]);
    expect(findings[0].message).toContain('3 pages');
    expect(report.doubleAllocatedPages).toEqual([0x80001000, 0x80002000, 0x80003000]);
  });

  it('counts in pages of the kernel at hand', async () => {
    const { found, findings } = await owned(
      'v6.8',
      `
      #kernel page_size=16384
      #pool name=default base=0x80000000 nslabs=64 index=1
      dev,op,orig_addr,size
      net,alloc,,16384
      net,alloc,,16384`,
    );
    expect(found).toEqual(['double-allocated-page@5']);
    expect(findings[0].address).toBe(0x80004000);
  });

  it('names every owner of a slot that several allocations claim', async () => {
    // Slot 3 is freed under its owner again and again, and handed out each time.
    const { found, findings } = await owned(
      'v6.9',
      `
      #pool name=default base=0x80000000 nslabs=4 index=0
      dev,op,orig_addr,size,tlb_addr
      net,map,0x100000,8192,0x80000000
      net,unmap,,2048,0x80001000
      usb,map,0x200000,4096,0x90001000
      usb,unmap,,2048,0x90001800
      nvme,map,0x300000,2048,0x90003000
      nvme,unmap,,2048,0x90003040
      sata,map,0x400000,2048,`,
    );
    expect(found.filter((at) => at.endsWith('@7'))).toEqual([
      'double-allocated-page@7',
      'double-allocated-slot@7',
      'double-allocated-page@7',
      'double-allocated-slot@7',
    ]);
    const others = findings
      .filter(({ rule, line }) => rule === 'double-allocated-slot' && line === 9)
      .map(({ related }) => related[0].line);
    expect(others).toEqual([3, 5, 7]);
  });
});

describe('double-allocated-slot', () => {
  // swiotlb_free() gets the page at 0x80000000, so it releases slot 0 and leaves slots 1 and 2 taken.
  const freedNeighbour = `
    #pool name=default base=0x80000000 nslabs=4 index=0 restricted=1
    dev,op,orig_addr,size,tlb_addr
    usb,map,0x5000,2048,
    net,alloc,,4096,0x80000800
    net,free,,4096,0x80000800
    nvme,map,0x6000,2048,
    nvme,map,0x7000,2048,`;

  it('finds a slot that the free of a misaligned neighbour released and that was handed out again', async () => {
    const replayed = await owned('v6.8', freedNeighbour);
    expect(addressesOf(replayed)).toEqual(['0x80000000', '0x80000800', '0x80001800', '0x80000000']);
    expect(replayed.found).toEqual([
      'double-allocated-page@4',
      'double-allocated-page@7',
      'double-allocated-slot@7',
    ]);
    const slot = replayed.findings[2];
    expect(slot).toMatchObject({ level: 'error', device: 'nvme', address: 0x80000000 });
    expect(facts(slot.message)).toEqual(['slot 0', 'lines 3 and 7']);
    expect(slot.related.map(({ line }) => line)).toEqual([3, 7]);
  });

  it('finds none where the allocation lies on its page, or the neighbour was unmapped first', async () => {
    expect((await owned('v6.9', freedNeighbour)).found).toEqual([]);
    const unmappedFirst = freedNeighbour.replace(
      'net,alloc,',
      'usb,unmap,,2048,0x80000000\n net,alloc,',
    );
    expect((await owned('v6.8', unmappedFirst)).found).toEqual([]);
  });

  it('leaves out of later findings an owner that was unmapped meanwhile, and keeps the other', async () => {
    // The last unmap releases both slots of line 3, the second of which is line 5's by then.
    const { findings } = await owned(
      'v6.9',
      `
      #pool name=default base=0x80000000 nslabs=2 index=0
      dev,op,orig_addr,size,tlb_addr
      net,map,0x100000,4096,0x80000000
      net,unmap,,2048,0x80000800
      usb,map,0x200000,2048,0x90000800
      net,unmap,,4096,0x80000000
      nvme,map,0x300000,2048,
      nvme,map,0x400000,2048,`,
    );
    const slots = findings.filter(({ rule }) => rule === 'double-allocated-slot');
    expect(slots.map(({ related }) => related.map(({ line }) => line))).toEqual([
      [3, 5],
      [5, 8],
    ]);
  });
});
