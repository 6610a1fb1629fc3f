import { describe, expect, test } from 'vitest';
import type { Finding } from '../../../src/check/finding.js';
import { findIn, headerOf, short, traceOf } from '../../support/dmaChecks.js';

const of = (rule: string, found: readonly Finding[]): Finding[] =>
  found.filter((finding) => finding.rule === rule);

/** Granules of 16 KiB, in which up to eight buffers begin. */
const WIDE = headerOf({ pageSize: 65536, granule: 16384, mask: '0x7ff' });

const NVME = 'nvme,map_page,1,0x40300700,1500,0';
const NEXT = 'eth,map_page,2,0x40400100,2000,1';

describe('granule-exposure', () => {
  test('says which slots a buffer has, and what its granules lead to', () => {
    const [own, next] = of('granule-exposure', findIn(traceOf([NVME, NEXT], WIDE), 'v5.14'));
    expect(own).toMatchObject({ line: 9, level: 'warning', device: 'nvme' });
    expect(own.message).toBe(
      'map_page of 1500 bytes has slots 0-8 of the pool, but its granules lead to' +
        ' 0x41000000-0x41007fff: 14 KiB behind it',
    );
    expect(next.message).toBe(
      'map_page of 2000 bytes has slots 9-16 of the pool, but its granules lead to' +
        ' 0x41004000-0x4100bfff: 2 KiB in front of it and 14 KiB behind it',
    );
    expect(next.related).toEqual([{ line: 9, message: 'live buffer of nvme in slots 0-8' }]);
  });

  test('is told once for a list', () => {
    const list = 'eth,map_sg,2,0x40400100+2000;0x40500100+2000,2,1';
    const exposed = of('granule-exposure', findIn(traceOf([NVME, list], WIDE), 'v5.14'));
    expect(exposed).toHaveLength(2);
    expect(exposed[1].message).toMatch(/; so do 1 more buffer$/);
  });

  test('is not told of what is not bounced', () => {
    const rows = ['eth,map_page,1,0x40400000,16384,1', 'eth,alloc,2,,4096,0'];
    expect(of('granule-exposure', findIn(traceOf(rows, WIDE), 'v5.14'))).toEqual([]);
  });
});

describe('granule-exposure of a trusted device', () => {
  const notes = (...rows: string[]): string[] =>
    of('granule-exposure', findIn(traceOf(rows), 'v7.2')).map(
      ({ level, line, device, message }) => `${level} ${device}@${line} ${message}`,
    );

  test('is one note, with the worst of all mappings', () => {
    expect(
      notes(
        'disk,map_page,1,0x40400000,4096,1',
        'disk,map_page,2,0x40500200,4096,1',
        'disk,map_page,3,0x40600200,100,1',
      ),
    ).toEqual([
      'note disk@10 2 of 3 mappings of this trusted device share granules of 4 KiB with other memory,' +
        ' this one first: up to 4 KiB beside a buffer',
    ]);
  });

  test('is not told of whole granules, and not of coherent memory', () => {
    expect(notes('disk,map_page,1,0x40400000,4096,1', 'disk,alloc,2,,100,0')).toEqual([]);
  });
});

describe('padding-leak', () => {
  const leaks = (release: string, ...rows: string[]): Finding[] =>
    of('padding-leak', findIn(traceOf(rows, WIDE), release));

  test('is told of what others put beside a buffer later, once', () => {
    const rows = [NVME, 'eth,cpu_write,0,0x40400100,2000,0', NEXT, 'eth,sync_single_dev,2,,2000,1'];
    const [leak, ...more] = leaks('v5.14', ...rows);
    expect(leak).toMatchObject({ line: 11, device: 'nvme', related: [{ line: 9 }] });
    expect(leak.message).toBe(
      'map_page for eth lets nvme read 2000 bytes around its buffer that are neither its own nor zero' +
        ' (0x41004800-0x41004fcf), written in line 10, bounced in line 11',
    );
    expect(more).toEqual([]);
  });

  test('is told of what a sync or the other device brings', () => {
    const from = NEXT.replace(/1$/, '2');
    const write = 'eth,dev_write,2,,10,0,0x0,0xffff8000';
    const arrives = (...rows: string[]): string[] => short(leaks('v5.14', ...rows));
    expect(arrives(NVME, from)).toEqual([]);
    // Where the model has put it: the row names no address of a recorded kernel.
    expect(arrives(NVME, from, write.replace('0xffff8000', ''))).toEqual(['padding-leak@11']);
    const both = NEXT.replace(/1$/, '0,0x20');
    expect(arrives(NVME, both, 'eth,sync_single_dev,2,,2000,0')).toEqual(['padding-leak@11']);
  });

  test('is not told of a device that may only write, nor of its own buffers', () => {
    expect(leaks('v5.14', NVME.replace(/0$/, '2'), NEXT)).toEqual([]);
    expect(leaks('v5.14', NVME, NEXT.replace('eth', 'nvme').replace('0100', '0700'))).toEqual([]);
  });

  test('is not told of a neighbour that is gone', () => {
    expect(leaks('v5.14', NVME, 'nvme,unmap_page,1,,1500,0', NEXT)).toEqual([]);
  });

  test('names the lines that the bytes come from', () => {
    // The first search goes round a small pool and begins where the secret was.
    const small = headerOf({ nslabs: 128 });
    const rows = [
      'eth,map_page,1,0x40300000,258000,1',
      'eth,unmap_page,1,,258000,1',
      'nvme,map_page,2,0x40500800,2048,1',
    ];
    const [leak] = of('padding-leak', findIn(traceOf(rows, small), 'v5.16'));
    expect(leak.message).toBe(
      'map_page of 2 KiB lets the device read 2 KiB around its buffer that are neither its own nor zero' +
        ' (0x41000000-0x410007ff), kernel memory from 0x40300000, bounced in line 9',
    );
    expect(leak.related).toEqual([{ line: 9, message: '2 KiB of what leaks come from this line' }]);
  });
});
