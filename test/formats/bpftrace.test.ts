import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createBatch } from '../../src/events/batch.js';
import { emptyTraceInfo } from '../../src/events/trace.js';
import { createBootReader } from '../../src/formats/bootLines.js';
import { bpftrace } from '../../src/formats/bpftrace.js';
import { FORMATS } from '../../src/formats/table.js';
import { read, userErrorOf } from '../support/reading.js';

const HEADER = '#swiotlb-bpftrace 1';
const DEVICE = 'device,90,0,0xfff,0xffffffff,0xffffffffffffffff,0x7c700000,4096,4,0,0000:00:06.0';
const MAP = 'map,200,2,100,0x10000800,4096,8192,0x7ff,1,0x20,0x7c700800,0000:00:06.0';
const trace = (...lines: string[]): string => [HEADER, ...lines, ''].join('\n');

describe('a line of bpftrace', () => {
  test('of a map becomes an event', async () => {
    const { events, info, tally } = await read(trace(MAP));
    expect(tally.format).toBe('bpftrace');
    expect(events).toEqual([
      {
        line: 2,
        cpu: 2,
        device: '0000:00:06.0',
        op: 'map',
        origAddr: 0x10000800,
        size: 4096,
        allocSize: 8192,
        allocAlignMask: 0x7ff,
        dir: 'to_device',
        result: 0x7c700800,
      },
    ]);
    expect(info).toMatchObject({ otherLines: 1, problems: { count: 0 }, losses: [] });
  });

  test('may lack what the release does not have', async () => {
    const { events } = await read(trace('map,200,0,0,0x1000,512,,,2,0x0,0x7c700000,a'));
    expect(events).toMatchObject([
      { size: 512, allocSize: Number.NaN, allocAlignMask: 0, dir: 'from_device' },
    ]);
  });

  test('of a map that failed has no address', async () => {
    const { events } = await read(trace(MAP.replace('0x7c700800', '0xffffffffffffffff')));
    expect(events).toMatchObject([{ op: 'map', result: 'full' }]);
  });

  test('of an unmap and of syncs', async () => {
    const { events } = await read(
      trace(
        'unmap,300,1,0x7c700800,4096,8192,0,0x0,a',
        'unmap,301,1,0x7c700800,4096,,0,0x0,a',
        'sync_cpu,302,1,0x7c700810,16,1,a',
        'sync_dev,303,1,0x7c700810,16,2,a',
        'sync,304,1,0x7c700810,16,1,0,a',
        'sync,305,1,0x7c700810,16,1,1,a',
      ),
    );
    expect(events.map(({ op, dir, allocSize }) => [op, dir, allocSize])).toEqual([
      ['unmap', 'bidirectional', 8192],
      ['unmap', 'bidirectional', Number.NaN],
      ['sync_for_cpu', 'to_device', Number.NaN],
      ['sync_for_device', 'from_device', Number.NaN],
      ['sync_for_cpu', 'to_device', Number.NaN],
      ['sync_for_device', 'to_device', Number.NaN],
    ]);
    expect(events.every(({ result }) => Number(result) >= 0x7c700800)).toBe(true);
  });

  test('keeps a device name with commas whole', async () => {
    const { events } = await read(trace(MAP.replace('0000:00:06.0', 'virtio0,1, x')));
    expect(events[0].device).toBe('virtio0,1, x');
  });
});

