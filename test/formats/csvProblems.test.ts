import { describe, expect, test } from 'vitest';
import { OP_NAMES } from '../../src/events/batch.js';
import type { Problem } from '../../src/events/trace.js';
import { csv } from '../../src/formats/csv.js';
import { read, userErrorOf } from '../support/reading.js';

const COLUMNS = ['cpu', 'dev', 'op', 'orig_addr', 'size', 'alloc_size', 'alloc_align_mask'];
const HEADER = [...COLUMNS, 'dir', 'tlb_addr'].join(',');
const GOOD = '0,d,map,0x1000,512,,,to_device,0x2000';

/** What is said of a bad row that stands third, between good ones that must stay events. */
async function problemOf(bad: string): Promise<Problem> {
  const { events, info, tally } = await read(`${HEADER}\n${GOOD}\n${bad}\n${GOOD}\n`);
  expect(events.map((event) => event.line)).toEqual([2, 4]);
  expect(tally).toMatchObject({ lines: 4, events: 2 });
  expect(info.problems.count).toBe(1);
  expect(info.problems.first[0].line).toBe(3);
  return info.problems.first[0];
}

/** The good row with one field put in place of another. */
function rowWith(column: string, field: string): string {
  const fields = GOOD.split(',');
  fields[HEADER.split(',').indexOf(column)] = field;
  return fields.join(',');
}

describe('a field that cannot be read is named, with its text', () => {
  const address = 'is not a physical address (below 2^52)';
  const size = 'is not a size in bytes';
  test.each([
    ['cpu', '-1', 'is not a CPU number'],
    ['cpu', '1048576', 'is not a CPU number'],
    ['dev', 'd'.repeat(257), 'is longer than 256 bytes'],
    ['op', '', `is not one of ${OP_NAMES.join(', ')}`],
    ['op', 'MAP', `is not one of ${OP_NAMES.join(', ')}`],
    ['op', 'maps', `is not one of ${OP_NAMES.join(', ')}`],
    ['orig_addr', '0x10000000000000', address],
    ['orig_addr', '4503599627370496', address],
    ['orig_addr', '0x', address],
    ['orig_addr', ' 0x1000', address],
    ['size', '1.5', size],
    ['size', '1e3', size],
    ['size', '9'.repeat(30), size],
    ['alloc_size', 'all', size],
    ['alloc_align_mask', '0x100000000', 'is not a 32-bit mask'],
    ['alloc_align_mask', '-1', 'is not a 32-bit mask'],
    ['dir', 'both', 'is not one of to_device, from_device, bidirectional'],
    ['dir', 'to_devic', 'is not one of to_device, from_device, bidirectional'],
    ['tlb_addr', 'FULL', 'is not an address (below 2^52), full or hang'],
    ['tlb_addr', 'fulls', 'is not an address (below 2^52), full or hang'],
    ['tlb_addr', '0xffffffffffffffff', 'is not an address (below 2^52), full or hang'],
    ['tlb_addr', '0x98z', 'is not an address (below 2^52), full or hang'],
  ])('%s: %j', async (column, field, message) => {
    const shown = field.length > 160 ? `${field.slice(0, 160)}...` : field;
    const problem = { line: 3, message: `${column} ${message}`, text: shown };
    expect(await problemOf(rowWith(column, field))).toEqual(problem);
    expect(await problemOf(rowWith(column, `"${field}"`))).toEqual(problem);
  });
});

describe('a row that lacks what its operation needs', () => {
  test('a device', async () => {
    expect((await problemOf(rowWith('dev', ''))).message).toMatch(/^dev is empty/);
    expect((await problemOf(rowWith('dev', '""'))).message).toMatch(/^dev is empty/);
  });

  const released = 'an unmap, free or sync needs the tlb_addr that it is about';
  test.each([
    ['0,d,map,,512,,,,0x2000', 'a map needs its orig_addr'],
    ['0,d,map,0x1000,,,,,0x2000', 'a map needs a size of 1 byte or more'],
    ['0,d,map,0x1000,0,,,,0x2000', 'a map needs a size of 1 byte or more'],
    ['0,d,alloc,,,,,,0x2000', 'an alloc needs a size of 1 byte or more'],
    ['0,d,alloc,,0,,,,full', 'an alloc needs a size of 1 byte or more'],
    ['0,d,unmap,,512,,,,', released],
    ['0,d,unmap,,512,,,,full', released],
    ['0,d,free,,512,,,,hang', released],
    ['0,d,sync_for_cpu,,512,,,,', released],
    ['0,d,sync_for_device,,512,,,,', released],
  ])('%s', async (row, message) => {
    expect(await problemOf(row)).toEqual({ line: 3, message, text: row });
  });
});

