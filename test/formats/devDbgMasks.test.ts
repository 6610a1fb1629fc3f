import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type DevDbgFields, devDbgLine, POSTED_BASE } from '../support/devDbgLines.js';
import { type Reading, read } from '../support/reading.js';

const SLOT_MASK = 0x7ff;
const ALL_LOW = 0x1ffff;

/** A map under the given masks, as v6.8 prints it. */
interface MapUnderMasks {
  size: number;
  minAlignMask: number;
  allocAlignMask?: number;
  /** Low bits of the original address. */
  low?: number;
  device?: string;
}

function lineOf(map: MapUnderMasks, pageSize = 4096): string {
  const { size, minAlignMask, allocAlignMask = 0, low = 0, device = 'nvme' } = map;
  const origAddr = 0x40000000 + low;
  const fields: Partial<DevDbgFields> = {
    device,
    origAddr,
    allocSize: size,
    alignMask: printedMask(minAlignMask, allocAlignMask, size, pageSize),
    slot: 0,
    tlbAddr: POSTED_BASE + (origAddr & minAlignMask & SLOT_MASK),
  };
  return devDbgLine(fields);
}

function printedMask(min: number, alloc: number, size: number, pageSize: number): number {
  const page = size >= pageSize ? pageSize - 1 : 0;
  return ((min | alloc | page) & ~SLOT_MASK) >>> 0;
}

function readMaps(maps: MapUnderMasks[], pageSize = 4096): Promise<Reading> {
  const lines = maps.map((map) => lineOf(map, pageSize));
  return read(lines.join('\n'), { pageSize });
}

async function minAlignMaskOf(...maps: MapUnderMasks[]): Promise<number | undefined> {
  return (await readMaps(maps)).info.devices[0].minAlignMask;
}

describe('min_align_mask from debug lines', () => {
  test('is what the lines of a device have in common, and said to be inferred', async () => {
    const { info } = await readMaps([
      { size: 0x200, minAlignMask: 0xfff, low: 0x234 },
      { size: 0x200, minAlignMask: 0xfff, allocAlignMask: 0xffff },
    ]);
    expect(info.devices[0].minAlignMask).toBe(0xfff);
    expect(info.assumptions.at(-1)).toEqual({
      line: 1,
      message: 'device nvme: min_align_mask 0xfff, from iotlb_align_mask and addresses',
    });
  });

  test('is 0 for a device whose results keep no low bits, and then not said', async () => {
    const { info } = await readMaps([{ size: 0x1000, minAlignMask: 0, low: 0x234 }]);
    expect(info.devices[0].minAlignMask).toBe(0);
    expect(info.assumptions).toHaveLength(1);
  });

  test('is not taken from what the page size explains', async () => {
    expect(await minAlignMaskOf({ size: 0x1000, minAlignMask: 0 })).toBe(0);
    expect(await minAlignMaskOf({ size: 0x1000, minAlignMask: 0xffff })).toBe(0xffff);
  });

  test('of a page shows in page-sized maps by the low bits that they keep', async () => {
    expect(await minAlignMaskOf({ size: 0x1000, minAlignMask: 0xfff, low: 0x234 })).toBe(0xfff);
  });

  test('below a slot shows in the low bits alone', async () => {
    const minAlignMask = 0x1ff;
    expect(await minAlignMaskOf({ size: 0x200, minAlignMask, low: 0x7c4 })).toBe(0x1ff);
    expect(await minAlignMaskOf({ size: 0x200, minAlignMask, low: 0x604 })).toBe(0x7);
    expect(
      await minAlignMaskOf(
        { size: 0x200, minAlignMask, low: 0x604 },
        { size: 0x200, minAlignMask, low: 0x180 },
      ),
    ).toBe(0x1ff);
  });

  test('ends below a bit that was lost, whatever mask is printed in every line', async () => {
    const everyLine = { size: 0x200, minAlignMask: 0, allocAlignMask: 0xffff, low: 0x234 };
    const { events, info } = await readMaps([everyLine, everyLine]);
    expect(info.devices[0].minAlignMask).toBe(0);
    expect(events.map((event) => event.allocAlignMask)).toEqual([0xffff, 0xffff]);

    // 0x204 stays of 0x234: a mask of low ones that keeps bit 2 and loses bit 4 is 0x7 or 0xf.
    const offset = { slot: 0, origAddr: 0x40000234, tlbAddr: POSTED_BASE + 0x204, alignMask: 0 };
    expect((await read(devDbgLine(offset))).info.devices[0].minAlignMask).toBe(0xf);
  });

  test('is each device its own', async () => {
    const { info } = await readMaps([
      { size: 0x200, minAlignMask: 0xfff, device: 'nvme' },
      { size: 0x200, minAlignMask: 0, low: 1, device: 'virtio' },
    ]);
    expect(info.devices.map((device) => device.minAlignMask)).toEqual([0xfff, 0]);
  });

  test('depends on the page size that the user gave', async () => {
    const maps = [{ size: 0x10000, minAlignMask: 0 }];
    expect((await readMaps(maps, 65536)).info.devices[0].minAlignMask).toBe(0);
    const lines = maps.map((map) => lineOf(map, 65536)).join('\n');
    expect((await read(lines, { pageSize: 4096 })).info.devices[0].minAlignMask).toBe(0xffff);
  });

  test('is settled by the first batch that has the device', async () => {
    const first = { size: 0x200, minAlignMask: 0xfff, low: 0x234 };
    const late = { size: 0x200, minAlignMask: 0x1fff, device: 'late' };
    const maps = [...Array(8192).fill(first), { ...first, allocAlignMask: 0xffff }, late];
    const { events, info } = await readMaps(maps);
    expect(info.devices.map((device) => device.minAlignMask)).toEqual([0xfff, 0x1fff]);
    expect(events.slice(-2).map((event) => event.allocAlignMask)).toEqual([0xffff, 0]);
    expect(info.assumptions.slice(1).map((assumption) => assumption.line)).toEqual([1, 8194]);
  });
});

