import { describe, expect, test } from 'vitest';
import { jsonl } from '../../src/formats/jsonl.js';
import { FORMATS } from '../../src/formats/table.js';
import { read, userErrorOf } from '../support/reading.js';

const ALLOC = '{"op":"alloc","dev":"d","size":1}';

function recognised(text: string): string[] {
  return FORMATS.filter((format) => format.recognises(Buffer.from(text))).map(({ name }) => name);
}

/** What is said of a line among good ones, which must stay. */
async function problemOf(line: string): Promise<string | undefined> {
  const { events, info } = await read(`${ALLOC}\n${line}\n${ALLOC}\n`);
  expect(events.map((event) => event.line)).toEqual([1, 3]);
  expect(info.problems.count).toBe(1);
  expect(info.problems.first[0].line).toBe(2);
  return info.problems.first[0].message;
}

describe('JSON lines are told by their first line', () => {
  test.each([
    `${ALLOC}\n`,
    `\n  ${ALLOC}\r\nnonsense\n`,
    '{"trace":1}\n',
    '{"pool":{"base":"0x80000000","nslabs":64}}\n',
    '{"op":"eat"}\n',
  ])('%j', (text) => {
    expect(recognised(text)).toEqual(['jsonl']);
  });

  test.each([
    '{"some":"other","json":1}\n',
    '[{"op":"map"}]\n',
    '"op"\n',
    'null\n',
    '{"op":"map"\n',
    `text\n${ALLOC}\n`,
    '{\n',
    '\n',
  ])('not %j', (text) => {
    expect(recognised(text)).toEqual([]);
  });
});

describe('declarations', () => {
  test('say what the directives of a canonical trace say', async () => {
    const canonical = await read(
      [
        '#swiotlb-trace 1',
        '#kernel version=v6.8 page_size=16384 dynamic=1',
        '#pool name=default base=0x97ff0000 nslabs=7168 areas=2 index=1645:7',
        '#pool name=r base=0x80000000 nslabs=64 restricted=1',
        '#device name=sda min_align_mask=0xfff seg_boundary_mask=0xffffffffffffffff dma_mask=0xffffffff pool=r',
        'dev,op,size',
        'd,alloc,1',
        '#expect pool=r used=0 used_hiwater=2 index=9',
        '',
      ].join('\n'),
    );
    const { info } = await read(
      [
        '{"trace":1}',
        '{"kernel":{"version":"v6.8","page_size":16384,"dynamic":true}}',
        '{"pool":{"name":"default","base":"0x97ff0000","nslabs":7168,"areas":2,"index":[1645,7]}}',
        '{"pool":{"name":"r","base":2147483648,"nslabs":"64","restricted":1,"for_alloc":null}}',
        '{"device":{"name":"sda","min_align_mask":4095,"seg_boundary_mask":"0xffffffffffffffff","dma_mask":4294967295,"pool":"r"}}',
        '',
        ALLOC,
        '{"expect":{"pool":"r","used":0,"used_hiwater":2,"index":[9]}}',
        '',
      ].join('\n'),
    );
    expect(info).toEqual({ ...canonical.info, otherLines: 1 });
  });

  test('may stand together in one object, and name devices with blanks', async () => {
    const { info, events } = await read(
      '{"trace":1,"kernel":{"version":"v6.8"},"device":{"name":"a device = 1","min_align_mask":511}}\n' +
        '{"op":"alloc","dev":"a device = 1","size":1}\n',
    );
    expect(info.kernel).toBe('v6.8');
    expect(info.devices).toEqual([{ name: 'a device = 1', minAlignMask: 511 }]);
    expect(events[0].device).toBe('a device = 1');
  });

  test.each([
    ['{"trace":2}', 'version 2 of the format is not known'],
    ['{"pool":{"name":"p"}}', 'has no base='],
    ['{"pool":{"base":1,"nslabs":64}}', 'base=1 is not a multiple of 2048'],
    ['{"pool":[1,2]}', 'pool is not an object'],
    ['{"kernel":"v6.8"}', 'kernel is not an object'],
    ['{"device":null}', 'device is not an object'],
    ['{"device":{"name":{"a":1}}}', 'device.name is neither a number nor a string'],
    [
      '{"device":{"name":"d","seg_boundary_mask":18446744073709551615}}',
      'device.seg_boundary_mask is beyond what a number in JSON holds: write it as a string',
    ],
  ])('%s is a problem', async (line, message) => {
    expect(await problemOf(line)).toContain(message);
  });
});

