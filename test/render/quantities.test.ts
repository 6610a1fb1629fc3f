import { expect, test } from 'vitest';
import { percent, roughBytes, roughNumber, roughSeconds } from '../../src/render/quantities.js';
import { sparkline } from '../../src/render/sparkline.js';

test('bytes are said in the largest unit that they reach', () => {
  expect([0, 1, 1023, 1024, 1536, 123456, 2 ** 20, 1.5 * 2 ** 40].map(roughBytes)).toEqual([
    '0 B',
    '1 B',
    '1023 B',
    '1 KiB',
    '1.5 KiB',
    '121 KiB',
    '1 MiB',
    '1.5 TiB',
  ]);
});

test('times are said in three digits', () => {
  expect([0, 1e-9, 2.5e-6, 0.012345, 1, 59.96, 90, 7200, 1e6].map(roughSeconds)).toEqual([
    '0 s',
    '1 ns',
    '2.5 us',
    '12.3 ms',
    '1 s',
    '60 s',
    '1.5 min',
    '2 h',
    '11.6 d',
  ]);
});

test('numbers and parts are rounded, and what is little is not nothing', () => {
  expect([0.012345, 12.345, 1234.5].map(roughNumber)).toEqual(['0.0123', '12.3', '1235']);
  expect([0, 0.001, 0.01, 0.995, 1].map(percent)).toEqual(['0 %', '<1 %', '1 %', '100 %', '100 %']);
});

test('a sparkline has a bar per value, the mean where they are more than fit', () => {
  expect(sparkline(Float64Array.of(0, 0.1, 1, 4, 8), 80, 8)).toBe(' ▁▁▄█');
  expect(sparkline(Float64Array.of(0, 8, 8, 8, 1, 1), 3, 8)).toBe('▄█▁');
  expect(sparkline(Float64Array.of(0, 0), 80, 0)).toBe('  ');
  expect(sparkline(Float64Array.of(), 80, 8)).toBe('');
  // A release may damage the kernel's counters, and a transient pool come on top.
  expect(sparkline(Float64Array.of(-1, 9), 80, 8)).toBe(' █');
});