describe('alloc_align_mask from debug lines', () => {
  test('is what min_align_mask and the page size leave of the printed mask', async () => {
    const { events } = await readMaps([
      { size: 0x200, minAlignMask: 0xfff, low: 0x234 },
      { size: 0x200, minAlignMask: 0xfff, allocAlignMask: 0xffff },
      { size: 0x1000, minAlignMask: 0xfff, allocAlignMask: 0xfff },
    ]);
    expect(events.map((event) => event.allocAlignMask)).toEqual([0, 0xffff, 0]);
  });

  test('fills 32 bits without a sign', async () => {
    const { events } = await readMaps([
      { size: 0x200, minAlignMask: 0, low: 1 },
      { size: 0x200, minAlignMask: 0, allocAlignMask: 0xffffffff },
    ]);
    expect(events.map((event) => event.allocAlignMask)).toEqual([0, 0xffffffff]);
  });

  test('is 0 for an alloc, which has none', async () => {
    const { events } = await read([devDbgLine(), devDbgLine({ alignMask: 0xf800 })].join('\n'));
    expect(events.map((event) => event.allocAlignMask)).toEqual([0, 0]);
  });
});

test('with a telling line per device, the masks give back what was printed', async () => {
  const ones = (bits: number): number => 2 ** bits - 1;
  const mask = fc.integer({ min: 10, max: 20 }).map((bits) => (bits === 10 ? 0 : ones(bits)));
  const map = fc.record({
    size: fc.constantFrom(1, 0x200, 0xfff, 0x1000, 0x10000, 0x40000),
    allocAlignMask: mask,
    low: fc.nat(ALL_LOW),
  });
  const maps = fc.array(map, { maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(mask, maps, fc.constantFrom(4096, 16384), async (min, list, pageSize) => {
      // Small, without other masks, and with every low bit set: nothing is left to guess.
      const telling = { size: 1, allocAlignMask: 0, low: ALL_LOW };
      const all = [...list, telling].map((one) => ({ ...one, minAlignMask: min }));
      const { events, info } = await readMaps(all, pageSize);
      expect(info.devices[0].minAlignMask).toBe(min);
      const printed = all.map((one) => printedMask(min, one.allocAlignMask, one.size, pageSize));
      expect(events.map((e) => printedMask(min, e.allocAlignMask, e.size, pageSize))).toEqual(
        printed,
      );
    }),
  );
});