describe('a device line', () => {
  test('declares the device and the default pool', async () => {
    const { info } = await read(trace(DEVICE, MAP));
    expect(info.devices).toEqual([
      {
        name: '0000:00:06.0',
        minAlignMask: 0xfff,
        segBoundaryMask: 0xffff_ffff,
        dmaMask: Number.POSITIVE_INFINITY,
      },
    ]);
    expect(info.pools).toEqual([
      {
        name: 'default',
        base: 0x7c700000,
        nslabs: 4096,
        areas: 4,
        startIndexes: [],
        indexKnowledge: 'unknown',
        restricted: false,
      },
    ]);
  });

  test("declares a restricted pool as the device's own", async () => {
    const { info } = await read(
      trace(DEVICE, 'device,91,0,0x0,0x0,0xffffffff,0x60000000,2048,1,1,b', MAP),
    );
    expect(info.pools.map(({ name, restricted }) => [name, restricted])).toEqual([
      ['default', false],
      ['restricted@0x60000000', true],
    ]);
    expect(info.devices[1]).toEqual({
      name: 'b',
      minAlignMask: 0,
      segBoundaryMask: 0xffff_ffff,
      dmaMask: 0xffff_ffff,
      pool: 'restricted@0x60000000',
    });
  });

  test('may tell of no pool at all', async () => {
    const { info } = await read(trace('device,9,0,0x0,0xffffffff,0xffffffff,0x0,0,0,0,b', MAP));
    expect(info).toMatchObject({ pools: [], problems: { count: 0 } });
  });

  test('that changes the masks is told of once', async () => {
    const other = DEVICE.replace('0xfff,', '0x0,');
    const { info } = await read(trace(DEVICE, other, DEVICE, MAP));
    expect(info.assumptions).toMatchObject([{ line: 3, message: /masks or its pool change/ }]);
  });

  test.each([
    ['min_align_mask', DEVICE.replace('0xfff,', '0x100000000,')],
    ['seg_boundary_mask', DEVICE.replace('0xffffffff,', '0xfffffffe,')],
    ['seg_boundary_mask', DEVICE.replace('0xffffffff,', 'none,')],
    ['dma_mask', DEVICE.replace('0xffffffffffffffff', 'x')],
    ['base', DEVICE.replace('0x7c700000', '0x7c700001')],
    ['nslabs', DEVICE.replace('4096', '99999999999')],
    ['areas', DEVICE.replace('4096,4', '4096,3')],
    ['lies elsewhere', DEVICE.replace('0x7c700000', '0x7c800000')],
  ])('with a bad %s is a problem', async (word, line) => {
    const lines = word === 'lies elsewhere' ? [DEVICE, line, MAP] : [line, MAP];
    const { info } = await read(trace(...lines));
    expect(info.problems).toMatchObject({ count: 1, first: [{ text: line }] });
    expect(info.problems.first[0].message).toContain(word);
  });
});

