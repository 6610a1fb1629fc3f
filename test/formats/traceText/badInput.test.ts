import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ftrace } from '../../../src/formats/traceText/formats.js';
import { openSource } from '../../../src/source/open.js';
import { inTempDir, read, readSource, userErrorOf } from '../../support/reading.js';
import {
  BASE,
  bounced,
  file,
  line,
  lockedMap,
  lockedUnmap,
  probe,
  recordLine,
  stock,
} from '../../support/traceText.js';

const MAP = lockedMap('eth0', 0x1000, 512, BASE).map((body) => line(body));
const UNMAP = lockedUnmap('eth0', BASE, 512).map((body) => line(body));

test('a map known by one record that does not show its buffer cannot be used', async () => {
  const body = probe('mapx', 'eth0', { size: 512, align_mask: 0, ret: BASE + 2048 });
  const { info, events } = await read(file(...MAP, ...UNMAP, line(body)));
  expect(events).toHaveLength(2);
  expect(info.problems.first).toMatchObject([{ message: 'its orig_addr is missing' }]);
});

test('fields with names of a letter, or of none, hold nobody up', async () => {
  const odd = ['map: (swiotlb_tbl_map_single+0x0/0x1) a=1 b=2', 'map: (swiotlb_) ="'];
  const { events } = await read(
    file(
      ...MAP,
      ...odd.map((body) => line(probe('map', 'eth0')).replace(/map: .*$/, body)),
      ...UNMAP,
    ),
  );
  expect(events).toHaveLength(2);
});

describe('what is no such trace is refused', () => {
  test('prints of others under the name swiotlb_bounced', async () => {
    // The shape of an article's lines, which no kernel prints.
    const lookalike =
      '  kworker/u8:2-99  [001] d.s. 77.582910: swiotlb_bounced: dev_name: 0000:00:04.0' +
      ' dma_addr: 0x0000000012345000 size: 600 alloc_size: 2048';
    expect(await userErrorOf(() => read(file('# tracer: nop', lookalike, lookalike)))).toContain(
      'no line can be understood',
    );
  });

  test('swiotlb_bounced alone, with a word on what to record', async () => {
    const text = file(...[1, 2, 3].map((n) => line(bounced('eth0', 0x1000 * n, 512))));
    const message = await userErrorOf(() => read(text));
    expect(message).toContain('its 3 swiotlb_bounced records announce maps');
    expect(message).toContain('swiotlb-replay capture');
  });

  test('the events of an IOMMU, which are named map and unmap', async () => {
    const text = file(
      line(
        stock(
          'iommu',
          'map',
          'IOMMU: iova=0x00000000fffff000 - 0x0000000100000000 paddr=0x1000 size=4096',
        ),
      ),
      line(stock('iommu', 'unmap', 'IOMMU: iova=0x00000000fffff000 size=4096 unmapped_size=4096')),
    );
    expect(await userErrorOf(() => read(text))).toContain('its 2 iommu records are of an IOMMU');
  });

  test('records of other events', async () => {
    const text = file(
      'x-1 [000] d.Z. 1.5: sched_switch: prev_comm=a',
      'x-1 [000] d.Z. 1.6: map: a b',
    );
    expect(await userErrorOf(() => read(text))).toContain('no line can be understood');
    expect(await userErrorOf(() => read(text, { format: ftrace }))).toContain('nothing to replay');
  });
});

describe('what stands between is passed over and counted', () => {
  test.each([
    ['a stack trace', ' => swiotlb_map\n => dma_direct_map_page'],
    ['another event', 'x-1 [000] d.Z. 1.5: sched_switch: prev_comm=a'],
    ['a print', 'x-1 [000] d.Z. 1.5: my_driver: mapped'],
    ['an IOMMU’s event', line(stock('iommu', 'map', 'IOMMU: iova=0x1000 paddr=0x1000 size=4096'))],
    ['empty lines', '\n'],
    ['a buffer’s start', '##### CPU 3 buffer started ####'],
  ])('%s', async (_what, text) => {
    const whole = file(...MAP, text, ...UNMAP);
    const { events, info, tally } = await read(whole);
    expect(events.map(({ op }) => op)).toEqual(['map', 'unmap']);
    expect(info.problems.count).toBe(0);
    expect(info.otherLines).toBe(text.split('\n').length);
    expect(tally.lines).toBe(whole.split('\n').length - 1);
  });

  test('stock events, where probes show the allocator itself', async () => {
    const map = `eth0 dir=TO_DEVICE dma_addr=${BASE.toString(16)} size=512 phys_addr=1000 attrs=`;
    const { events } = await read(file(...MAP, line(stock('dma', 'dma_map_page', map)), ...UNMAP));
    expect(events).toHaveLength(2);
  });
});