describe('a row that does not fit the header', () => {
  test.each(['0,d,map,0x1000,512,,,to_device', `${GOOD},`, `${GOOD},0x3000`, 'd', ',,,,,,,,,,'])(
    '%s',
    async (row) => {
      // The first field that cannot be read may be told instead.
      const { message } = await problemOf(row);
      expect(message).toMatch(/^(the row has not the header's 9 fields|(cpu|dev|op) is .*)$/);
    },
  );

  test('with quoted fields', async () => {
    const message = "the row has not the header's 9 fields";
    expect(await problemOf(`"0",d,map`)).toMatchObject({ message });
    expect(await problemOf(`${GOOD},""`)).toMatchObject({ message });
    expect(await problemOf(`${GOOD.replace('d', '"d"')}\r,more`)).toMatchObject({ message });
  });

  test.each([
    '0,"d,map,0x1000,512,,,to_device,0x2000',
    '0,d,map,0x1000,512,,,to_device,"0x2000',
    '0,"d"x,map,0x1000,512,,,to_device,0x2000',
    '0,d"d,map,0x1000,512,,,to_device,0x2000',
    '"',
  ])('with a quote out of place: %s', async (row) => {
    expect(await problemOf(row)).toEqual({
      line: 3,
      message: 'a quoted field is not closed in its line, or has text behind it',
      text: row,
    });
  });

  test('because the trace breaks off in it', async () => {
    const { events, info } = await read(`${HEADER}\n${GOOD}\n${GOOD.slice(0, 20)}`);
    expect(events).toHaveLength(1);
    expect(info.problems).toMatchObject({ count: 1, first: [{ line: 3 }] });
    expect(info.assumptions).toMatchObject([{ line: 3 }]);
  });
});

describe('a header that cannot be used', () => {
  const errorOf = (trace: string): Promise<string> =>
    userErrorOf(() => read(trace, { format: csv }));

  test('for lack of columns', async () => {
    expect(await errorOf('#swiotlb-trace 1\ndev,size\nd,1\n')).toBe(
      'test.trace: line 2: the CSV header has no column op: dev,size',
    );
    expect(await errorOf('# text\n\nsize\n1\n')).toBe(
      'test.trace: line 3: the CSV header has no column dev and no column op: size',
    );
  });

  test('for a column that stands twice', async () => {
    expect(await errorOf('dev,op,size,dev\nd,alloc,1,e\n')).toBe(
      'test.trace: line 1: the CSV header names column dev twice: dev,op,size,dev',
    );
  });

  test('with its text cut to a readable length', async () => {
    const message = await errorOf(`${'x'.repeat(5000)}\n`);
    expect(message).toContain(`: ${'x'.repeat(160)}...`);
    expect(message.length).toBeLessThan(300);
  });

  test('unless it is only long', async () => {
    const extra = Array.from({ length: 300 }, (_, n) => `extra${n}`);
    const header = [...extra, 'dev', 'op', 'size'].join(',');
    const row = [...extra.map(() => ''), 'd', 'alloc', '1'].join(',');
    expect((await read(`${header}\n${row}\n`)).events).toHaveLength(1);
  });
});

test('problems are counted beyond those that are kept', async () => {
  const { info } = await read(`${HEADER}\n${GOOD}\n${'0,d,eat\n'.repeat(50)}`);
  expect(info.problems.count).toBe(50);
  expect(info.problems.first.map((problem) => problem.line)).toEqual(
    Array.from({ length: 10 }, (_, n) => n + 3),
  );
});
