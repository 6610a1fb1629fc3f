import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Scenario, scenarios, traceOf } from '../replay/generating.js';
import { addressesOf, replay } from '../support/replaying.js';

/** An empty pool on a page, whose search starts at `index`. */
const pool = (index: number, more = '#device name=dev0') => `
  #kernel page_size=4096
  #pool name=default base=0x80000000 nslabs=256 index=${index}
  ${more}
  dev,op,orig_addr,size,alloc_align_mask`;

/** `orig_addr`, `size` and perhaps `alloc_align_mask` of one map. */
const map = (fields: string) => `\n dev0,map,${fields}${fields.split(',').length < 3 ? ',' : ''}`;
const alloc = (size: number) => `\n dev0,alloc,,${size},`;

/** The rules that fired, without their lines. */
async function rules(release: string, trace: string): Promise<string[]> {
  const { findings } = await replay(release, trace);
  return findings.map(({ rule }) => rule).filter((rule) => rule !== 'leak');
}

describe('page-alignment', () => {
  it('fires where v6.8 gives a page-sized map the page bits of its original address', async () => {
    const replayed = await replay('v6.8', pool(0) + map('0x100800,4096'));
    expect(addressesOf(replayed)).toEqual(['0x80000800']);
    expect(replayed.found).toEqual(['page-alignment@5', 'leak@5']);
    expect(replayed.findings[0]).toMatchObject({
      level: 'error',
      device: 'dev0',
      address: 0x80000800,
      message: expect.stringContaining('v6.8'),
    });
  });

  it('is silent for the same map in v6.9, which puts it on a page', async () => {
    const replayed = await replay('v6.9', pool(0) + map('0x100800,4096'));
    expect(addressesOf(replayed)).toEqual(['0x80000000']);
    expect(replayed.found).toEqual(['leak@5']);
  });

  it('is silent for a map of a byte less than a page, which nobody promised a page', async () => {
    expect(await rules('v6.8', pool(1) + map('0x100800,4095'))).toEqual([]);
  });

  it('is silent for a page-sized map whose device or caller asked for an alignment of its own', async () => {
    const masked = pool(0, '#device name=dev0 min_align_mask=0xfff');
    const replayed = await replay('v6.9', masked + map('0x100800,4096'));
    expect(addressesOf(replayed)).toEqual(['0x80000800']);
    expect(replayed.found).toEqual(['leak@5']);
    expect(await rules('v6.9', pool(1) + map('0x100800,4096,0x7ff'))).toEqual([]);
  });

  it('fires for pages that v6.8 allocates from an odd slot, and says whose bytes are handed out', async () => {
    const replayed = await replay('v6.8', pool(1) + alloc(4096));
    expect(addressesOf(replayed)).toEqual(['0x80000800']);
    expect(replayed.found).toEqual(['page-alignment@5', 'natural-alignment@5', 'leak@5']);
    expect(replayed.findings[0].message).toMatch(/at 0x80000800 .* 0x80000000 .*2048 bytes/);
  });

  it('is silent for pages that v6.8 happens to allocate from an even slot, and in v6.9', async () => {
    expect(await rules('v6.8', pool(2) + alloc(4096))).toEqual([]);
    expect(await rules('v6.9', pool(1) + alloc(4096))).toEqual([]);
  });

  it('counts in pages of the kernel at hand', async () => {
    const trace = `
      #kernel page_size=65536
      #pool name=default base=0x80000000 nslabs=256 index=2
      dev,op,orig_addr,size
      dev0,map,0x101000,65536`;
    const [finding] = (await replay('v6.8', trace)).findings;
    expect(finding).toMatchObject({ rule: 'page-alignment', address: 0x80001000 });
  });
});

