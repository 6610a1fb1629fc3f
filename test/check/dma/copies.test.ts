import { describe, expect, test } from 'vitest';
import { findIn, traceOf } from '../../support/dmaChecks.js';

const words = (release: string, ...rows: string[]): string[] =>
  findIn(traceOf(rows), release)
    .filter(({ rule }) => rule === 'lost-sync' || rule === 'double-copy')
    .map(({ rule, line, message }) => `${rule}@${line} ${message}`);

describe('lost-sync', () => {
  const LIST = 'eth,map_sg,1,0x40300200+700;0x40400000+4096,2,2';

  test('counts the bounced entries of a list, and says why', () => {
    expect(words('v5.14', LIST, 'eth,sync_sg_cpu,1,,2,2')).toEqual([
      'lost-sync@10 sync_sg_cpu of 2 entries at 0xfffff000 copies nothing from 1 of 1 bounce buffer:' +
        ' v5.14 looks for it at the original address',
    ]);
  });

  test.each([
    ['in another direction', ['eth,map_sg,1,0x40300200+700,1,1', 'eth,sync_sg_cpu,1,,1,1']],
    ['of what is not bounced', ['eth,map_sg,1,0x40400000+4096,1,2', 'eth,sync_sg_cpu,1,,1,2']],
    ['of a trusted device', ['disk,map_sg,1,0x40300200+700,1,2', 'disk,sync_sg_cpu,1,,1,2']],
    ['beyond the mapping', ['eth,map_page,1,0x40300200,700,2', 'eth,sync_single_cpu,1,,9000,2']],
  ])('is not told of a sync %s', (_, rows) => {
    expect(words('v5.14', ...rows)).toEqual([]);
  });

  test('is told where a later slot is below the offset of the first', () => {
    // The third slot of a buffer that keeps the offset 0x7ff in the first.
    const rows = [
      'nvme,map_page,1,0x403007ff,6000,2',
      'nvme,sync_single_cpu,1,,10,2,0x0,0xffffefcf',
    ];
    const at = (release: string, address: string): string[] =>
      words(
        release,
        rows[0].concat(`,0x0,${address}7ff,0x410007ff`),
        rows[1].replace('0xffffefcf', `${address}fcf`),
      );
    expect(at('v5.14', '0xffffe')).toEqual([
      expect.stringMatching(
        /^lost-sync@10 .* from the bounce buffer: the copy goes to an address 4 GiB off$/,
      ),
    ]);
    expect(at('v6.8', '0xffffe')).toEqual([
      expect.stringMatching(/^lost-sync@10 .* the kernel warns, and refuses it$/),
    ]);
    expect(at('v6.10', '0xffffe')).toEqual([]);
  });
});

describe('double-copy', () => {
  test('says how often, and how much', () => {
    const rows = ['eth,map_page,1,0x40300200,700,2', 'eth,unmap_page,1,,700,2'];
    expect(words('v5.14', ...rows)).toEqual([
      'double-copy@10 unmap_page of 700 bytes copies 1400 bytes in 2 copies for 1 bounce buffer: the same bytes more than once',
    ]);
    expect(words('v5.14', ...rows.map((row) => row.replace(/,2$/, ',1')))).toEqual([]);
  });

  test('is told of lists between the first patch and the third', () => {
    const rows = ['eth,map_sg,1,0x40300200+700;0x40400200+300,2,2', 'eth,unmap_sg,1,,2,2'];
    expect(words('v5.14', ...rows)).toEqual([]);
    expect(words('v5.14+s1', ...rows)).toEqual([
      expect.stringContaining('copies 2000 bytes in 4 copies for 2 bounce buffers'),
    ]);
    expect(words('v5.14+s1-3', ...rows)).toEqual([]);
  });
});
