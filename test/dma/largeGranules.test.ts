import { describe, expect, test } from 'vitest';
import { allocCoherent, freeCoherent, getSgtable } from '../../src/dma/coherent.js';
import { addressAfter, stopsAtBoot } from '../../src/dma/device.js';
import { leadsTo, mapPage } from '../../src/dma/mapping.js';
import { mapSg, unmapSg } from '../../src/dma/scatter.js';
import type { SgSegment } from '../../src/dma/sync.js';
import { Attr, Dir } from '../../src/dma/system.js';
import { findIommuRelease } from '../../src/kernel/iommuSelect.js';
import { lowestPages } from '../../src/replay/dmaIommu/pages.js';
import { leakedTo, machineOf } from '../support/dmaMachine.js';

/** 16 KiB IOMMU pages under a kernel of 4 KiB pages. */
const RELEASE = 'v7.2+large-granules';
const GRANULE = 16384;

function machine(untrusted: boolean): ReturnType<typeof machineOf> {
  return machineOf(RELEASE, { granule: GRANULE, untrusted });
}

const pagesAt = (base: number): ReturnType<typeof lowestPages> =>
  lowestPages(base, base + 0x100000, 4096);

/** Bytes within a granule that a live buffer does not own and a device reaches. */
function strayBytes(
  { system, device }: ReturnType<typeof machineOf>,
  address: { pfn: number; offset: number },
  size: number,
): number {
  const owned = [];
  for (let at = 0; at < size; at += 4096) {
    owned.push({ start: leadsTo(device, addressAfter(address, at, GRANULE)), length: 4096 });
  }
  const pieces = leakedTo({ system, device, add: () => device }, device, owned);
  return pieces.reduce((sum, { length }) => sum + length, 0);
}

describe('a granule larger than a page', () => {
  test('stops every release at boot, and not what was proposed', () => {
    const find = (name: string): NonNullable<ReturnType<typeof findIommuRelease>> => {
      const release = findIommuRelease(name);
      if (release === undefined) throw new Error(name);
      return release;
    };
    expect(stopsAtBoot(find('v7.2'), 4096, GRANULE)).toBe(true);
    expect(stopsAtBoot(find('v7.2'), 16384, GRANULE)).toBe(false);
    expect(stopsAtBoot(find(RELEASE), 4096, GRANULE)).toBe(false);
    expect(stopsAtBoot(find(RELEASE), 4096, 12288)).toBe(true);
  });

  test('keeps the offset in the granule of what it maps in place', () => {
    const { system, device } = machine(false);
    const mapped = mapPage(system, device, 0x503000, 0x1800, Dir.toDevice, 0);
    expect(mapped).toMatchObject({ phys: 0x503000, address: { offset: 0x3000 } });
    expect(device.table.mapped).toBe(2);
  });

  test('bounces a page of an untrusted device into a granule of its own', () => {
    const it = machine(true);
    const mapped = mapPage(it.system, it.device, 0x503000, 4096, Dir.toDevice, 0);
    if (typeof mapped === 'string') throw new Error(mapped);
    expect(strayBytes(it, mapped.address, 4096)).toBe(0);
    expect(it.system.allocator.used).toBe(8);
  });

  test('maps a list by the granules of its physical addresses', () => {
    const { system, device } = machine(false);
    const entries = [
      { phys: 0x501000, length: 4096 },
      { phys: 0x602000, length: 0x2000 },
      { phys: 0x704000, length: 0x4000 },
    ];
    const segments = mapSg(system, device, entries, Dir.toDevice, 0) as SgSegment[];
    expect(segments.map(({ address }) => leadsTo(device, address))).toEqual([0x501000, 0x602000]);
    // The third continues the second, whose end is a granule's.
    expect(segments.map(({ length }) => length)).toEqual([4096, 0x6000]);
    unmapSg(system, device, entries, segments, Dir.toDevice, 0);
    expect(device.table.mapped).toBe(0);
  });

  test.each([
    [false, Attr.forceContiguous],
    [false, 0],
    [true, Attr.forceContiguous],
    [true, 0],
  ])('allocates memory (untrusted %s, attrs %i)', (untrusted, attrs) => {
    const it = machine(untrusted);
    const { system, device } = it;
    const pages = pagesAt(0x41800000);
    // Somebody else's page in front.
    expect(pages.take(1)).toBe(0x41800000);
    const buffer = allocCoherent(system, device, 5 * 4096, attrs, pages);
    if (typeof buffer === 'string') throw new Error(buffer);
    const pagesTaken = buffer.blocks.reduce((sum, { length }) => sum + length / 4096, 0);
    const stray = strayBytes(it, buffer.address, 5 * 4096);
    // Only a trusted device sees pages that are not its own; and those of a block are zeroed.
    if (untrusted) expect([pagesTaken, stray]).toEqual([8, 0]);
    else if (attrs !== 0) expect([pagesTaken, stray]).toEqual([8, 0]);
    else expect([pagesTaken, buffer.address.offset]).toEqual([5, 3 * 4096]);
    expect(getSgtable(system, device, buffer)).toBe(-6);
    freeCoherent(system, device, buffer, pages);
    expect(device.table.mapped).toBe(0);
    expect(pages.take(1)).toBe(0x41801000);
  });

  test('shows a trusted device the pages beside a small allocation', () => {
    const it = machine(false);
    const pages = pagesAt(0x41800000);
    pages.take(1);
    const buffer = allocCoherent(it.system, it.device, 4096, Attr.forceContiguous, pages);
    if (typeof buffer === 'string') throw new Error(buffer);
    expect(buffer.address.offset).toBe(4096);
    expect(strayBytes(it, buffer.address, 4096)).toBe(3 * 4096);
  });
});

describe('a granule no larger than a page', () => {
  test('gives a list of its memory, where it is asked for', () => {
    const { system, device } = machineOf('v7.2');
    const pages = pagesAt(0x41800000);
    const buffer = allocCoherent(system, device, 9000, 0, pages);
    if (typeof buffer === 'string') throw new Error(buffer);
    expect(getSgtable(system, device, buffer)).toEqual([{ phys: 0x41800000, length: 9000 }]);
    const whole = allocCoherent(system, device, 9000, Attr.forceContiguous, pages);
    if (typeof whole === 'string') throw new Error(whole);
    expect(getSgtable(system, device, whole)).toEqual([{ phys: 0x41804000, length: 12288 }]);
  });

  test('gives back what it took where pages or addresses run out', () => {
    const { system, device } = machineOf('v7.2', { dmaMask: 0x2fff });
    const pages = lowestPages(0x41800000, 0x41804000, 4096);
    expect(allocCoherent(system, device, 0x5000, 0, pages)).toBe('no-pages');
    expect(allocCoherent(system, device, 0x4000, 0, pages)).toBe('no-address');
    expect(allocCoherent(system, device, 0x4000, Attr.forceContiguous, pages)).toBe('no-address');
    expect(pages.take(4)).toBe(0x41800000);
    expect(device.table.mapped).toBe(0);
  });
});
