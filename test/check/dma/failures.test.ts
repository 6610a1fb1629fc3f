import { describe, expect, test } from 'vitest';
import type { Finding } from '../../../src/check/finding.js';
import { createIovaCheck } from '../../../src/check/iova.js';
import { findIommuRelease } from '../../../src/kernel/iommuSelect.js';
import { createIovaSession } from '../../../src/replay/iova/session.js';
import { findIn, headerOf, traceOf } from '../../support/dmaChecks.js';
import { readIovaTrace } from '../../support/iommuVectors.js';

const inShort = (found: readonly Finding[]): string[] =>
  found
    .filter(({ level }) => level === 'error')
    .map(({ rule, line, message }) => `${rule}@${line} ${message}`);

/** Errors in rows of eth, which bounces and has no masks; the first row is in line 9. */
const errors = (rows: readonly string[], header = headerOf(), release = 'v7.2'): string[] =>
  inShort(findIn(traceOf(rows, header), release));

describe('pool-full', () => {
  test('names the cause that the pool proves', () => {
    const small = headerOf({ nslabs: 4 });
    const map = 'eth,map_page,1,0x40300200,4000,1';
    expect(errors([map, 'eth,map_page,2,0x40400200,9000,1'], small)).toEqual([
      'pool-full@10 map_page of 9000 bytes failed to bounce 9000 bytes: exhausted: it needs 6 slots, and 2 of 4 are free',
    ]);
    expect(errors(['eth,map_page,1,0x40300200,270000,1'])[0]).toContain(
      ': too-large: 270336 bytes',
    );
  });

  test('looks at the pool before the entries of the list that fitted are unmapped', () => {
    const list = 'eth,map_sg,1,0x40300200+4000;0x40400200+4000;0x40500200+100,3,1';
    expect(errors([list], headerOf({ nslabs: 4 }))).toEqual([
      'pool-full@9 map_sg of 3 entries failed to bounce 100 bytes: exhausted: it needs 2 slots, and 0 of 4 are free',
    ]);
  });

  test('is found where the kernel links piece by piece', () => {
    const rows = [
      'eth,map_page,1,0x40300200,4000,1',
      'nvme,iova_alloc,2,0x40300200,8192,1',
      'nvme,iova_link,2,0x40300200,8192,1',
    ];
    expect(errors(rows, headerOf({ nslabs: 2 }))[0]).toMatch(
      /^pool-full@11 iova_link of 8 KiB failed to bounce 3584 bytes: exhausted/,
    );
  });

  test('is nothing that a trusted device knows', () => {
    expect(errors(['disk,map_page,1,0x40300200,270000,1'])).toEqual([]);
  });
});

test('endless-search is told with the stride that misses its start', () => {
  const map = (id: number): string => `eth,map_page,${id},0x40300000,3000,1`;
  const numbers = Array.from({ length: 64 }, (_, n) => n);
  const odd = numbers.filter((n) => n % 2 === 1);
  // Every second pair of slots is free; the last map moves the index off 0, to which the walk comes back.
  const rows = [
    ...numbers.map(map),
    ...odd.map((n) => `eth,unmap_page,${n},,3000,1`),
    map(64),
    'nvme,map_page,65,0x40700800,7000,1',
  ];
  const header = headerOf({ nslabs: 128 });
  expect(errors(rows, header, 'v5.16')).toEqual([
    'endless-search@106 map_page of 7000 bytes never returns in v5.16: no slot fits, and with stride 4 the search does not come back to its start',
  ]);
  expect(errors(rows, header, 'v6.8')[0]).toMatch(/^pool-full@106 .*: fragmented: /);
});

