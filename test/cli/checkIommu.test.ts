import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ExpectedCase } from '../../src/corpus/expectation.js';
import { PROJECT, swiotlbReplay } from '../support/cli.js';
import { headerOf } from '../support/dmaChecks.js';

const EXPECT = 'trace.csv.expect.json';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'check-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

const check = (...args: string[]) => swiotlbReplay(['check', folder, ...args]);

function put(name: string, text: string): void {
  writeFileSync(join(folder, name), text);
}

function putCases(cases: unknown[]): void {
  put(EXPECT, JSON.stringify({ schema: 'swiotlb-replay/expect@1', cases }));
}

/** The cases that an update writes. */
function updated(...args: string[]): ExpectedCase[] {
  expect(check('--update', ...args)).toMatchObject({ status: 0, stderr: '' });
  return JSON.parse(readFileSync(join(folder, EXPECT), 'utf8')).cases;
}

/** A dma-iommu trace of rows `op,id,phys,size,dir,attrs,dma,result` of nvme; the first is in line 9. */
function dmaTrace(rows: readonly string[], header = headerOf()): string {
  const lines = rows.map((row, n) => {
    const fields = [...row.split(','), '', '', '', ''].slice(0, 8).join(',');
    return `0.${String(n).padStart(3, '0')},0,nvme,${fields},,,,,,,,`;
  });
  return [...header, ...lines, ''].join('\n');
}

/** An iova trace of rows `op,id,size,limit,flags,iova`; the first is in line 5. */
function iovaTrace(rows: readonly string[]): string {
  return [
    '#iova-trace 1',
    '#kernel version=v6.8 page_size=4096 cpus=1 hz=1000',
    '#domain name=gpu granule=4096 start_pfn=1 lazy=0 pci=1 forcedac=0 aperture_end=0x0 bus_dma_limit=0x0',
    'time,cpu,dom,op,id,size,limit,flags,iova',
    ...rows.map((row) => `0.001,0,gpu,${row}`),
    '',
  ].join('\n');
}

describe('expectations of a dma-iommu trace', () => {
  test('hold device addresses, bounce buffers and why there are none', () => {
    const entries = Array.from({ length: 9 }, (_, n) => `0x4030${n}000+4096`).join(';');
    put(
      'trace.csv',
      dmaTrace([
        'map_page,1,0x40300200,700,1,0x0,0xfffff000,0x41000000',
        'map_page,2,0x40400000,4096,1,0x0,0xffffe000,0x40400000',
        'map_sg,3,0x40500100+300;0x40501000+4096,2,1',
        `map_sg,4,${entries},9,1`,
        'map_page,5,0x40600200,300000,1',
        'alloc,6,,8192,0',
        'iova_alloc,7,0x40700000,4096,1',
        'iova_link,7,0x40700000,4096,1',
      ]),
    );
    const [{ kernel, addresses, findings }] = updated();
    expect(kernel).toBe('v7.2');
    expect(addresses?.map(({ line, address }) => `${line} ${address}`)).toEqual([
      '9 0xfffff200 via 0x41000200',
      '10 0xffffe000',
      '11 0xffffd100+300 via 0x41001100;0xffffc000+4096',
      expect.stringMatching(/^12 9 segments [0-9a-f]{32}$/),
      '13 failed: too-large',
      expect.stringMatching(/^14 0x[0-9a-f]+$/),
      expect.stringMatching(/^15 0x[0-9a-f]+$/),
      expect.stringMatching(/^16 0x[0-9a-f]+$/),
    ]);
    expect(findings).toEqual([
      { rule: 'pool-full', line: 13 },
      { rule: 'leak', line: 9 },
    ]);
    expect(check().stdout).toBe('1 of 1 case as expected\n');
  });

  test('tell where a bounce buffer has moved, though its device address has not', () => {
    const rows = [
      'map_page,1,0x40300200,700,1',
      'unmap_page,1,,700,1',
      'map_page,2,0x40300200,700,1',
    ];
    put('trace.csv', dmaTrace(rows));
    updated('--kernel', 'v5.16');
    put('trace.csv', dmaTrace(rows, headerOf({ nslabs: 4 })));
    const { status, stdout } = check();
    expect(status).toBe(1);
    expect(stdout.replace(/\s+/g, ' ')).toMatch(
      /line 11: address: expected 0xfffff200 via 0x4100\w+, actual 0xfffff200 via 0x41000200/,
    );
  });

  test('take --iommu and --device, and bounds on what only such traces have', () => {
    put('trace.csv', dmaTrace(['map_page,1,0x40300200,700,1', 'unmap_page,1,,700,1']));
    putCases([
      { kernel: 'v7.2', bounds: ['bytesCopied == 700', 'beyondNeed == 3396', 'usedHiwater == 2'] },
      {
        kernel: 'v7.2',
        options: { devices: ['nv*:untrusted=0'], iommu: ['start_pfn=16', 'aperture_end=0x1ffff'] },
        bounds: ['bytesCopied == 0', 'granulesHiwater == 1', 'kernelWarnings < 1'],
        addresses: [{ line: 9, address: '0x1f200' }],
      },
    ]);
    expect(check()).toMatchObject({ status: 0, stdout: '2 of 2 cases as expected\n' });
  });

  test('say so where a bound is about something else', () => {
    put('trace.csv', dmaTrace(['map_page,1,0x40300000,4096,1', 'unmap_page,1,,4096,1']));
    putCases([{ kernel: 'v7.2', bounds: ['slotsSearched <= 5', 'failed < 1'] }]);
    const { status, stdout } = check();
    expect(status).toBe(1);
    expect(stdout).toContain('slotsSearched is no number of such a trace');
    expect(stdout).not.toContain('failed <');
  });

  test('have digests where there are many', () => {
    const pairs = Array.from({ length: 300 }, (_, n) => [
      `map_page,${n},0x40300200,700,1`,
      `unmap_page,${n},,700,1`,
    ]);
    put('trace.csv', dmaTrace(pairs.flat()));
    const [{ addresses, addressBlocks }] = updated();
    expect(addresses).toBeUndefined();
    expect(addressBlocks).toMatchObject([{ line: 9, count: 300 }]);
    expect(check().status).toBe(0);
  });

  test('need a kernel that is known', () => {
    put('trace.csv', dmaTrace(['map_page,1,0x40300000,4096,1']));
    putCases([{ kernel: 'v99' }]);
    const { status, stdout } = check();
    expect(status).toBe(2);
    expect(stdout.replace(/\s+/g, ' ')).toContain(
      'unknown kernel v99: the nearest whose IOMMU code',
    );
  });
});