describe('a line that is no event is counted and told of', () => {
  test.each([
    ['{"op":"eat","dev":"d"}', 'op is not one of map,'],
    ['{"op":null,"dev":"d"}', 'op is not one of map,'],
    ['{"op":"alloc","size":1}', 'dev is empty'],
    ['{"op":"map","dev":"d","size":1}', 'a map needs its orig_addr'],
    ['{"op":"alloc","dev":"d","size":1.5}', 'size is not a size in bytes'],
    ['{"op":"alloc","dev":"d","size":-1}', 'size is not a size in bytes'],
    ['{"op":"alloc","dev":"d","size":1e300}', 'size is beyond what a number in JSON holds'],
    ['{"op":"alloc","dev":"d","size":true}', 'size is neither a number nor a string'],
    ['{"op":"alloc","dev":["d"],"size":1}', 'dev is neither a number nor a string'],
    ['{"op":"alloc","dev":"d","size":1,"flags":"odd"}', 'flags is not one of transient='],
    ['{"op":"alloc","dev":"d","size":1', 'is no JSON object'],
    ['[]', 'is no JSON object'],
    ['plain text', 'is no JSON object'],
    ['{}', 'is neither an event, with an op, nor one of trace, kernel,'],
    [`{"op":${'['.repeat(400_000)}`, 'is no JSON object'],
    [`{"op":${'['.repeat(200_000)}${']'.repeat(200_000)}}`, 'op is neither a number nor'],
    ['{"op":"alloc","size":1,"__proto__":{"dev":"d"}}', 'dev is empty'],
    ['{"__proto__":{"op":"alloc","dev":"d","size":1}}', 'is neither an event'],
  ])('%.60s', async (line, message) => {
    expect(await problemOf(line)).toContain(message);
  });
});

test('keys that are not known are told of once, and not for ever', async () => {
  const known = '"op":"alloc","dev":"d","size":1';
  const { info, events } = await read(
    `{${known},"constructor":1,"toString":{}}\n{${known},"constructor":2}\n`,
  );
  expect(events).toHaveLength(2);
  expect(info.assumptions).toEqual([
    { line: 1, message: 'key constructor is not known and was not read' },
    { line: 1, message: 'key toString is not known and was not read' },
  ]);
  const many = Array.from({ length: 1000 }, (_, n) => `{${known},"k${n}":0}\n`).join('');
  expect((await read(many)).info.assumptions).toHaveLength(20);
});

test('flags are read as in CSV', async () => {
  const { info, events } = await read(
    '{"op":"grow","orig_addr":"0x80000000","size":128,"flags":"areas=2"}\n' +
      '{"op":"map","dev":"d","orig_addr":1,"size":1,"flags":"transient=0x1000"}\n',
  );
  expect(info.problems.count).toBe(0);
  expect(events.map(({ op }) => op)).toEqual(['grow', 'map']);
});

test("memveil's record is refused with the reason", async () => {
  const text =
    '{"schema_version":"0.1.0","session_id":"s-7","source":{"hook":"swiotlb:swiotlb_bounced"},"seq":"1","ts_ns":"12","kind":"bounce_attempt","data":{"device_id":"dev-1","requested_bytes":"512","forced":false}}\n';
  expect(recognised(text)).toEqual(['jsonl']);
  const message = await userErrorOf(() => read(text));
  expect(message).toContain("test.trace: line 1: is memveil's record");
  expect(message).toContain('no addresses');
  expect(await userErrorOf(() => read(text, { format: jsonl }))).toBe(message);
});