describe('alloc-alignment', () => {
  it('fires where v6.8 keeps a bit of the original address that alloc_align_mask wants clear', async () => {
    const replayed = await replay('v6.8', pool(0) + map('0x101800,2048,0xfff'));
    expect(replayed.found).toEqual(['alloc-alignment@5', 'leak@5']);
    expect(replayed.findings[0]).toMatchObject({ level: 'error', address: 0x80000800 });
    expect(replayed.findings[0].message).toMatch(/bits 0x800 of alloc_align_mask 0xfff/);
  });

  it('is silent where the original address is aligned itself, and in v6.9', async () => {
    expect(await rules('v6.8', pool(1) + map('0x101000,2048,0xfff'))).toEqual([]);
    expect(await rules('v6.9', pool(1) + map('0x101800,2048,0xfff'))).toEqual([]);
  });

  it('looks at the first slot and not at the data behind its padding', async () => {
    const masked = pool(0, '#device name=dev0 min_align_mask=0xfff');
    const replayed = await replay('v6.9', masked + map('0x101a10,100,0xfff'));
    expect(addressesOf(replayed)).toEqual(['0x80000a10']);
    expect(replayed.found).toEqual(['leak@5']);
  });

  it('fires where a map without an original address is tested against nothing', async () => {
    expect(await rules('v6.8', pool(1) + map('0,2048,0xfff'))).toEqual(['alloc-alignment']);
    expect(await rules('v6.8+will-v1', pool(1) + map('0,2048,0xfff'))).toEqual([]);
  });
});

describe('min-align-mask', () => {
  // The kernel tests `pool start & seg_boundary_mask`, so a boundary below the mask hides address bits.
  const hidden = (base: string) => `
    #pool name=default base=${base} nslabs=64 index=0
    #device name=dev0 min_align_mask=0xffff seg_boundary_mask=0x7fff
    dev,op,orig_addr,size
    dev0,map,0x101234,2048`;

  it('fires where the boundary hides from the search that the result differs', async () => {
    const replayed = await replay('v6.12', hidden('0x80008000'));
    expect(addressesOf(replayed)).toEqual(['0x80009234']);
    expect(replayed.found).toEqual(['min-align-mask@4', 'leak@4']);
    expect(replayed.findings[0].message).toMatch(/bits 0x8000 of min_align_mask 0xffff/);
  });

  it('is silent for the same map in a pool where nothing is hidden', async () => {
    const replayed = await replay('v6.12', hidden('0x80010000'));
    expect(addressesOf(replayed)).toEqual(['0x80011234']);
    expect(replayed.found).toEqual(['leak@4']);
  });

  it('fires for an original address of 0, which no release compares', async () => {
    const masked = pool(1, '#device name=dev0 min_align_mask=0xfff');
    expect(await rules('v6.9', masked + map('0,2048'))).toEqual(['min-align-mask']);
    expect(await rules('v6.9', masked + map('0x101000,2048'))).toEqual([]);
  });
});

describe('natural-alignment', () => {
  it('warns where v6.8+will-v1 puts two pages on a page, but not on two', async () => {
    const replayed = await replay('v6.8+will-v1', pool(2) + alloc(8192));
    expect(addressesOf(replayed)).toEqual(['0x80001000']);
    expect(replayed.found).toEqual(['natural-alignment@5', 'leak@5']);
    expect(replayed.findings[0]).toMatchObject({ level: 'warning', address: 0x80001000 });
    expect(replayed.findings[0].message).toMatch(/order.* 8 KiB/);
  });

  it('takes the next power of two as the order of a size that is none', async () => {
    expect(await rules('v6.8+will-v1', pool(4) + alloc(12288))).toEqual(['natural-alignment']);
  });

  it('is silent where the slot happens to suit, for one page, and in v6.9', async () => {
    expect(await rules('v6.8+will-v1', pool(4) + alloc(8192))).toEqual([]);
    expect(await rules('v6.8+will-v1', pool(2) + alloc(4096))).toEqual([]);
    expect(await rules('v6.9', pool(2) + alloc(8192))).toEqual([]);
  });
});

describe('the rules about alignment and ownership', () => {
  /** Without what no release promises: a map without an address, a boundary that hides bits. */
  const promised = (scenario: Scenario): Scenario => ({
    ...scenario,
    devices: scenario.devices.map((device) => ({ ...device, segBoundaryMask: 0xffff_ffff })),
    steps: scenario.steps.map((step) => ({ ...step, origAddr: step.origAddr || 0x100000 })),
  });

  it.each(['v6.9', 'v6.12'])('find nothing in %s, whatever is asked', async (release) => {
    await fc.assert(
      fc.asyncProperty(scenarios, async (scenario) => {
        const trace = traceOf(promised(scenario), { allocs: true, releaseAll: false });
        const found = await rules(release, trace);
        expect(found.filter((rule) => /align|double-allocated/.test(rule))).toEqual([]);
      }),
      { numRuns: 100 },
    );
  });
});
