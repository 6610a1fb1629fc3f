import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PROJECT, swiotlbReplay } from '../support/cli.js';
import { BASE, file, line, lockedMap, lockedUnmap, probe, stock } from '../support/traceText.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'swiotlb-replay-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function write(...lines: string[]): string {
  const path = join(folder, 'trace.txt');
  writeFileSync(path, file('# tracer: nop', ...lines));
  return path;
}

const map = (iova: string, paddr = '0x5000') =>
  line(stock('iommu', 'map', `IOMMU: iova=${iova} paddr=${paddr} size=4096`));
const unmap = (iova: string, unmapped = 4096) =>
  line(stock('iommu', 'unmap', `IOMMU: iova=${iova} size=4096 unmapped_size=${unmapped}`));
const fault = (device: string, iova: string) =>
  line(stock('iommu', 'io_page_fault', `IOMMU:drv ${device} iova=${iova} flags=0x1`), {
    seconds: 5.25,
  });
const dma = (event: string, device: string, address: string) =>
  line(stock('dma', event, `${device} dma_addr=${address} size=4096 virt_addr=0 attrs=`));

const USE_AFTER_UNMAP = [
  map('0x7000'),
  dma('dma_alloc', 'nic', '7000'),
  dma('dma_free', 'nic', '7000'),
  unmap('0x7000'),
  fault('nic', '0x7abc'),
];

const validate = (name: string, report: unknown) => {
  const schema = JSON.parse(readFileSync(join(PROJECT, `docs/schema/${name}`), 'utf8'));
  const check = new Ajv({ allErrors: true }).compile(schema);
  check(report);
  return check.errors;
};

describe('a trace of an IOMMU’s page tables alone', () => {
  test('is reported in words', () => {
    const { status, stdout, stderr } = swiotlbReplay([write(...USE_AFTER_UNMAP)]);
    expect([status, stderr]).toEqual([1, '']);
    expect(stdout.split('\n')[0]).toMatch(/: 1 error$/);
    expect(stdout.replace(/\s+/g, ' ')).toContain(
      'line 6 nic (drv): iova 0x7abc flags 0x1: use after unmap: unmapped on line 5, 250.0 ms before, mapped on line 2',
    );
  });

  test('is reported in JSON, by the schema', () => {
    const { status, stdout } = swiotlbReplay([
      '--json',
      write(...USE_AFTER_UNMAP, unmap('0x9000', 0)),
    ]);
    const report = JSON.parse(stdout);
    expect(status).toBe(1);
    expect(report.iommu).toMatchObject({
      maps: 1,
      unmaps: 2,
      faults: {
        count: 1,
        first: [{ iova: '0x7abc', was: 'unmapped', seconds: 0.25, certain: true }],
      },
      shortUnmaps: { count: 1, first: [{ iova: '0x9000', size: 4096, unmappedSize: 0 }] },
    });
    expect(validate('iommu-1.json', report)).toBeNull();
  });

  test.each([
    ['a fault', 1, [map('0x1000'), fault('nic', '0xfffffffffffff800')]],
    ['a short unmap', 1, [map('0x1000'), unmap('0x1000', 0)]],
    ['nothing wrong', 0, [map('0x1000'), map('0x1000'), unmap('0x1000')]],
    ['lost records', 3, [map('0x1000'), 'CPU:1 [LOST 5 EVENTS]']],
  ])('with %s ends with %i', (_, status, lines) => {
    expect(swiotlbReplay([write(...lines)]).status).toBe(status);
    const lenient = status === 1 ? 0 : status;
    expect(swiotlbReplay([write(...lines), '--fail-on', 'never']).status).toBe(lenient);
  });

  test('is refused under --strict where a record cannot be read', () => {
    const path = write(map('0x1000'), map('0x1234'));
    expect(swiotlbReplay([path]).stdout).toContain('line 3: the map of an IOMMU cannot be read');
    expect(swiotlbReplay([path, '--strict']).status).toBe(2);
  });

  test('does no harm to a terminal', () => {
    const { stdout } = swiotlbReplay([write(map('0x1000'), fault('\u001b[31m\u202enic', '0x1'))]);
    expect(stdout).toContain('\\x1b[31m\\u202enic');
    expect(stdout).not.toContain('\u001b');
    expect(stdout).not.toContain('\u202e');
  });
});

describe('page tables beside bounce buffers', () => {
  const bounced = [
    map('0x9000'),
    ...lockedMap('nic', 0x1000, 512, BASE).map((body) => line(body)),
    map('0xa000', `0x${BASE.toString(16)}`),
    unmap('0xa000'),
    ...lockedUnmap('nic', BASE, 512).map((body) => line(body)),
  ];

  test('have a section in the report', () => {
    const { status, stdout } = swiotlbReplay([write(...bounced)]);
    expect(status).toBe(0);
    expect(stdout).toContain('2 events: 1 request, 1 release');
    expect(stdout.replace(/\s+/g, ' ')).toContain(
      '1 bounce buffer with 512 bytes of data: 4 KiB were mapped, 3584 bytes of them beyond the data',
    );
  });

  test('are in the report’s JSON, by the schema, and only where there are any', () => {
    const report = JSON.parse(swiotlbReplay(['--json', write(...bounced)]).stdout);
    expect(report.iommu.bounced).toEqual({ maps: 1, bytes: 512, mapped: 4096, beyond: 3584 });
    expect(report.iommu.devices).toEqual([{ device: 'nic', maps: 1, mappedAtEnd: 0 }]);
    expect(validate('report-1.json', report)).toBeNull();
    const without = write(...lockedMap('nic', 0x1000, 512, BASE).map((body) => line(body)));
    expect(JSON.parse(swiotlbReplay(['--json', without]).stdout).iommu).toBeUndefined();
  });

  test('make the exit status 1 where they show an error', () => {
    const path = write(...bounced, fault('nic', '0xa010'), line(probe('unmap_ret', '')));
    expect(swiotlbReplay([path]).status).toBe(1);
  });
});
