import { describe, expect, test } from 'vitest';
import { type ReadEvent, read } from '../support/reading.js';

const HEADER =
  'time,cpu,dev,op,orig_addr,size,alloc_size,alloc_align_mask,dir,attrs,tlb_addr,flags';

const DEFAULTS: ReadEvent = {
  line: 2,
  cpu: 0,
  device: 'd',
  op: 'map',
  origAddr: Number.NaN,
  size: Number.NaN,
  allocSize: Number.NaN,
  allocAlignMask: 0,
  dir: 'bidirectional',
  result: undefined,
};

async function eventsOf(trace: string | Uint8Array): Promise<ReadEvent[]> {
  const { events, info } = await read(trace);
  expect(info.problems).toEqual({ count: 0, first: [] });
  return events;
}

describe('rows', () => {
  test('of every kind become events', async () => {
    const trace = [
      '#swiotlb-trace 1',
      HEADER,
      '0.001,3,0000:00:07.0,map,0x1234000,4096,8192,0xffff,to_device,0x20,0x98326800,transient=0x1',
      '0.002,0,0000:00:07.0,unmap,,4096,,,to_device,,0x98326800,',
      '0.003,0,0000:00:08.0,alloc,,8192,,,,,full,',
      '0.004,0,0000:00:08.0,map,0x1000,512,,,from_device,,hang,',
      '0.005,0,0000:00:08.0,free,,,,,,,0x98328000,',
      '0.006,0,0000:00:07.0,sync_for_cpu,,1,,,bidirectional,,0x98326801,',
      '0.007,0,0000:00:07.0,sync_for_device,,2,,,,,0x98326802,',
    ];
    expect(await eventsOf(`${trace.join('\n')}\n`)).toEqual([
      {
        line: 3,
        cpu: 3,
        device: '0000:00:07.0',
        op: 'map',
        origAddr: 0x1234000,
        size: 4096,
        allocSize: 8192,
        allocAlignMask: 0xffff,
        dir: 'to_device',
        result: 0x98326800,
      },
      {
        ...DEFAULTS,
        line: 4,
        device: '0000:00:07.0',
        op: 'unmap',
        size: 4096,
        dir: 'to_device',
        result: 0x98326800,
      },
      { ...DEFAULTS, line: 5, device: '0000:00:08.0', op: 'alloc', size: 8192, result: 'full' },
      {
        ...DEFAULTS,
        line: 6,
        device: '0000:00:08.0',
        origAddr: 0x1000,
        size: 512,
        dir: 'from_device',
        result: 'hang',
      },
      { ...DEFAULTS, line: 7, device: '0000:00:08.0', op: 'free', result: 0x98328000 },
      {
        ...DEFAULTS,
        line: 8,
        device: '0000:00:07.0',
        op: 'sync_for_cpu',
        size: 1,
        result: 0x98326801,
      },
      {
        ...DEFAULTS,
        line: 9,
        device: '0000:00:07.0',
        op: 'sync_for_device',
        size: 2,
        result: 0x98326802,
      },
    ]);
  });

  test('have the defaults of columns that the header lacks', async () => {
    expect(await eventsOf('dev,op,size\nd,alloc,1\n')).toEqual([
      { ...DEFAULTS, op: 'alloc', size: 1 },
    ]);
    expect(await eventsOf('tlb_addr,op,dev\n0x1000,free,d\n')).toEqual([
      { ...DEFAULTS, op: 'free', result: 0x1000 },
    ]);
  });

  test('have the same defaults where a field is empty', async () => {
    expect(await eventsOf(`${HEADER}\n,,d,alloc,,1,,,,,,\n`)).toEqual([
      { ...DEFAULTS, op: 'alloc', size: 1 },
    ]);
  });

  test('keep nothing of the row before', async () => {
    const rows = ['1,7,d,map,0x1000,512,1024,0xfff,to_device,0,0x2000,', '2,,d,alloc,,1,,,,,,'];
    const events = await eventsOf(`${[HEADER, ...rows].join('\n')}\n`);
    expect(events[1]).toEqual({ ...DEFAULTS, line: 3, op: 'alloc', size: 1 });
  });

  test('have numbers in decimal or hex, up to their limits', async () => {
    const trace = [
      'dev,op,cpu,orig_addr,size,alloc_size,alloc_align_mask,tlb_addr',
      'd,map,0xfffff,4503599627370495,0xfffffffffffff,0xfffffffffffff,4294967295,0xfffffffffffff',
      'd,map,1048575,0,1,0,0,0',
    ];
    expect(await eventsOf(trace.join('\n'))).toMatchObject([
      {
        cpu: 2 ** 20 - 1,
        origAddr: 2 ** 52 - 1,
        size: 2 ** 52 - 1,
        allocSize: 2 ** 52 - 1,
        allocAlignMask: 2 ** 32 - 1,
        result: 2 ** 52 - 1,
      },
      { cpu: 2 ** 20 - 1, origAddr: 0, size: 1, allocSize: 0, allocAlignMask: 0, result: 0 },
    ]);
  });
});

