import { describe, expect, test } from 'vitest';
import { parseTime } from '../../src/events/numbers.js';
import { read } from '../support/reading.js';
import { BASE, file, line, lockedMap } from '../support/traceText.js';

const PRINT =
  'virtio 0000:00:07.0: orig_addr 0x0 alloc_size 0x2000, iotlb_align_mask 0x800 stride 0x2: got slot 1645-1649/7168 (0x98326800)';

async function timesOf(...lines: string[]): Promise<number[]> {
  const { times, info } = await read(`${lines.join('\n')}\n`);
  expect(info.problems.count).toBe(0);
  return times;
}

describe('the time of an event', () => {
  test('is what a CSV row has, read plainly or with care', async () => {
    const header = 'time,cpu,dev,op,orig_addr,size,dir,tlb_addr';
    const rest = ',0,d,map,0x1000,512,to_device,0x800';
    const rows = ['1.000000007', '86400.5', '3', '', '12:30', '-1'].map((time) => time + rest);
    const quoted = `"7.25"${rest}`;
    expect(await timesOf(header, ...rows, quoted)).toEqual([
      1.000000007,
      86400.5,
      3,
      Number.NaN,
      Number.NaN,
      Number.NaN,
      7.25,
    ]);
  });

  test('is a number or a string in JSON lines', async () => {
    const event = (time: string): string =>
      `{"time":${time},"dev":"d","op":"map","orig_addr":4096,"size":512,"tlb_addr":"0x800"}`;
    expect(await timesOf(event('0.5'), event('"12.000001"'), event('null'))).toEqual([
      0.5,
      12.000001,
      Number.NaN,
    ]);
  });

  test('stands in brackets in front of a debug line, and is no number of a thread', async () => {
    expect(
      await timesOf(
        `[   12.345678] ${PRINT}`,
        `<7>[    0.5][ T12] ${PRINT}`,
        PRINT,
        `[4711] ${PRINT}`,
      ),
    ).toEqual([12.345678, 0.5, Number.NaN, Number.NaN]);
  });

  test('of ftrace is that of the record at which the call took its slots', async () => {
    const bodies = lockedMap('d', BASE, 512, BASE);
    const lock = bodies.findIndex(({ event }) => event === 'map_locked');
    const text = file(...bodies.map((body, n) => line(body, { seconds: 10 + n / 1e6 })));
    expect(lock).toBeGreaterThan(0);
    expect(await timesOf(text)).toEqual([10 + lock / 1e6]);
  });
});

test('times are the nearest numbers, of nine decimals at most', () => {
  const parse = (text: string): number => parseTime(Buffer.from(text), 0, text.length);
  expect(parse('1234567.123456789')).toBe(1234567.123456789);
  for (const odd of ['', '.5', '1.2.3', '0x10', '1.0000000001', '99999999999999999', '1e3']) {
    expect(parse(odd), odd).toBeNaN();
  }
});
