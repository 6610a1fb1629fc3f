import { describe, expect, test } from 'vitest';
import { findIn, headerOf, short, traceOf } from '../../support/dmaChecks.js';

/** The first row is in line 9. */
const found = (...rows: string[]): string[] => short(findIn(traceOf(rows), 'v7.2'));

const words = (...rows: string[]): string[] =>
  findIn(traceOf(rows), 'v7.2').map(({ message }) => message);

const MAP = 'eth,map_page,1,0x40300200,700,2';
const UNMAP = 'eth,unmap_page,1,,700,2';
const LIST = 'eth,map_sg,1,0x40300200+700;0x40400200+300,2,1';

describe('a driver that does what it should', () => {
  test.each([
    [[MAP, 'eth,sync_single_cpu,1,,700,2', UNMAP]],
    [[LIST, 'eth,sync_sg_dev,1,,2,1', 'eth,unmap_sg,1,,2,1']],
    [['eth,alloc,1,,9000,0', 'eth,free,1,,9000,0']],
    // What goes both ways may be synced for either.
    [
      [
        'eth,map_page,1,0x40300200,700,0',
        'eth,sync_single_cpu,1,,700,2',
        'eth,unmap_page,1,,700,0',
      ],
    ],
    [
      [
        'eth,iova_alloc,1,0x40300000,8192,1',
        'eth,iova_link,1,0x40300000,8192,1',
        'eth,iova_unlink,1,,8192,1',
        'eth,iova_destroy,1,,0,1',
      ],
    ],
  ])('is told nothing: %j', (rows) => {
    expect(found(...rows)).toEqual([]);
  });
});

describe('unmatched-unmap and double-unmap', () => {
  test.each([
    ['what was never mapped', [UNMAP], ['unmatched-unmap@9']],
    ['a list that was never mapped', ['eth,unmap_sg,7,,2,1'], ['unmatched-unmap@9']],
    ['memory that was never allocated', ['eth,free,7,,4096,0'], ['unmatched-unmap@9']],
    [
      'a range that was never allocated',
      ['eth,iova_link,7,0x40300000,4096,1'],
      ['unmatched-unmap@9'],
    ],
    ['what was unmapped', [MAP, UNMAP, UNMAP], ['double-unmap@11']],
    [
      'a sync of what was unmapped',
      [MAP, UNMAP, 'eth,sync_single_cpu,1,,700,2'],
      ['unmatched-unmap@11'],
    ],
    [
      'a list by the function of a page',
      [LIST, 'eth,unmap_page,1,,700,1'],
      ['unmatched-unmap@10', 'size-mismatch@10', 'stale-mapping@10'],
    ],
  ])('are told of %s', (_, rows, expected) => {
    expect(found(...rows)).toEqual(expected);
  });

  test('tell where a mapping begins that is unmapped elsewhere, and whose it is', () => {
    const [elsewhere] = words(MAP, 'eth,unmap_page,1,,700,2,0x0,0xfffff300');
    expect(elsewhere).toBe('unmap_page of 700 bytes at 0xfffff300: 1 begins at 0xfffff000');
    const [others] = words('disk,map_page,1,0x40300000,4096,2', 'eth,unmap_page,1,,4096,2');
    expect(others).toBe('unmap_page of 4 KiB: 1 is a mapping of disk');
  });
});

describe('a map that failed, and was not checked', () => {
  const FAILED = `${MAP},0x0,error,fail`;

  test.each([
    'eth,dev_write,1,,64,0,0x0,0xfffff000',
    'eth,sync_single_cpu,1,,700,2,0x0,0xfffff000',
    'eth,unmap_page,1,,700,2,0x0,0xfffff000',
  ])('is told at %s', (use) => {
    const [first] = findIn(traceOf([FAILED, use]), 'v7.2');
    expect(first).toMatchObject({ rule: 'unmatched-unmap', line: 10, related: [{ line: 9 }] });
    expect(first.message).toContain('its map failed in line 9, and nobody checked that');
  });

  test('is nobody’s fault where nothing uses it', () => {
    expect(found(FAILED)).toEqual([]);
  });

  test('is not the driver’s fault where the trace does not tell that it failed', () => {
    const rows = ['eth,map_page,1,0x40300200,300000,2', 'eth,sync_single_cpu,1,,700,2'];
    expect(found(...rows, 'eth,unmap_page,1,,300000,2')).toEqual(['pool-full@9']);
  });

  test('is not the driver’s fault where only the model fails', () => {
    // 300 KiB never fit a pool; the trace says that they did.
    const rows = ['eth,map_page,1,0x40300200,300000,2,0x0,0xfffb0000,0x41000000'];
    const uses = [
      'eth,sync_single_cpu,1,,700,2,0x0,0xfffb0000',
      'eth,unmap_page,1,,300000,2,0x0,0xfffb0000',
    ];
    expect(found(...rows, ...uses)).toEqual(['pool-full@9']);
  });
});

describe('size-mismatch', () => {
  test.each([
    ['an unmap', [MAP, 'eth,unmap_page,1,,600,2'], ['size-mismatch@10']],
    ['entries', [LIST, 'eth,unmap_sg,1,,1,1'], ['size-mismatch@10']],
    ['memory', ['eth,alloc,1,,4096,0', 'eth,free,1,,4000,0'], ['size-mismatch@10']],
    ['a sync beyond', [MAP, 'eth,sync_single_cpu,1,,701,2', UNMAP], ['size-mismatch@10']],
  ])('is told of %s', (_, rows, expected) => {
    expect(found(...rows)).toEqual(expected);
  });

  test('gives both sizes', () => {
    expect(words(LIST, 'eth,unmap_sg,1,,1,1')).toEqual([
      'unmap_sg of 1 entry, against map_sg of 2 entries',
    ]);
  });
});

describe('dir-mismatch', () => {
  test.each([
    ['an unmap', [MAP, 'eth,unmap_page,1,,700,0'], ['dir-mismatch@10']],
    ['a list', [LIST, 'eth,unmap_sg,1,,2,2'], ['dir-mismatch@10']],
    ['a sync', [MAP, 'eth,sync_single_dev,1,,700,1', UNMAP], ['dir-mismatch@10']],
  ])('is told of %s', (_, rows, expected) => {
    expect(found(...rows)).toEqual(expected);
  });

  test('gives both directions', () => {
    expect(words(MAP, 'eth,unmap_page,1,,700,0')).toEqual([
      'unmap_page of 700 bytes bidirectional, which was mapped from the device',
    ]);
  });
});

describe('leak', () => {
  test('is told once a device, the one with the oldest first', () => {
    const rows = [MAP, 'nvme,map_page,2,0x40500000,4096,1', 'eth,map_page,3,0x40600000,4096,1'];
    const leaks = findIn(traceOf(rows), 'v7.2');
    expect(leaks.map(({ device, line }) => `${device}@${line}`)).toEqual(['eth@9', 'nvme@10']);
    expect(leaks[0].message).toMatch(/^2 mappings still live .* \(8 KiB of device addresses/);
  });
});

test('ids above 32 bits and unknown ones are as good as any', () => {
  const rows = [
    'eth,map_page,9007199254740991,0x40300200,700,2',
    'eth,unmap_page,9007199254740991,,700,2',
  ];
  expect(short(findIn(traceOf(rows, headerOf()), 'v5.16'))).toEqual([]);
});
