import { describe, expect, test } from 'vitest';
import { devDbgLine } from '../support/devDbgLines.js';
import { type ReadEvent, read } from '../support/reading.js';

const LINE =
  'virtio-pci 0000:00:07.0: orig_addr 0x0 alloc_size 0x2000, iotlb_align_mask 0x800 stride 0x2:' +
  ' got slot 1645-1649/7168 (0x98326800)';

const EVENT: ReadEvent = {
  line: 1,
  cpu: 0,
  device: '0000:00:07.0',
  op: 'alloc',
  origAddr: 0,
  size: 0x2000,
  allocSize: Number.NaN,
  allocAlignMask: 0,
  dir: 'bidirectional',
  result: 0x98326800,
};

describe('a debug line', () => {
  test('becomes an event', async () => {
    const { events, info, tally } = await read(`${LINE}\n`);
    expect(events).toEqual([EVENT]);
    expect(tally).toEqual({ format: 'dev-dbg', lines: 1, events: 1 });
    expect(info).toMatchObject({ problems: { count: 0 }, otherLines: 0, kernel: undefined });
  });

  test('is an alloc without an original address, and a map with one', async () => {
    const lines = [devDbgLine(), devDbgLine({ origAddr: 0x1234000, slot: 1700 })];
    const { events } = await read(lines.join('\n'));
    expect(events).toMatchObject([
      { op: 'alloc', origAddr: 0 },
      { op: 'map', origAddr: 0x1234000, size: 0x2000, result: 0x98342000 },
    ]);
  });

  test('holds addresses up to 52 bits', async () => {
    const [origAddr, tlbAddr] = [2 ** 52 - 1, 2 ** 52 - 2048];
    const { events } = await read(devDbgLine({ origAddr, tlbAddr }));
    expect(events).toMatchObject([{ origAddr, result: tlbAddr }]);
  });
});

describe('what stands in front of a debug line', () => {
  test.each([
    '',
    '     | ',
    '# ',
    '> ',
    '> > > ',
    '>>> ',
    '\t',
    '[   12.345678] ',
    '[   12.345678][    T0] ',
    '[   12.345678] [     T1234] ',
    '<7>[   12.345678] ',
    '[Thu Jan  4 23:12:54 2024] ',
    'Jan  4 23:12:54 host kernel: [   12.345678] ',
    'Jan 04 23:12:54 host kernel: ',
    '2024-01-04T23:12:54,345678+01:00 ',
    '2024-01-04T23:12:54.345678+01:00 host kernel: ',
    '7,1234,12345678,-;',
    '> [   12.345678] swiotlb:swiotlb_search_pool_area:1045: ',
    '[143] swiotlb:swiotlb_search_pool_area:1045: ',
    'console.log:17:',
    'qemu: \x1b[32m[   12.345678]\x1b[0m ',
  ])('%j is read over', async (prefix) => {
    const { events, info } = await read(`${prefix}${LINE}\n`);
    expect(events).toEqual([EVENT]);
    expect(info.problems.count).toBe(0);
  });

  test('nothing but a blank, as when somebody cut the columns apart', async () => {
    const { events } = await read(LINE.replace('virtio-pci ', '12\t'));
    expect(events).toEqual([EVENT]);
    expect((await read(LINE.replace('virtio-pci ', ''))).events).toEqual([EVENT]);
  });

  test('no device at all', async () => {
    const { events } = await read(
      `[   12.345678] ${LINE.replace('virtio-pci 0000:00:07.0', '(NULL device *)')}\n` +
        LINE.replace('virtio-pci 0000:00:07.0', '(NULL device *)'),
    );
    expect(events.map((event) => event.device)).toEqual(['(NULL device *)', '(NULL device *)']);
  });
});

describe('what stands around debug lines', () => {
  test('carriage returns', async () => {
    const { events, tally } = await read(`${LINE}\r\n\r\n${LINE}\r\n`);
    expect(events).toEqual([EVENT, { ...EVENT, line: 3 }]);
    expect(tally.lines).toBe(3);
  });

  test('other text is counted, and lines keep their numbers', async () => {
    const text = [
      'From: somebody',
      '',
      LINE,
      'On Thu, somebody wrote about orig_addr 0x0 and what it means:',
      '[   12.0] orig_addr 0x1000 is not what it was',
      LINE,
      'got slot 1-2/3 (0x0)',
      '',
    ];
    const { events, info, tally } = await read(text.join('\n'));
    expect(events.map((event) => event.line)).toEqual([3, 6]);
    expect(info).toMatchObject({ otherLines: 5, problems: { count: 0 } });
    expect(tally.lines).toBe(7);
  });

  test('text behind the address is read over', async () => {
    expect((await read(`${LINE} and more\n`)).events).toEqual([EVENT]);
  });

  test('a last line without a newline is an event', async () => {
    const { events, info } = await read(`${LINE}\n${LINE}`);
    expect(events).toHaveLength(2);
    expect(info.assumptions.map((assumption) => assumption.line)).toEqual([1]);
  });

  test('a megabyte of other text before the first', async () => {
    const text = `${'nothing of interest\n'.repeat(100_000)}${LINE}\n`;
    const { events, info, tally } = await read(text);
    expect(events).toEqual([{ ...EVENT, line: 100_001 }]);
    expect(tally.lines).toBe(100_001);
    expect(info.otherLines).toBe(100_000);
  });

  test('more events than a batch holds', async () => {
    const { events, tally } = await read(`${LINE}\nother\n`.repeat(20_000));
    expect(tally).toMatchObject({ lines: 40_000, events: 20_000 });
    expect(events.map((event) => event.line)).toEqual(events.map((_, n) => 2 * n + 1));
  });
});

describe('device names', () => {
  test.each(['gerät-ü', '設備', 'a\x1b[31mb', 'x\u202ey', 'a:b', 'virtio0,1', '"q"'])(
    '%j is kept as it is',
    async (device) => {
      const { events } = await read(`[   12.3] ${devDbgLine({ device })}\n`);
      expect(events).toMatchObject([{ device }]);
    },
  );

  test('of 256 bytes are read, longer ones are no kernel names', async () => {
    const { events, info } = await read(
      [256, 257].map((length) => devDbgLine({ device: 'd'.repeat(length) })).join('\n'),
    );
    expect(events).toMatchObject([{ line: 1, device: 'd'.repeat(256) }]);
    expect(info.problems.first).toMatchObject([
      { line: 2, message: 'there is no device name in front of orig_addr' },
    ]);
  });
});