describe('a bad line', () => {
  test.each([
    ['breaks off at dev', MAP.slice(0, MAP.lastIndexOf(',') + 1)],
    ['breaks off at result', MAP.slice(0, MAP.lastIndexOf(','))],
    ['breaks off at ns', 'map,200'],
    ['ns', MAP.replace('200', 'x')],
    ['cpu', MAP.replace(',2,', ',-1,')],
    ['orig_addr', MAP.replace('0x10000800', '0x10000000000000')],
    ['size', MAP.replace('4096', '')],
    ['size', MAP.replace('4096', '0')],
    ['alloc_size', MAP.replace('8192', '9007199254740991')],
    ['alloc_align_mask', MAP.replace('0x7ff', '0x7ffffffff')],
    ['dir', MAP.replace(',1,0x20', ',3,0x20')],
    ['result', MAP.replace('0x7c700800', '0xffffffff00000000')],
    ['tlb_addr', 'unmap,300,1,,4096,,0,0x0,a'],
    ['dev is longer', MAP.replace('0000:00:06.0', 'x'.repeat(257))],
  ])('%s is a problem, and the others are read', async (word, line) => {
    const { events, info } = await read(trace(line, MAP));
    expect(events).toHaveLength(1);
    expect(info.problems.count).toBe(1);
    expect(info.problems.first[0]).toMatchObject({ line: 2 });
    expect(info.problems.first[0].message).toContain(word);
  });

  test('damages nothing else, whatever it holds', async () => {
    const line = fc.oneof(fc.constantFrom(MAP, DEVICE), fc.string({ unit: 'binary' }));
    await fc.assert(
      fc.asyncProperty(
        fc.tuple(
          fc.constantFrom(MAP, DEVICE, 'unmap,3,1,0x800,9,,0,0x0,a'),
          fc.nat(),
          fc.nat(9),
          line,
        ),
        async ([good, place, remove, insert]) => {
          const at = place % good.length;
          const text = good.slice(0, at) + insert.replace(/\n/g, '') + good.slice(at + remove);
          const { events, info, tally } = await read(trace(text, MAP));
          expect(events.at(-1)?.line).toBe(3);
          // What became an event, a problem, a declaration or something else.
          expect(events.length + info.problems.count + info.otherLines).toBeGreaterThanOrEqual(2);
          expect(tally.lines).toBe(3);
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('what bpftrace says besides', () => {
  test('is counted, and losses are told', async () => {
    const { info } = await read(
      trace(
        'Attaching 8 probes...',
        'Lost 5 events',
        MAP,
        'Lost 7 events',
        'orphan,300,1',
        'orphan,400,1',
      ),
    );
    expect(info.losses).toMatchObject([
      { line: 3, events: 12, message: /lost 12 events/ },
      { line: 6, events: 2, message: /2 maps returned/ },
    ]);
    expect(info.otherLines).toBe(4);
  });

  test('lines that nobody put in order are a loss', async () => {
    const { info } = await read(trace(MAP, MAP.replace('200', '150')));
    expect(info.losses).toMatchObject([{ line: 3, events: undefined, message: /runs backwards/ }]);
  });

  test('a header of another version is refused', async () => {
    const message = await userErrorOf(() => read(`#swiotlb-bpftrace 2\n${MAP}\n`));
    expect(message).toBe(
      'test.trace: line 1: version 2 of the bpftrace lines is not known, only 1',
    );
  });
});

describe('how early a map may have taken effect', () => {
  function slackOf(...lines: string[]): number[] {
    const bytes = Buffer.from(trace(...lines));
    const batch = createBatch();
    const info = emptyTraceInfo();
    const boot = createBootReader(info);
    const context = { name: 't', info, pageSize: 4096, pools: [], linesBefore: 0, boot };
    bpftrace.open(context).parse(bytes, 0, bytes.length, batch);
    return [...batch.slack.subarray(0, batch.length)];
  }
  const at = (ns: number, entry: number): string =>
    `map,${ns},0,${entry},0x1000,512,,,1,0x0,0x800,a`;
  const unmap = (ns: number): string => `unmap,${ns},1,0x800,512,,1,0x0,a`;

  test('is the first line that is later than its entry', () => {
    expect(slackOf(unmap(10), unmap(20), 'noise', unmap(30), at(40, 15))).toEqual([2, 3, 5, 3]);
  });

  test('is its own line where nothing came between, and where its entry was missed', () => {
    expect(slackOf(unmap(10), at(40, 10), at(50, 0))).toEqual([2, 3, 4]);
  });

  test('is the oldest line that is remembered, if it was under way that long', () => {
    const lines = Array.from({ length: 5000 }, (_, n) => unmap(n + 10));
    expect(slackOf(...lines, at(9000, 1)).at(-1)).toBe(5002 - 4096);
  });
});

describe('telling the format by content', () => {
  const recognised = (text: string): string[] =>
    FORMATS.filter((format) => format.recognises(Buffer.from(text))).map(({ name }) => name);

  test.each([trace(MAP), `# capture: version 1\n[    0.0] Linux version 6.1\n${trace(MAP)}`])(
    '%j is bpftrace',
    (text) => {
      expect(recognised(text)).toEqual(['bpftrace']);
    },
  );

  test.each([
    "# bpftrace -e 't:swiotlb:swiotlb_bounced { @++; }'\nAttaching 2 probes...\n@: 54\n",
    `see ${HEADER}\n`,
    `${MAP}\n`,
  ])('%j is not', (text) => {
    expect(recognised(text)).toEqual([]);
  });
});
