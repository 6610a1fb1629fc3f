import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { devDbgLine, POSTED_BASE } from '../support/devDbgLines.js';
import { read } from '../support/reading.js';

describe('the pool behind debug lines', () => {
  test('is inferred from the first line, and said to be', async () => {
    const { info } = await read(`text\n${devDbgLine({ origAddr: 0x1000, alignMask: 0 })}\n`);
    expect(info.pools).toEqual([
      {
        name: 'pool0',
        base: POSTED_BASE,
        nslabs: 7168,
        areas: 1,
        startIndexes: [],
        indexKnowledge: 'unknown',
        restricted: false,
      },
    ]);
    expect(info.devices).toMatchObject([{ name: '0000:00:07.0', pool: 'pool0' }]);
    expect(info.assumptions).toEqual([
      {
        line: 2,
        message:
          'pool pool0: base 0x97ff0000, from slot 1645 at 0x98326800; one area; empty when the trace begins',
      },
    ]);
  });

  test('is the same for every slot and every offset in it, below and above 4 GiB', async () => {
    const place = fc.record({ slot: fc.nat(7000), offset: fc.nat(2047) });
    const pageNumber = fc.integer({ min: 0, max: 2 ** 38 });
    await fc.assert(
      fc.asyncProperty(pageNumber, fc.array(place, { minLength: 1 }), async (page, places) => {
        const base = page * 4096;
        const lines = places.map(({ slot, offset }) =>
          devDbgLine({ slot, origAddr: 0x5000 + offset, tlbAddr: base + slot * 2048 + offset }),
        );
        const { events, info } = await read(lines.join('\n'));
        expect(events).toHaveLength(places.length);
        expect(info.pools).toMatchObject([{ base, nslabs: 7168 }]);
        expect(info.problems.count).toBe(0);
      }),
    );
  });

  test('is shared by devices whose lines agree', async () => {
    const { info } = await read(
      ['a', 'b', 'a'].map((device, n) => devDbgLine({ device, slot: 4 * n })).join('\n'),
    );
    expect(info.pools).toHaveLength(1);
    expect(info.devices.map((device) => device.pool)).toEqual(['restricted0', 'restricted0']);
  });

  test('is another one for a device elsewhere, or with another number of slots', async () => {
    const elsewhere = { device: 'b', tlbAddr: 0x180000000 + 8 * 2048, slot: 8 };
    const larger = { device: 'c', nslabs: 8192 };
    const { events, info } = await read(
      [{ origAddr: 0x1000 }, elsewhere, larger, elsewhere, {}].map(devDbgLine).join('\n'),
    );
    expect(events).toHaveLength(5);
    expect(info.pools).toMatchObject([
      { name: 'pool0', base: POSTED_BASE, nslabs: 7168 },
      { name: 'restricted1', base: 0x180000000, nslabs: 7168 },
      { name: 'restricted2', base: POSTED_BASE, nslabs: 8192 },
    ]);
    expect(info.devices.map((device) => device.pool)).toEqual([
      'pool0',
      'restricted1',
      'restricted2',
    ]);
  });

  test('is restricted as soon as one line is an alloc', async () => {
    const map = devDbgLine({ origAddr: 0x1000 });
    const restricted = async (...lines: string[]): Promise<boolean[]> =>
      (await read(lines.join('\n'))).info.pools.map((pool) => pool.restricted);
    expect(await restricted(map, map)).toEqual([false]);
    expect(await restricted(devDbgLine(), map)).toEqual([true]);
    expect(await restricted(map, devDbgLine())).toEqual([true]);
    expect(await restricted(map, devDbgLine({ device: 'other' }))).toEqual([true]);
  });

  test('a line with impossible numbers declares neither a device nor a pool', async () => {
    const good = devDbgLine({ device: 'a' });
    const bad = devDbgLine({ device: 'b', nslots: 6000 });
    const { events, info } = await read([bad, good].join('\n'));
    expect(events).toMatchObject([{ line: 2, device: 'a' }]);
    expect(info.devices).toHaveLength(1);
    expect(info.pools).toHaveLength(1);
  });
});