describe('a trace that holds two', () => {
  test('recordings tells that time runs backwards', async () => {
    const again = lockedMap('eth0', 0x9000, 512, BASE).map((body) => line(body, { seconds: 1 }));
    const { events, info } = await read(file(...MAP, '# tracer: nop', ...again));
    expect(events).toHaveLength(2);
    expect(info.losses).toMatchObject([
      { line: 5, message: expect.stringContaining('several recordings') },
    ]);
  });

  test('boots has the pool and kernel of the last, and says so', async () => {
    const boot = (version: string, base: string, end: string) => [
      `[    0.000000] Linux version ${version} (x) #1 SMP`,
      `[    0.100000] software IO TLB: mapped [mem ${base}-${end}] (1MB)`,
    ];
    const dma = stock(
      'dma',
      'dma_map_page',
      'eth0 dir=TO_DEVICE dma_addr=7c700800 size=512 phys_addr=1000 attrs=',
    );
    const { info } = await read(
      file(
        ...boot('6.1.5', '0x000000006c700000', '0x000000006c800000'),
        ...boot('6.12.7', '0x000000007c700000', '0x000000007c800000'),
        line(dma),
      ),
    );
    expect(info.kernel).toContain('6.12.7');
    expect(info.pools).toMatchObject([{ base: BASE }]);
    expect(info.assumptions).toMatchObject([{ message: expect.stringContaining('2 boots') }, {}]);
  });
});

describe('a file that is not whole', () => {
  test('begins with unmaps of what was mapped before', async () => {
    const { events, info } = await read(file(...UNMAP, ...MAP));
    expect(events).toMatchObject([
      { op: 'unmap', device: 'eth0', size: 512, result: BASE },
      { op: 'map', result: BASE },
    ]);
    expect(info.losses).toEqual([]);
  });

  test('ends at any byte: every line is counted, and what was whole is read', async () => {
    const sg = stock(
      'dma',
      'dma_map_sg',
      'sda dir=TO_DEVICE dma_addrs={0x7c700800} sizes={0x200} phys_addrs={0x3000} attrs=',
    );
    const pool =
      '[    0.1] software IO TLB: mapped [mem 0x000000007c700000-0x000000007c800000] (1MB)';
    const wholes = [file(...MAP, ...UNMAP, ...MAP), file(pool, line(sg), line(sg), line(sg))];
    for (const trace of wholes) {
      const isDma = trace.startsWith(pool);
      const first = trace.indexOf('\n', trace.indexOf('\n') + 1) + 1;
      for (
        let length = isDma ? first : trace.indexOf('\n', first) + 1;
        length < trace.length;
        length++
      ) {
        const text = trace.slice(0, length);
        const { events, tally } = await read(text);
        expect(tally.lines).toBe(text.replace(/\n$/, '').split('\n').length);
        const { events: sure } = await read(text.slice(0, text.lastIndexOf('\n') + 1));
        // The lock of an unmap in the cut line may still tell its place.
        const whole = sure.map((event) => ({ ...event, line: expect.any(Number) }));
        expect(events.slice(0, sure.length)).toEqual(whole);
        expect(events.length - sure.length).toBeLessThanOrEqual(1);
      }
    }
  });

  test('has the end of its last line named as doubtful', async () => {
    const { info } = await read(file(...MAP, ...UNMAP).trimEnd());
    expect(info.assumptions.at(-1)?.message).toContain('no newline');
  });
});

