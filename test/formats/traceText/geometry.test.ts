import { describe, expect, test } from 'vitest';
import { read } from '../../support/reading.js';
import { BASE, type Body, file, line, probe } from '../../support/traceText.js';

const ASKED = { orig_addr: 0x1000, size: 512, dir: 1, min_align: 0, seg_mask: 0xffffffff };
const POOL = { base: BASE, nslabs: 4096 };

function map(fields: Record<string, number | undefined> = {}): Body {
  return probe('map', 'eth0', { ...ASKED, ...fields });
}

function ret(fields: Record<string, number | undefined> = {}): Body {
  return probe('map_ret', '', { ret: BASE, ...fields });
}

async function infoOf(...records: (Body | string)[]) {
  const lines = records.map((record) => (typeof record === 'string' ? record : line(record)));
  const { info } = await read(file(...lines));
  return info;
}

describe('the default pool', () => {
  test('is known from the first record that shows it, however late', async () => {
    const { pools, assumptions } = await infoOf(map(), ret(), map(), ret(POOL));
    expect(pools).toMatchObject([{ name: 'default', ...POOL, areas: 1, restricted: false }]);
    expect(assumptions).toMatchObject([
      { line: 4, message: expect.stringContaining('0x7c700000, 4096 slots') },
    ]);
  });

  test('is where the trace says, and not where the boot log says', async () => {
    const log =
      '[    0.1] software IO TLB: mapped [mem 0x000000007c700000-0x000000007c800000] (1MB)';
    const same = await infoOf(log, map(), ret({ base: BASE, nslabs: 512 }));
    expect(same.pools).toMatchObject([{ base: BASE, nslabs: 512 }]);
    expect(same.assumptions).toEqual([]);
    const other = await infoOf(log, map(), ret(POOL), map(), ret(POOL));
    expect(other.pools).toMatchObject([POOL]);
    expect(other.assumptions).toMatchObject([
      { line: 3, message: expect.stringContaining('the boot log says') },
    ]);
  });

  test.each([
    ['a base within a slot', { base: BASE + 1, nslabs: 64 }],
    ['a base above all memory', { base: 2 ** 52, nslabs: 64 }],
    ['no base', { base: Number.POSITIVE_INFINITY, nslabs: 64 }],
    ['no slots', { base: BASE, nslabs: 0 }],
    ['more slots than a machine has', { base: BASE, nslabs: 2 ** 30 }],
  ])('is not believed with %s', async (_what, pool) => {
    expect((await infoOf(map(), ret(pool))).pools).toEqual([]);
  });

  test.each([
    [{ idx0: 0, used0: 0 }, 1],
    [{ idx0: 0, used0: 0, idx1: 0, used1: 0 }, 2],
    [{ idx0: 0, idx1: 0, idx2: 0, idx3: 0 }, 4],
    [{ idx0: 0, nareas: 8 }, 8],
    [{ idx0: 0, nareas: 3 }, 1],
    [{ idx0: 0, nareas: 2 ** 40 }, 1],
  ])('has the areas that %j shows', async (fields, areas) => {
    expect((await infoOf(map({ ...fields, ...POOL }), ret())).pools).toMatchObject([{ areas }]);
  });

  test('has the areas of a boot log that does not say where it lies', async () => {
    const log = '[    0.1] software IO TLB: area num 16.';
    const indexes = { idx0: 0, idx1: 0, idx2: 0, idx3: 0 };
    const { pools } = await infoOf(log, map(indexes), ret(POOL));
    expect(pools).toMatchObject([{ areas: 16 }]);
  });
});

describe('start indexes', () => {
  const at = (a: number, b: number) => ({ idx0: a, used0: 7, idx1: b, used1: 9 });

  test('are those before the first search, though the pool is known only after it', async () => {
    const { pools } = await infoOf(
      map(at(5, 6)),
      probe('map_locked', '', at(5, 6)),
      ret({ ...at(8, 6), ...POOL }),
      map(at(8, 6)),
    );
    expect(pools).toMatchObject([{ startIndexes: [5, 6], areas: 2 }]);
    const bare = await infoOf(map(at(5, 6)), ret(POOL));
    expect(bare.pools).toMatchObject([{ startIndexes: [5, 6], areas: 2 }]);
    const told = await infoOf(map({ ...at(5, 6), ...POOL }), ret({ ...at(8, 6), ...POOL }));
    expect(told.pools).toMatchObject([{ startIndexes: [5, 6], areas: 2 }]);
  });

  test('are not those that a return shows: the search has moved them', async () => {
    expect((await infoOf(map(), ret({ ...at(8, 6), ...POOL }))).pools).toMatchObject([
      { startIndexes: [] },
    ]);
    const mapx = probe('mapx', 'eth0', { ...ASKED, ret: BASE, ...POOL, idx0: 3 });
    expect((await infoOf(mapx)).pools).toMatchObject([{ startIndexes: [] }]);
  });

  test('are those that the lock shows', async () => {
    const locked = probe('map_locked', '', at(5, 6));
    expect((await infoOf(map(POOL), locked, ret(at(8, 6)))).pools).toMatchObject([
      { startIndexes: [5] },
    ]);
  });

  test('are those of each area as it is first searched', async () => {
    const pool = { pool: BASE, nslabs: 4096, nareas: 4, transient: 0 };
    const search = (area: number, idx: number) => [
      probe('search', '', { ...pool, area, alloc_size: 512, idx0: 1 }),
      probe('search_locked', '', { used: 0, idx, pool: BASE }),
      probe('search_ret', '', { index: -1 }),
    ];
    const { pools } = await infoOf(
      map(),
      ...search(2, 30),
      ...search(3, 40),
      ...search(2, 99),
      ret(),
    );
    expect(pools).toMatchObject([{ areas: 4, startIndexes: [0, 0, 30, 40] }]);
  });
});