describe('expectations of an iova trace', () => {
  test('hold granules, and failures of both tries', () => {
    put(
      'trace.csv',
      iovaTrace([
        'dma_alloc,1,8192,0xffffffff,0,0xffffe',
        'alloc_fast,2,8,0x3,0,fail',
        'alloc_fast,3,8,0x3,1,fail',
        'dma_free,1,8192,0x0,0,0xffffe',
      ]),
    );
    const [{ kernel, addresses, findings }] = updated();
    expect(kernel).toBe('v6.8');
    expect(addresses).toEqual([
      { line: 5, address: '0xffffe' },
      { line: 6, address: 'failed: no-address' },
      { line: 7, address: 'failed: too-large' },
    ]);
    expect(findings).toEqual([{ rule: 'map-failed', line: 7 }]);
    expect(check().status).toBe(0);
  });
});

describe('a kernel that stands in', () => {
  const stories = ['traces/iommu-lost-sync', 'traces/iommu-large-granules'];

  test('is held against the newest that is expected of each trace', () => {
    expect(swiotlbReplay(['check', ...stories, '--kernel', 'v7.2'])).toMatchObject({
      status: 0,
      stdout: '2 of 2 cases as expected\n',
    });
    const { status, stdout } = swiotlbReplay(['check', stories[0], '--kernel', 'v5.14']);
    expect(status).toBe(1);
    expect(stdout).toContain('v5.14 held against v5.16');
    expect(stdout).toContain('line 9: lost-sync: expected none');
  });

  test('may be one that only IOMMU traces know', () => {
    const { stdout } = swiotlbReplay(['check', stories[0], '--kernel', 'v5.14+s1', '--exact']);
    expect(stdout).toContain('line 12: double-copy: expected none');
    expect(swiotlbReplay(['check', stories[0], '--kernel', 'v99']).status).toBe(2);
  });
});

test('options of IOMMU traces are refused for others', () => {
  cpSync(join(PROJECT, 'traces/page-bits/trace.csv'), join(folder, 'trace.csv'));
  putCases([{ kernel: 'v6.9', options: { iommu: ['lazy=1'] } }]);
  const { status, stdout } = check();
  expect(status).toBe(2);
  expect(stdout).toContain('--iommu is for IOMMU traces');
});