describe('quoted fields', () => {
  test.each([
    ['"a,b"', 'a,b'],
    ['"say ""hi"""', 'say "hi"'],
    ['"plain"', 'plain'],
    ['" blank "', ' blank '],
    ['"(NULL device *)"', '(NULL device *)'],
    ['"gerät, ü"', 'gerät, ü'],
    ['"a\rb"', 'a\rb'],
  ])('%j names device %j', async (field, device) => {
    expect(await eventsOf(`dev,op,size\n${field},alloc,1\n`)).toMatchObject([{ device }]);
    expect(await eventsOf(`op,size,dev\r\nalloc,1,${field}\r\n`)).toMatchObject([{ device }]);
  });

  test('may be any', async () => {
    const trace = '"dev","op","size","tlb_addr"\n"d","alloc","0x10","full"\nd,alloc,"1",""\n';
    expect(await eventsOf(trace)).toMatchObject([
      { device: 'd', size: 16, result: 'full' },
      { device: 'd', size: 1, result: undefined },
    ]);
  });

  test('name the same device as plain ones, whatever bytes a name has', async () => {
    const bytes = Buffer.from('dev,op,size\n?,alloc,1\n"?",alloc,2\n', 'latin1');
    for (let at = bytes.indexOf('?'); at >= 0; at = bytes.indexOf('?')) bytes[at] = 0xe4;
    const { events, info } = await read(bytes);
    expect(events).toHaveLength(2);
    expect(info.devices).toHaveLength(1);
  });
});

describe('what stands around rows', () => {
  const trace = ['#swiotlb-trace 1', 'dev,op,size', 'd,alloc,1', 'd,alloc,2', ''];

  test('a byte order mark before a directive or the header', async () => {
    expect(await eventsOf(`\ufeff${trace.join('\n')}`)).toHaveLength(2);
    expect(await eventsOf(`\ufeff${trace.slice(1).join('\n')}`)).toHaveLength(2);
    expect(await eventsOf(`\ufeff\n${trace.slice(1).join('\n')}`)).toHaveLength(2);
  });

  test('carriage returns', async () => {
    const { events, info, tally } = await read(trace.join('\r\n'));
    expect(events.map((event) => event.line)).toEqual([3, 4]);
    expect(info).toMatchObject({ assumptions: [], problems: { count: 0 } });
    expect(tally.lines).toBe(4);
  });

  test('comments and blank lines, anywhere, count as other lines', async () => {
    const other = ['# a comment', '', '#', '# #pool base=1', '   ', '\t'];
    const text = [...other, trace[1], ...other, trace[2], ...other, trace[3], ...other, ''];
    for (const newline of ['\n', '\r\n']) {
      const { events, info, tally } = await read(text.join(newline));
      expect(events.map((event) => event.line)).toEqual([14, 21]);
      expect(info).toMatchObject({ otherLines: 24, assumptions: [], pools: [] });
      expect(info.problems).toEqual({ count: 0, first: [] });
      expect(tally.lines).toBe(27);
    }
  });

  test('a column that is not known is not read, and that is said', async () => {
    const { events, info } = await read('op,colour,dev,size,__proto__\nalloc,"a,b",d,1,x\n');
    expect(events).toMatchObject([{ device: 'd', size: 1 }]);
    expect(info.assumptions).toEqual([
      { line: 1, message: 'column colour is not known and was not read' },
      { line: 1, message: 'column __proto__ is not known and was not read' },
    ]);
  });

  test('a missing last newline is said, as the last number may be cut', async () => {
    const { events, info } = await read('dev,op,size\nd,alloc,1\nd,alloc,20');
    expect(events.map((event) => event.size)).toEqual([1, 20]);
    expect(info.assumptions).toEqual([
      {
        line: 3,
        message: 'the last line has no newline, so it may have been cut; it was read as it stands',
      },
    ]);
  });

  test('more rows than a batch holds', async () => {
    const rows = Array.from({ length: 20_000 }, (_, n) => `d${n % 100},alloc,${n + 1}\n`);
    const events = await eventsOf(`dev,op,size\n${rows.join('')}`);
    expect(events.map((event) => event.size)).toEqual(events.map((_, n) => n + 1));
    expect(events.map((event) => event.line)).toEqual(events.map((_, n) => n + 2));
    expect(events).toHaveLength(20_000);
  });
});
