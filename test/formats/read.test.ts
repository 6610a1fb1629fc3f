import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { csv } from '../../src/formats/csv.js';
import { devDbg } from '../../src/formats/devDbg.js';
import { FORMATS } from '../../src/formats/table.js';
import { devDbgLine } from '../support/devDbgLines.js';
import { read, userErrorOf } from '../support/reading.js';

/** A trace with something of everything, and no `#swiotlb-trace` at its head. */
const CSV_TRACE = [
  '# written by hand',
  '',
  '#kernel version=v6.8 page_size=4096',
  '#pool name=default base=0x97ff0000 nslabs=7168 areas=1 index=1645',
  '#device name=0000:00:07.0 min_align_mask=0xfff',
  '#nonsense',
  'time,cpu,dev,op,orig_addr,size,tlb_addr',
  '0.1,0,0000:00:07.0,map,0x1234000,4096,0x98326800',
  '0.2,0,"gerät, ""ü""",alloc,,8192,full',
  '# in between',
  '0.3,0,0000:00:07.0,unmap,,4096,0x98326800',
  '0.4,0,0000:00:07.0,eat,,4096,0x98326800',
  '0.5,0,late,alloc,,1,',
  '#expect used=0',
  '',
].join('\r\n');

const DEV_DBG_TRACE = [
  'Subject: orig_addr 0x0 and others',
  '',
  devDbgLine(),
  `> > ${devDbgLine({ slot: 1700, origAddr: 0x1234, device: 'gerät' })}`,
  devDbgLine({ nslabs: 7169 }),
  'between',
  `[   12.345678][    T0] ${devDbgLine({ slot: 8, device: 'third' })}`,
  devDbgLine().slice(0, 90),
].join('\n');

describe('telling the format by content', () => {
  const recognised = (text: string): string[] =>
    FORMATS.filter((format) => format.recognises(Buffer.from(text))).map((format) => format.name);

  test.each([
    '#swiotlb-trace 1\n',
    '\ufeff#swiotlb-trace 1\r\n',
    '# a comment\n\n#kernel version=v6.8\n',
    '#pool base=0 nslabs=1\n',
    'dev,op\n',
    'time,cpu,dev,op,orig_addr\r\n1,2,3,4,5\r\n',
    '\ufeff\n# a comment\n  \n "op" , "dev" \n',
  ])('%j is csv', (text) => {
    expect(recognised(text)).toEqual(['csv']);
  });

  test.each([
    `${devDbgLine()}\n`,
    `# tracer: nop\n#\n${devDbgLine()}\n`,
    `text\norig_addr 0x in words\n  > ${devDbgLine()}\r\n`,
    `# ${devDbgLine()}\n`,
  ])('%j is dev-dbg', (text) => {
    expect(recognised(text)).toEqual(['dev-dbg']);
  });

  test.each([
    '',
    '\n',
    '# only comments\n',
    'device,operation\n',
    'dev op\n',
    '#swiotlb-tracers\n',
    '#iova-trace 1\nop,size\n',
    'virtio-pci 0000:00:07.0: swiotlb buffer is full (sz: 4096 bytes)\n',
    'orig_addr 0x0 here\ngot slot there\n',
  ])('%j is neither', (text) => {
    expect(recognised(text)).toEqual([]);
  });

  test('is left out when the user names the format', async () => {
    const text = `dev,op,size\n"${devDbgLine()}",alloc,1\n`;
    expect((await read(text)).tally.format).toBe('csv');
    expect((await read(text, { format: csv })).tally.format).toBe('csv');
    expect((await read(text, { format: devDbg })).tally.format).toBe('dev-dbg');
  });
});

describe('a trace of which nothing is understood', () => {
  test('shows its first line and names the formats that were tried', async () => {
    const message = await userErrorOf(() => read('\r\n  \nhello, world\r\nagain\n'));
    expect(message).toBe(
      'test.trace: no line can be understood (tried csv, bpftrace, dev-dbg).\n' +
        '  the first line is: hello, world\n' +
        '  give --input-format if detection is wrong, or convert the trace to the canonical CSV',
    );
  });

  test('shows no more of a long line than can be read', async () => {
    const message = await userErrorOf(() => read('x'.repeat(3_000_000)));
    expect(message).toContain(`  the first line is: ${'x'.repeat(160)}...\n`);
  });

  test('says that there are no events when there is only a header', async () => {
    expect(await userErrorOf(() => read('#swiotlb-trace 1\ndev,op\n'))).toBe(
      'test.trace: is csv, but holds no events: there is nothing to replay',
    );
    expect(await userErrorOf(() => read('no debug lines\n', { format: devDbg }))).toBe(
      'test.trace: is dev-dbg, but holds no events: there is nothing to replay',
    );
  });

  test('shows the first problem when there are only problems', async () => {
    expect(await userErrorOf(() => read('dev,op\nd,eat\n\nd,drink\n'))).toMatch(
      /^test\.trace: no line can be replayed \(2 of 4 lines look like csv\)\.\n {2}line 2: op is not one of .*: eat$/,
    );
  });
});

test('lines of more than a megabyte are cut, which is said, and lose no other line', async () => {
  const long = 'x'.repeat(1 << 20);
  const line = devDbgLine();
  const text = `${[line, long, line, long + line, line].join('\n')}\n`;
  const { events, info, tally } = await read(text);
  expect(events.map((event) => event.line)).toEqual([1, 3, 5]);
  expect(tally.lines).toBe(5);
  expect(info.assumptions.at(-1)).toEqual({
    line: undefined,
    message: '2 lines of more than a megabyte were cut',
  });
});

describe('a trace in pieces gives what it gives whole', () => {
  const chunks = fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 1, maxLength: 5 });
  const blockBytes = fc.option(fc.integer({ min: 300, max: 600 }), { nil: undefined });

  test.each([
    ['csv', CSV_TRACE, 4, 2],
    ['csv without its last newline', CSV_TRACE.trimEnd(), 4, 2],
    ['dev-dbg', DEV_DBG_TRACE, 3, 2],
  ])('%s', async (_, text, events, problems) => {
    const whole = await read(text);
    expect(whole.events).toHaveLength(events);
    expect(whole.info.problems.count).toBe(problems);
    await fc.assert(
      fc.asyncProperty(chunks, blockBytes, async (sizes, block) => {
        const arrival =
          block === undefined ? { chunks: sizes } : { chunks: sizes, blockBytes: block };
        expect(await read(text, arrival)).toEqual(whole);
      }),
    );
  });
});
