import { describe, expect, test } from 'vitest';
import type { Problem, TraceInfo } from '../../src/events/trace.js';
import { read } from '../support/reading.js';

/** Directives above a trace of one row. */
async function infoOf(...directives: string[]): Promise<TraceInfo> {
  const { events, info } = await read(`${directives.join('\n')}\ndev,op,size\nd,alloc,1\n`);
  expect(events).toHaveLength(1);
  return info;
}

/** What is read of directives that have no fault. */
async function declared(...directives: string[]): Promise<TraceInfo> {
  const info = await infoOf(...directives);
  expect(info.problems).toEqual({ count: 0, first: [] });
  return info;
}

async function problemOf(...directives: string[]): Promise<Problem> {
  const info = await infoOf(...directives);
  expect(info.problems.count).toBe(1);
  return info.problems.first[0];
}

describe('#swiotlb-trace', () => {
  test('names version 1 of the format', async () => {
    expect((await declared('#swiotlb-trace 1')).assumptions).toEqual([]);
    expect((await declared('#swiotlb-trace')).assumptions).toEqual([]);
  });

  test('of another version is a problem', async () => {
    expect(await problemOf('#swiotlb-trace 2')).toEqual({
      line: 1,
      message: 'version 2 of the format is not known, only 1',
      text: '#swiotlb-trace 2',
    });
  });
});

describe('#kernel', () => {
  test('gives version, page size and CONFIG_SWIOTLB_DYNAMIC', async () => {
    const info = await declared('#kernel version=v6.8+04867a7a page_size=16384 dynamic=1');
    expect(info).toMatchObject({ kernel: 'v6.8+04867a7a', pageSize: 16384, dynamic: true });
  });

  test('gives only what it says', async () => {
    expect(await declared('#kernel dynamic=0')).toMatchObject({
      kernel: undefined,
      pageSize: undefined,
      dynamic: false,
    });
    expect((await declared('#kernel version=')).kernel).toBeUndefined();
    expect((await declared('#kernel page_size=0x10000')).pageSize).toBe(65536);
  });

  test.each([
    ['page_size=8192', 'page_size=8192 is none of 4096, 16384, 65536'],
    ['page_size=', 'page_size= is none of 4096, 16384, 65536'],
    ['page_size=4K', 'page_size=4K is none of 4096, 16384, 65536'],
    ['dynamic=yes', 'dynamic=yes is neither 0 nor 1'],
  ])('%s is a problem', async (values, message) => {
    const text = `#kernel ${values}`;
    expect(await problemOf(text)).toEqual({ line: 1, message, text });
  });
});

describe('#pool', () => {
  test('declares a pool', async () => {
    const info = await declared(
      '#pool name=default base=0x97ff0000 nslabs=7168 areas=4 index=1645:0:3:0x10',
      '#pool name=r1 base=0x180000000 nslabs=0x80 restricted=1',
      '#pool name=r2 base=0 nslabs=1 for_alloc=1',
    );
    expect(info.pools).toEqual([
      {
        name: 'default',
        base: 0x97ff0000,
        nslabs: 7168,
        areas: 4,
        startIndexes: [1645, 0, 3, 16],
        indexKnowledge: 'given',
        restricted: false,
      },
      {
        name: 'r1',
        base: 0x180000000,
        nslabs: 128,
        areas: 1,
        startIndexes: [],
        indexKnowledge: 'default',
        restricted: true,
      },
      {
        name: 'r2',
        base: 0,
        nslabs: 1,
        areas: 1,
        startIndexes: [],
        indexKnowledge: 'default',
        restricted: true,
      },
    ]);
  });

  test('without a name is the default pool', async () => {
    expect((await declared('#pool base=0 nslabs=1')).pools[0].name).toBe('default');
    expect((await declared('#pool name= base=0 nslabs=1')).pools[0].name).toBe('default');
  });

  test('may have as many areas as a kernel has CPUs', async () => {
    const indexes = Array.from({ length: 4096 }, (_, area) => area * 16 + 10_000);
    const info = await declared(
      `#pool base=0 nslabs=16777216 areas=4096 index=${indexes.join(':')}`,
    );
    expect(info.pools[0]).toMatchObject({ nslabs: 2 ** 24, areas: 4096, startIndexes: indexes });
  });

  test.each([
    ['nslabs=1', '#pool default has no base='],
    ['name=a base=0', '#pool a has no nslabs='],
    ['base=0x400 nslabs=1', 'base=0x400 is not a multiple of 2048'],
    ['base=0x10000000000000 nslabs=1', 'base=0x10000000000000 is not a number below 0x100000'],
    ['base=here nslabs=1', 'base=here is not a number below 0x10000000000000'],
    ['base= nslabs=1', 'base= is not a number below 0x10000000000000'],
    ['base=0 nslabs=0', 'nslabs=0: a pool has at least one slot'],
    ['base=0 nslabs=-1', 'nslabs=-1 is not a number below 0x1000001'],
    ['base=0 nslabs=16777217', 'nslabs=16777217 is not a number below 0x1000001'],
    ['base=0 nslabs=64 areas=3', 'areas=3 is not a power of two of at most nslabs'],
    ['base=0 nslabs=64 areas=0', 'areas=0 is not a power of two of at most nslabs'],
    ['base=0 nslabs=64 areas=128', 'areas=128 is not a power of two of at most nslabs'],
    ['base=0 nslabs=64 areas=8192', 'areas=8192 is not a number below 0x1001'],
    ['base=0 nslabs=64 index=1:x', 'index=x is not a number below 0x1000000'],
    ['base=0 nslabs=64 restricted=true', 'restricted=true is neither 0 nor 1'],
    ['base=0 nslabs=64 for_alloc=2', 'for_alloc=2 is neither 0 nor 1'],
  ])('%s is a problem, and no pool', async (values, message) => {
    const info = await infoOf('#swiotlb-trace 1', `#pool ${values}`);
    expect(info.problems).toMatchObject({
      count: 1,
      first: [{ line: 2, text: `#pool ${values}` }],
    });
    expect(info.problems.first[0].message).toContain(message);
    expect(info.pools).toEqual([]);
  });

  test('of a name that was declared is a problem', async () => {
    const pool = '#pool base=0 nslabs=64';
    expect(await problemOf(pool, '# comment', pool)).toMatchObject({
      line: 3,
      message: '#pool default stands twice',
    });
  });
});

