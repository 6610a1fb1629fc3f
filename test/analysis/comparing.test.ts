import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { unmetExpectations } from '../../src/analysis/expectations.js';
import { watchMismatches } from '../../src/analysis/mismatches.js';
import { scenarios, traceOf } from '../replay/generating.js';
import { compare } from '../support/comparing.js';
import { addressesOf, replay } from '../support/replaying.js';

describe('a comparison of two replays', () => {
  const trace = `
    #pool name=default base=0x80000000 nslabs=16 index=0
    dev,op,orig_addr,size,tlb_addr
    net,map,0x5000,2048,
    net,map,0x100800,4096,
    net,alloc,,4096,
    net,map,0x5000,300000,`;

  it('tells the requests that were answered differently, and how', async () => {
    const { comparison } = await compare(['v6.8', 'v6.9'], trace);
    expect(comparison).toMatchObject({ requests: 4, different: 2 });
    expect(comparison.first).toEqual([
      {
        line: 4,
        op: 'map',
        device: 'net',
        size: 4096,
        old: 0x80000800,
        new: 0x80001000,
        origin: 4,
      },
      {
        line: 5,
        op: 'alloc',
        device: 'net',
        size: 4096,
        old: 0x80001800,
        new: 0x80002000,
        origin: 5,
      },
    ]);
  });

  it('tells a refusal as undefined, on either side', async () => {
    const odd = `
      #pool name=default base=0x80000000 nslabs=256 index=0
      dev,op,orig_addr,size
      net,map,0x100800,262144`;
    const { comparison } = await compare(['v6.8', 'v6.9'], odd);
    expect(comparison.first).toMatchObject([{ line: 3, old: undefined, new: 0x80000000 }]);
    const swapped = await compare(['v6.9', 'v6.8'], odd);
    expect(swapped.comparison.first).toMatchObject([{ line: 3, old: 0x80000000, new: undefined }]);
  });

  it('counts all and keeps as many as asked', async () => {
    const { comparison } = await compare(['v6.8', 'v6.9'], trace, { keep: 1 });
    expect(comparison.different).toBe(2);
    expect(comparison.first.map(({ line }) => line)).toEqual([4]);
  });

  it('finds no difference between a release and itself, and every one between two', async () => {
    await fc.assert(
      fc.asyncProperty(scenarios, async (scenario) => {
        const generated = traceOf(scenario, { allocs: true, releaseAll: false });
        const same = await compare(['v6.8', 'v6.8'], generated);
        expect(same.comparison.different).toBe(0);
        const { comparison, replays } = await compare(['v6.8', 'v6.12'], generated);
        const [old, fresh] = replays.map(addressesOf);
        expect(comparison.requests).toBe(old.length);
        expect(comparison.different).toBe(old.filter((address, n) => address !== fresh[n]).length);
      }),
      { numRuns: 50 },
    );
  });

  it('keeps its place over more than one batch', async () => {
    const maps = Array.from({ length: 9000 }, (_, n) => `net,map,0x${n.toString(16)}800,4096`);
    const long = [
      '#pool name=default base=0x80000000 nslabs=131072 index=0',
      'dev,op,orig_addr,size',
      ...maps,
    ].join('\n');
    const { comparison } = await compare(['v6.8', 'v6.9'], long);
    expect(comparison).toMatchObject({ requests: 9000, different: 9000 });
    expect(comparison.first[0]).toMatchObject({ line: 3, old: 0x80000800, new: 0x80000000 });
  });
});

describe('mismatches with the record', () => {
  const trace = `
    #pool name=default base=0x80000000 nslabs=4 index=0
    dev,op,orig_addr,size,tlb_addr
    net,map,0x5000,2048,0x80000000
    net,map,0x5000,2048,
    net,map,0x5000,2048,0x80001800
    net,map,0x5000,2048,full
    net,map,0x5000,4096,0x80001000
    net,map,0x5000,4096,full
    net,map,0x5000,4096,hang`;

  it('tell what was recorded and what the model says', async () => {
    const watch = watchMismatches(10);
    const { report } = await replay('v6.9', trace, { observe: () => watch });
    expect(watch.first).toEqual([
      { line: 5, device: 'net', recorded: '0x80001800', replayed: '0x80001000' },
      { line: 6, device: 'net', recorded: 'full', replayed: '0x80001800' },
      { line: 7, device: 'net', recorded: '0x80001000', replayed: 'full' },
      // A refusal is not the loop that never ended.
      { line: 9, device: 'net', recorded: 'hang', replayed: 'full' },
    ]);
    expect(report.summary).toMatchObject({ recorded: 6, mismatches: 4 });
  });

  it('are kept up to the number asked for, and all counted', async () => {
    const watch = watchMismatches(2);
    const { report } = await replay('v6.9', trace, { observe: () => watch });
    expect(watch.first.map(({ line }) => line)).toEqual([5, 6]);
    expect(report.summary.mismatches).toBe(4);
  });
});

describe('expectations', () => {
  /** What is unmet of `#expect` lines behind a trace that leaves 3 slots used in two pools. */
  async function unmet(...expects: string[]): Promise<string[]> {
    const { info, session } = await replay(
      'v6.9',
      [
        '#pool name=default base=0x80000000 nslabs=16 areas=2 index=0:0',
        '#pool name=own base=0x90000000 nslabs=8 index=0 restricted=1',
        '#device name=usb pool=own',
        'dev,op,cpu,orig_addr,size,tlb_addr',
        'net,map,1,0x5000,4096,0x80004000',
        'net,map,0,0x5000,2048,0x80000000',
        'net,unmap,0,,2048,0x80000000',
        'usb,alloc,0,,2048,',
        ...expects,
      ].join('\n'),
    );
    return unmetExpectations(info.expectations, session.allocators);
  }

  it('are met by the state at the end', async () => {
    expect(
      await unmet(
        '#expect used=2 used_hiwater=3 index=1:2',
        '#expect pool=own used=1 used_hiwater=1 index=1',
        '#expect pool=own',
      ),
    ).toEqual([]);
  });

  it('say with their line what differs', async () => {
    const differences = await unmet('#expect pool=own used=0', '#expect used_hiwater=4 index=2:2');
    expect(differences).toHaveLength(3);
    expect(differences[0]).toMatch(/line 9: .*own.*used is 1, not 0/);
    expect(differences[1]).toMatch(/line 10: .*default.*used_hiwater is 3, not 4/);
    expect(differences[2]).toMatch(/line 10: .*index is 1:2, not 2:2/);
  });

  it('of a pool that is not there are unmet', async () => {
    expect(await unmet('#expect pool=other used=0')).toEqual([expect.stringContaining('other')]);
  });
});