describe('other pools', () => {
  const alloc = (device: string) =>
    probe('alloc', device, { size: 8192, mem_start: 0x50000000, mem_nslabs: 2048 });

  test('a restricted one is declared by the first that allocates from it, and is its device’s', async () => {
    const { pools, devices } = await infoOf(alloc('eth0'), map(POOL), ret());
    expect(pools).toMatchObject([
      { name: 'restricted0', base: 0x50000000, nslabs: 2048, restricted: true },
      { name: 'default', restricted: false },
    ]);
    expect(devices).toMatchObject([{ name: 'eth0', pool: 'restricted0' }]);
  });

  test('the default one is no restricted one for a device that allocates from it', async () => {
    const { pools, devices } = await infoOf(
      map(POOL),
      ret(),
      probe('alloc', 'eth0', { size: 8192, mem_start: BASE, mem_nslabs: 4096 }),
    );
    expect(pools).toHaveLength(1);
    expect(devices[0].pool).toBeUndefined();
  });

  test('one that joins is a grow, once', async () => {
    const add = line(probe('pool_add', '', { start: 0x4e680000, nslabs: 256, nareas: 2 }));
    const search = probe('search', '', {
      pool: 0x4e680000,
      nslabs: 256,
      nareas: 2,
      transient: 0,
      area: 0,
    });
    const { events, info } = await read(
      file(line(map(POOL)), line(ret()), add, line(map()), line(search), line(ret())),
    );
    expect(events.map(({ op }) => op)).toEqual(['map', 'grow', 'map']);
    expect(events[1]).toMatchObject({ line: 3, origAddr: 0x4e680000, size: 256 });
    expect(info.dynamic).toBe(true);
  });

  test('one that joined before the trace began is a grow where it is first searched', async () => {
    const search = (pool: number) =>
      line(
        probe('search', '', {
          pool,
          nslabs: 256,
          nareas: 1,
          transient: 0,
          area: 0,
          alloc_size: 512,
        }),
      );
    const { events } = await read(
      file(
        line(map(POOL)),
        search(BASE),
        search(0x4e680000),
        line(ret()),
        line(map()),
        search(0x4e680000),
        line(ret()),
      ),
    );
    expect(events.map(({ op }) => op)).toEqual(['grow', 'map', 'map']);
  });

  test.each([
    { start: 0x4e680001, nslabs: 256 },
    { start: 0x4e680000, nslabs: 0 },
    { start: 0x4e680000, nslabs: 2 ** 40 },
    { nslabs: 256 },
  ])('one that cannot be is none: %j', async (fields) => {
    const { events } = await read(
      file(line(map(POOL)), line(ret()), line(probe('pool_add', '', fields))),
    );
    expect(events).toHaveLength(1);
  });
});

describe('a device', () => {
  test('has the masks that the probes show', async () => {
    const masks = { min_align: 0xfff, seg_mask: 0xffffffff, dma_mask: Number.POSITIVE_INFINITY };
    const { devices, assumptions } = await infoOf(
      map({ ...masks, ...POOL }),
      ret(),
      map(masks),
      ret(),
    );
    expect(devices).toEqual([
      {
        name: 'eth0',
        minAlignMask: 0xfff,
        segBoundaryMask: 0xffffffff,
        dmaMask: Number.POSITIVE_INFINITY,
      },
    ]);
    expect(assumptions).toHaveLength(1);
  });

  test('whose masks change is told of once, and has the last', async () => {
    const masks = [0xfff, 0, 0xfff, 0].map((min_align) => map({ min_align, ...POOL }));
    const { devices, assumptions } = await infoOf(...masks.flatMap((record) => [record, ret()]));
    expect(devices).toMatchObject([{ minAlignMask: 0 }]);
    expect(
      assumptions.filter(({ message }) => message.includes('changes in the trace')),
    ).toMatchObject([{ line: 3, message: expect.stringContaining('device eth0: min_align_mask') }]);
  });

  test('does not have masks that no device has', async () => {
    const masks = { min_align: 2 ** 40, seg_mask: 5, dma_mask: -1 };
    expect((await infoOf(map({ ...masks, ...POOL }), ret())).devices).toEqual([{ name: 'eth0' }]);
  });

  test('keeps its masks where a record lacks them', async () => {
    const { devices } = await infoOf(
      map({ min_align: 0xfff, ...POOL }),
      ret(),
      map({ min_align: undefined }),
      ret(),
    );
    expect(devices).toMatchObject([{ minAlignMask: 0xfff }]);
  });
});