describe('#device', () => {
  test('declares masks and pool', async () => {
    const info = await declared(
      '#device name=0000:00:07.0 min_align_mask=0xfff seg_boundary_mask=0xffff dma_mask=4294967295 pool=r1',
      '#device name=e seg_boundary_mask=0xffffffffffffffff dma_mask=0xffffffffffffffff',
      '#device name=f min_align_mask= seg_boundary_mask= dma_mask= pool=',
      '#device name=gerät',
    );
    expect(info.devices).toEqual([
      {
        name: '0000:00:07.0',
        minAlignMask: 0xfff,
        segBoundaryMask: 0xffff,
        dmaMask: 0xffffffff,
        pool: 'r1',
      },
      {
        name: 'e',
        segBoundaryMask: Number.POSITIVE_INFINITY,
        dmaMask: Number.POSITIVE_INFINITY,
      },
      { name: 'f' },
      { name: 'gerät' },
      { name: 'd' },
    ]);
  });

  test('is the device that rows name', async () => {
    expect((await declared('#device name=d min_align_mask=0xfff')).devices).toEqual([
      { name: 'd', minAlignMask: 0xfff },
    ]);
  });

  const boundary = 'is not a power of two less one, from 0x7ff up';
  test.each([
    ['min_align_mask=0xfff', '#device has no name='],
    ['name= min_align_mask=0xfff', '#device has no name='],
    ['name=d min_align_mask=0x100000000', 'min_align_mask=0x100000000 is not a number below 0x1'],
    ['name=d min_align_mask=-1', 'min_align_mask=-1 is not a number below 0x100000000'],
    ['name=d seg_boundary_mask=all', 'seg_boundary_mask=all is not a mask'],
    ['name=d seg_boundary_mask=0x3ff', `seg_boundary_mask=0x3ff ${boundary}`],
    ['name=d seg_boundary_mask=0x1000', `seg_boundary_mask=0x1000 ${boundary}`],
    ['name=d seg_boundary_mask=0xfffffffffffffffe', 'seg_boundary_mask=0xfffffffffffffffe is not'],
    ['name=d dma_mask=0x', 'dma_mask=0x is not a mask'],
  ])('%s is a problem', async (values, message) => {
    const text = `#device ${values}`;
    const problem = await problemOf('#swiotlb-trace 1', text);
    expect(problem).toMatchObject({ line: 2, text });
    expect(problem.message).toContain(message);
  });
});

describe('#expect', () => {
  test('stands at the end, once or per pool', async () => {
    const trace = [
      'dev,op,size',
      'd,alloc,1',
      '#expect used=0 used_hiwater=18 index=1647:3',
      '#expect pool=r1 used=0x10',
      '#expect used= index=',
    ];
    const { info } = await read(`${trace.join('\n')}\n`);
    expect(info.problems.count).toBe(0);
    expect(info.expectations).toEqual([
      { line: 3, used: 0, usedHiwater: 18, index: [1647, 3] },
      { line: 4, pool: 'r1', used: 16 },
      { line: 5 },
    ]);
  });

  test.each([
    ['used=some', 'used=some is not a number below 0x20000000000000'],
    ['used_hiwater=-1', 'used_hiwater=-1 is not a number below 0x20000000000000'],
    ['index=1:', 'index= is not a number below 0x1000000'],
  ])('%s is a problem, and expects nothing', async (values, message) => {
    const info = await infoOf(`#expect ${values}`);
    expect(info.problems.first).toMatchObject([{ line: 1, message }]);
    expect(info.expectations).toEqual([]);
  });
});

describe('what is not known', () => {
  test.each(['#pools base=0', '##', '#iova-trace 1', '#toString', '#\tcomment'])(
    'directive %j is a problem',
    async (text) => {
      const problem = await problemOf('#swiotlb-trace 1', text);
      expect(problem).toEqual({
        line: 2,
        message:
          'unknown directive; known are #swiotlb-trace, #kernel, #pool, #device, #lost, #expect',
        text,
      });
    },
  );

  test('a key is not read, and that is said', async () => {
    const info = await declared('#device name=d min_aling_mask=0xfff', '#kernel v6.8');
    expect(info.devices).toEqual([{ name: 'd' }]);
    expect(info.assumptions).toEqual([
      { line: 1, message: 'min_aling_mask of #device is not known and was not read' },
      { line: 2, message: 'v6.8 of #kernel is not known and was not read' },
    ]);
  });
});

test('directives may be parted by any blanks and end in a carriage return', async () => {
  const info = await declared('#kernel \t version=v6.8   page_size=4096 \r');
  expect(info).toMatchObject({ kernel: 'v6.8', pageSize: 4096, assumptions: [] });
});