describe('hostile bytes', () => {
  test('NUL bytes are a loss', async () => {
    await inTempDir(async (directory) => {
      const path = join(directory, 'trace.txt');
      writeFileSync(path, file(...MAP, '\0'.repeat(64), ...UNMAP));
      const source = await openSource(path);
      const { events, info } = await readSource(source);
      source.close();
      expect(events).toHaveLength(2);
      expect(info.losses).toMatchObject([{ message: expect.stringContaining('64 NUL bytes') }]);
    });
  });

  test('names of tasks and devices that are no UTF-8 are read', async () => {
    const text = file(...MAP, ...UNMAP)
      .replaceAll('kworker', '\xc3\x28\xff')
      .replaceAll('eth0', 'e\xfe');
    const { events } = await read(Buffer.from(text, 'latin1'));
    expect(events).toHaveLength(2);
    expect(new Set(events.map(({ device }) => device)).size).toBe(1);
  });

  test.each([
    ['a line of a megabyte', 'x'.repeat(1_100_000)],
    [
      'a record of a megabyte',
      line(probe('map_ret', '', { x: 'y'.repeat(1_100_000) }), { pid: 1234 }),
    ],
    [
      'a record of a megabyte of fields',
      line(probe('map_ret', '', { x: 'y z=1 '.repeat(170_000) }), { pid: 1234 }),
    ],
    ['a record with a name of a megabyte', line(probe('x'.repeat(1_100_000), ''))],
  ])('%s harms no other', async (_what, long) => {
    const { events, info, tally } = await read(file(...MAP, long, ...UNMAP), {
      blockBytes: 1 << 16,
    });
    expect(events).toMatchObject([
      { op: 'map', line: 2 },
      { op: 'unmap', line: 6 },
    ]);
    expect(tally.lines).toBe(6);
    expect(info.problems.first.every(({ text }) => text.length < 200)).toBe(true);
  });

  test.each([
    ['a size', { size: undefined }],
    ['a size below 0', { size: -1 }],
    ['an address below 2^52', { orig_addr: 2 ** 52 }],
    ['a mask of 32 bits', { align_mask: 2 ** 33 }],
    ['an alloc_size', { alloc_size: -5 }],
  ])('a map without %s is a problem, and keeps nothing waiting', async (_what, fields) => {
    const asked = { orig_addr: 0x1000, size: 512, ...fields };
    const bad = [probe('map', 'eth0', asked), ...lockedMap('eth0', 0, 0, BASE).slice(1)];
    const { events, info } = await read(file(...bad.map((body) => line(body)), ...MAP, ...UNMAP));
    expect(events).toHaveLength(2);
    expect(info.problems).toMatchObject({ count: 1, first: [{ line: 3 }] });
    expect(info.losses).toEqual([]);
  });

  test.each([
    { tlb_addr: Number.POSITIVE_INFINITY },
    { tlb_addr: 2 ** 52 },
    { size: -1, tlb_addr: BASE },
  ])('an unmap or sync with %j is a problem', async (fields) => {
    const { events, info } = await read(
      file(
        ...MAP,
        line(probe('unmap', 'eth0', { size: 512, ...fields })),
        UNMAP[1],
        line(probe('sync_cpu', 'eth0', { size: 512, ...fields })),
        ...UNMAP,
      ),
    );
    expect(events).toHaveLength(2);
    expect(info.problems.first.map((problem) => problem.line)).toEqual([5, 6]);
  });
});

describe('a format is told by what its lines are like', () => {
  test.each([
    ['ftrace, 4 flags', 'ftrace'],
    ['trace-cmd with flags', 'trace-cmd'],
    ['trace-cmd -R', 'trace-cmd'],
    ['perf with pid/tid', 'perf-script'],
  ] as const)('%s', async (shape, format) => {
    const lines = lockedMap('eth0', 0x1000, 512, BASE).map((body) => recordLine(shape, body));
    const { tally } = await read(file('# comment', 'cpus=4', ...lines));
    expect(tally.format).toBe(format);
  });

  test('behind more of something else than one block holds', async () => {
    const noise = Array.from({ length: 2000 }, (_, n) => `[    0.${n}] nothing of interest`);
    const { events, tally, info } = await read(file(...noise, ...MAP), { blockBytes: 4096 });
    expect(events).toMatchObject([{ line: 2002 }]);
    expect(tally.lines).toBe(2003);
    expect(info.otherLines).toBe(2000);
  });

  test('with the ends of lines that Windows writes', async () => {
    const { events } = await read(file(...MAP, ...UNMAP).replaceAll('\n', '\r\n'));
    expect(events).toMatchObject([{ op: 'map', result: BASE }, { op: 'unmap' }]);
  });
});
