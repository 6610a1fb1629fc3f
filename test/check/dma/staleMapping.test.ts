import { describe, expect, test } from 'vitest';
import type { Finding } from '../../../src/check/finding.js';
import { findIn, headerOf, short, traceOf } from '../../support/dmaChecks.js';

const of = (rule: string, found: readonly Finding[]): Finding[] =>
  found.filter((finding) => finding.rule === rule);

const MAP = 'nvme,map_page,1,0x402a0a74,9000,1';
const UNMAP = 'nvme,unmap_page,1,,9000,1';

describe('stale-mapping', () => {
  test('says what is left, where it leads, and why', () => {
    const [finding] = of('stale-mapping', findIn(traceOf([MAP, UNMAP]), 'v5.14'));
    expect(finding).toEqual({
      rule: 'stale-mapping',
      level: 'error',
      line: 10,
      device: 'nvme',
      message:
        'unmap_page of 9000 bytes leaves 1 of 4 granules mapped: 0xfffff000-0xffffffff still leads to' +
        ' 0x41003000-0x41003fff; v5.14 maps the size rounded up, on top of the offset in the granule',
      address: 0xfffff000,
      related: [{ line: 9, message: 'mapped here' }],
    });
  });

  test('blames a driver that unmaps less than it mapped', () => {
    const rows = ['disk,map_page,1,0x402a0000,12288,1', 'disk,unmap_page,1,,4096,1'];
    const [finding] = of('stale-mapping', findIn(traceOf(rows), 'v7.2'));
    expect(finding.message).toMatch(
      /^unmap_page of 4 KiB leaves 2 of 3 granules .*; it was mapped with 12 KiB$/,
    );
  });

  test('is told of a list whose map fails, of what its first entries leave', () => {
    // The second entry is larger than any bounce buffer.
    const rows = ['nvme,map_sg,1,0x402a0a74+9000;0x40400001+300000,2,1'];
    const [finding] = of('stale-mapping', findIn(traceOf(rows), 'v5.14'));
    expect(finding.message).toMatch(
      /^map_sg of 2 entries leaves 1 of 4 granules .*, after it failed$/,
    );
    expect(of('stale-mapping', findIn(traceOf(rows), 'v5.14+s1-5'))).toEqual([]);
  });

  test('is told of an access to what is left, not of one that reaches nothing', () => {
    const into = (address: string): string[] =>
      short(findIn(traceOf([MAP, UNMAP, `nvme,dev_read,1,,64,0,0x0,${address}`]), 'v5.14')).filter(
        (one) => one.startsWith('stale'),
      );
    expect(into('0xfffffff0')).toEqual(['stale-mapping@10', 'stale-mapping@11']);
    expect(into('0xffffd000')).toEqual(['stale-mapping@10']);
  });

  test('is over where another unmap takes the rest, and a map comes there', () => {
    const rows = [
      'disk,map_page,1,0x402a0000,12288,1',
      'disk,unmap_page,1,,4096,1,0x0,0xffffc000',
      'disk,unmap_page,1,,8192,1,0x0,0xffffd000',
      'disk,map_page,2,0x40300000,8192,1,0x0,0xffffd000,0x40300000',
      'disk,dev_read,2,,64,0,0x0,0xffffd000',
    ];
    expect(short(of('stale-mapping', findIn(traceOf(rows), 'v7.2')))).toEqual(['stale-mapping@10']);
  });

  test('is not told of a lazy domain before its flush: the page table holds nothing any more', () => {
    const lazy = headerOf().map((line) => line.replace('pci=1', 'pci=1 lazy=1'));
    const rows = ['disk,map_page,1,0x402a0000,12288,1', 'disk,unmap_page,1,,12288,1'];
    expect(short(of('stale-mapping', findIn(traceOf(rows, lazy), 'v7.2')))).toEqual([]);
  });

  test('is told of what a range’s unlink leaves', () => {
    const rows = [
      'disk,iova_alloc,1,0x40300000,16384,1',
      'disk,iova_link,1,0x40300000,8192,1',
      'disk,iova_link,1,0x40302000,8192,1',
      'disk,iova_unlink,1,,8192,1',
    ];
    const [finding] = of('stale-mapping', findIn(traceOf(rows), 'v7.2'));
    expect(finding.message).toMatch(/^iova_unlink of 8 KiB leaves 2 of 4 granules /);
  });
});

describe('iova-collision', () => {
  const AGAIN = 'nvme,map_page,2,0x402a0a74,9000,1';

  test('names the mapping that is in the way', () => {
    const [finding] = of('iova-collision', findIn(traceOf([MAP, UNMAP, AGAIN]), 'v5.14'));
    expect(finding).toMatchObject({ level: 'error', line: 11, address: 0xfffff000 });
    expect(finding.message).toBe(
      'map_page of 9000 bytes fails at 0xffffc000-0xffffffff: 0xfffff000-0xffffffff is still mapped,' +
        ' to 0x41003000, since line 9: line 10 did not unmap it',
    );
    expect(finding.related.map(({ line }) => line)).toEqual([9, 10]);
  });

  test('is told of lists and of coherent memory too', () => {
    const list = 'nvme,map_sg,2,0x402a0a74+9000;0x40400000+4096,2,1';
    expect(short(findIn(traceOf([MAP, UNMAP, list]), 'v5.14'))).toContain('iova-collision@11');
    expect(short(findIn(traceOf([MAP, UNMAP, 'nvme,alloc,2,,16000,0']), 'v5.14'))).toContain(
      'iova-collision@11',
    );
  });
});