describe('map-failed', () => {
  test('is told of devices that nothing can be mapped for', () => {
    const wide = headerOf({ mask: '0x1fff' });
    expect(errors(['nvme,map_page,1,0x40300000,4096,1'], wide)).toEqual([
      'map-failed@9 map_page of 4 KiB failed: v7.2 refuses min_align_mask 0x1fff, wider than a granule of 4 KiB',
    ]);
    expect(errors(['nvme,map_page,1,0x40300000,4096,1'], wide, 'v6.8')).toEqual([]);
  });

  test('is told of bounce buffers that cannot be linked', () => {
    const rows = ['eth,iova_alloc,1,0x40300200,4096,1', 'eth,iova_link,1,0x40300200,512,1'];
    expect(errors(rows)).toEqual([
      'map-failed@10 iova_link of 512 bytes failed: the bounce buffer does not keep its offset in a granule of 4 KiB, as min_align_mask 0xfff would make it, and cannot be linked',
    ]);
  });

  test('tells of memory that the trace does not have', () => {
    const alloc = 'eth,alloc,1,,8388608,0';
    expect(errors([alloc, 'eth,alloc,2,,4096,0'])).toEqual([
      'map-failed@10 alloc of 4 KiB failed: the memory that the trace declares has no 4 KiB left for it',
    ]);
  });

  test('tells why there are no device addresses', () => {
    const narrow = headerOf().map((line) =>
      line.replace(/dma_mask=0xffffffff untrusted=0/, 'dma_mask=0xffff untrusted=0'),
    );
    const map = (id: number, size: number): string => `disk,map_page,${id},0x40300000,${size},1`;
    expect(errors([map(1, 65536)], narrow)).toEqual([
      'map-failed@9 map_page of 64 KiB found no device addresses: too-large: it needs 16 granules, and the device reaches 15',
    ]);
    expect(errors([map(1, 32768), map(2, 16384), map(3, 16384)], narrow)).toEqual([
      'map-failed@11 map_page of 16 KiB found no device addresses: exhausted: it needs 4 granules, and 3 of 15 are free',
    ]);
    const list = 'disk,map_sg,1,0x40300000+40960;0x40400000+40960,2,1';
    expect(errors([list], narrow)[0]).toContain(
      'map_sg of 2 entries found no device addresses: too-large',
    );
    expect(errors(['disk,iova_alloc,1,0x40300000,81920,1'], narrow)[0]).toContain(': too-large');
  });
});

describe('map-failed of an IOVA trace', () => {
  /** Errors in rows of `op,id,size,limit,flags`; the first row is in line 5. */
  function errorsOf(rows: readonly string[]): string[] {
    const lines = [
      '#iova-trace 1',
      '#kernel version=v7.2 page_size=4096 cpus=1 hz=1000',
      '#domain name=gpu granule=4096 start_pfn=1 lazy=0 pci=0 forcedac=0 aperture_end=0x0 bus_dma_limit=0x0',
      'time,cpu,dom,op,id,size,limit,flags,iova',
      ...rows.map((row) => `0.001,0,gpu,${row},0x1`),
    ];
    const trace = readIovaTrace(lines);
    const session = createIovaSession(trace, findIommuRelease('v7.2') as never);
    const found: Finding[] = [];
    session.observers.push(createIovaCheck((finding) => found.push(finding), trace.domains));
    for (const row of trace.rows) session.run(row);
    return inShort(found);
  }

  test('names each cause', () => {
    expect(errorsOf(['alloc,1,40,0xf,0'])[0]).toContain(
      ': too-large: it needs 40 granules, and the device reaches 15',
    );
    const halves = ['alloc,1,5,0xf,0', 'alloc,2,5,0xf,0', 'alloc,3,5,0xf,0', 'free,2,5,0x0,0'];
    expect(errorsOf([...halves, 'alloc,4,6,0xf,0'])).toEqual([
      'map-failed@9 alloc of 6 granules failed: exhausted: it needs 6 granules, and 5 of 15 are free',
    ]);
    const ends = [
      'alloc,1,5,0xf,0',
      'alloc,2,5,0xf,0',
      'alloc,3,5,0xf,0',
      'free,1,5,0x0,0',
      'free,3,5,0x0,0',
    ];
    expect(errorsOf([...ends, 'alloc,4,7,0xf,0'])[0]).toContain(
      'fragmented: it needs 7 granules in a row; 10 are free, but the longest gap is 5',
    );
    expect(errorsOf([...halves, 'alloc,4,5,0xf,1'])[0]).toContain(
      'alignment: it needs 5 granules from a multiple of 8 on, and no gap holds that (the longest: 5)',
    );
  });

  test('tells a gap that the search does not come to', () => {
    // A size that failed once is not tried again below 4 GiB, whatever the limit.
    const remembered = ['alloc,1,5,0xf,0', 'alloc,2,6,0x5,0', 'alloc,3,7,0xffff,0'];
    expect(errorsOf(remembered).at(-1)).toMatch(
      /^map-failed@7 .* not-searched: 7 granules from 0x\w+ on are free, but 6 granules did not fit before/,
    );
  });

  test('leaves the first of two tries alone', () => {
    expect(errorsOf(['alloc_fast,1,40,0xf,0'])).toEqual([]);
    expect(errorsOf(['alloc_fast,1,40,0xf,1'])).toHaveLength(1);
    expect(errorsOf(['dma_alloc,1,163840,0xffff,0'])).toHaveLength(1);
  });
});
