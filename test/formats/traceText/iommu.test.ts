import { describe, expect, test } from 'vitest';
import type { IommuRecord } from '../../../src/events/iommuRecords.js';
import { read, userErrorOf } from '../../support/reading.js';
import {
  file,
  line,
  type Place,
  probe,
  recordLine,
  SHAPES,
  stock,
} from '../../support/traceText.js';

/* Shapes of the recorded IOMMU runs and of logs 62, 63 and 68, with other names and numbers. */
const map = (iova: string, size: number, paddr = '0x3000'): ReturnType<typeof stock> =>
  stock('iommu', 'map', `IOMMU: iova=${iova} - 0x0 paddr=${paddr} size=${size}`);
const unmap = (iova: string, size: number, unmapped = size): ReturnType<typeof stock> =>
  stock('iommu', 'unmap', `IOMMU: iova=${iova} - 0x0 size=${size} unmapped_size=${unmapped}`);
const named = (event: string, text: string): ReturnType<typeof stock> => stock('swl', event, text);

const DEVICE = '0000:0c:00.0';

async function recordsOf(...lines: string[]) {
  const records: IommuRecord[] = [];
  const { info } = await read(file('# tracer: nop', ...lines), {
    onIommu: (one) => records.push(one),
  });
  return { records, info };
}

/** The records without where and when they were made. */
const bare = (records: IommuRecord[]) =>
  records.map(({ line: _line, time: _time, task: _task, ...rest }) => rest);

const said = async (...bodies: ReturnType<typeof stock>[]) =>
  bare((await recordsOf(...bodies.map((body) => line(body)))).records);

const pages = (first: number, last = first) => ({ first, last });

describe('records of an IOMMU', () => {
  test.each(SHAPES.filter((shape) => shape !== 'trace-cmd -R'))(
    'are read from %s',
    async (shape) => {
      const { records, info } = await recordsOf(
        recordLine(shape, map('0xffffe000', 8192), { seconds: 6, pid: 31 }),
      );
      expect(records).toEqual([
        { kind: 'map', pages: pages(0xffffe, 0xfffff), phys: 0x3000, line: 2, time: 6, task: 31 },
      ]);
      expect(info.otherLines).toBe(1);
    },
  );

  test('are read as kernels before v5.19 print them', async () => {
    const records = await said(
      stock('iommu', 'map', 'IOMMU: iova=0x0000000000005000 paddr=0x0000000001000000 size=4096'),
      stock('iommu', 'unmap', 'IOMMU: iova=0x0000000000005000 size=4096 unmapped_size=0'),
    );
    expect(records).toEqual([
      { kind: 'map', pages: pages(5), phys: 0x1000000 },
      { kind: 'unmap', pages: pages(5), unmapped: 0 },
    ]);
  });

  test('have addresses of 64 bits', async () => {
    const fault = 'IOMMU:qat_4xxx 0000:0c:00.0 iova=0xfffffffffffff7ff flags=0x0050';
    expect(
      await said(map('0xfffffffffffff000', 4096), stock('iommu', 'io_page_fault', fault)),
    ).toEqual([
      { kind: 'map', pages: pages(2 ** 52 - 1), phys: 0x3000 },
      {
        kind: 'fault',
        driver: 'qat_4xxx',
        device: DEVICE,
        address: { page: 2 ** 52 - 1, low: 0x7ff },
        flags: 0x50,
      },
    ]);
  });

  test('tell when a device gets another page table', async () => {
    const records = await said(
      map('0x1000', 4096),
      stock('iommu', 'attach_device_to_domain', `IOMMU: device=${DEVICE}`),
    );
    expect(records[1]).toEqual({ kind: 'attach', device: DEVICE });
  });

  test('are joined where a mailer wrapped them', async () => {
    const { records, info } = await recordsOf(
      line(named('map', 'IOMMU: iova=0x00000000fd100000 -')),
      '0x00000000fd180000 paddr=0x0000000104c80000 size=524288',
      line(named('dma_alloc', DEVICE)),
      'dma_addr=fd100000 size=524288 virt_addr=000000001c4dbc01 flags=GFP_KERNEL attrs=',
      line(named('io_page_fault', 'IOMMU:ath12k_pci')),
      `${DEVICE} iova=0x00000000fd100000 flags=0x0001`,
    );
    expect(records.map(({ kind, line }) => [kind, line])).toEqual([
      ['map', 2],
      ['mapped', 4],
      ['fault', 6],
    ]);
    expect([info.joinedLines, info.problems.count]).toEqual([3, 0]);
  });

  test('that cannot be read are counted', async () => {
    const { records, info } = await recordsOf(
      line(map('0x1000', 4096)),
      line(map('0x1800', 4096)),
      line(map('0x2000', 4095)),
      line(map('0x1ffffffffffffffff', 4096)),
      line(unmap('0xfffffffffffff000', 8192)),
      line(named('io_page_fault', 'IOMMU:x iova=')),
      'something else',
    );
    expect(records).toHaveLength(1);
    expect(info.problems.first.map(({ line, message }) => `${line}: ${message}`)).toEqual([
      '3: the map of an IOMMU cannot be read',
      '4: the map of an IOMMU cannot be read',
      '5: the map of an IOMMU cannot be read',
      '6: the unmap of an IOMMU cannot be read',
      '7: the io_page_fault of an IOMMU cannot be read',
    ]);
    expect(info.joinedLines).toBe(0);
  });

  test('that nobody wants are no reason to go on', async () => {
    const text = file(line(map('0x1000', 4096)));
    expect(await userErrorOf(() => read(text))).toContain('1 iommu records');
  });
});

describe('the device of a record is named', () => {
  test('by the probes of dma-iommu and of the IOVA allocator around it', async () => {
    const records = await said(
      probe('dma_map', DEVICE, { size: 48 }),
      named(
        'iova_alloc',
        '(alloc_iova_fast+0x5/0x280) iovad=0xff01 size=2 limit_pfn=0xfffff flush=0 granule=16384',
      ),
      named('iova_alloc_ret', '(alloc_iova_fast+0x207/0x280) pfn=0x40'),
      map('0x100000', 16384),
      named(
        'dma_unmap',
        `(iommu_dma_unmap_page+0x5/0x90) dev="${DEVICE}" dma_addr=0x100bc0 size=48`,
      ),
    );
    expect(records).toEqual([
      { kind: 'mapping', device: DEVICE, pages: pages(0x100, 0x107) },
      { kind: 'map', pages: pages(0x100, 0x103), phys: 0x3000 },
      { kind: 'unmapping', device: DEVICE, pages: pages(0x100) },
    ]);
  });

  test('but not where the call of an interrupt stands between', async () => {
    const alloc = (domain: string) => [
      named('iova_alloc', `(alloc_iova_fast+0x5/0x280) iovad=${domain} size=1 limit_pfn=0xfffff`),
      named('iova_alloc_ret', '(alloc_iova_fast+0x207/0x280) pfn=0x40'),
    ];
    const records = await said(
      probe('dma_map', 'sata'),
      ...alloc('0xff01'),
      probe('dma_map', 'nic'),
      ...alloc('0xff02'),
      probe('dma_map', 'sata'),
      probe('dma_map', 'nic'),
      ...alloc('0xff02'),
      ...alloc('0xff01'),
      map('0x40000', 4096),
    );
    const devices = records.map((one) => (one.kind === 'mapping' ? one.device : one.kind));
    expect(devices).toEqual(['sata', 'nic', 'nic', 'map']);
  });

  test('by the probes of swiotlb', async () => {
    const records = await said(
      map('0x1000', 4096),
      probe('map', DEVICE, { orig_addr: 0x7000, size: 48 }),
      probe('map_ret', '', { ret: 0x80002000 }),
      map('0x2000', 4096, '0x80002000'),
      unmap('0x2000', 4096),
      probe('unmap', DEVICE, { tlb_addr: 0x80002000, size: 48 }),
    );
    expect(records.filter(({ kind }) => kind === 'bounce' || kind === 'release')).toEqual([
      { kind: 'bounce', device: DEVICE, slot: 0x80002000, size: 48 },
      { kind: 'release', device: DEVICE, slot: 0x80002000 },
    ]);
  });

  test('by the stock events dma:*', async () => {
    const records = await said(
      map('0x1000', 4096),
      named(
        'dma_map_page',
        `${DEVICE} dir=TO_DEVICE dma_addr=1080 size=4096 phys_addr=10ec80000 attrs=`,
      ),
      named(
        'dma_map_sg',
        `${DEVICE} dir=FROM_DEVICE dma_addrs={0x3000,0x9010} sizes={0x1000,0x20} phys_addrs={0x1,0x2} attrs=`,
      ),
      named('dma_free', `${DEVICE} dma_addr=5000 size=8192 virt_addr=000000006cadbcb1 attrs=`),
      named('dma_unmap_phys', `${DEVICE} dir=TO_DEVICE dma_addr=1080 size=64 attrs=`),
      named(
        'dma_map_page',
        `${DEVICE} dir=TO_DEVICE dma_addr=ffffffffffffffff size=1 phys_addr=1 attrs=`,
      ),
    );
    expect(records.slice(1)).toEqual([
      { kind: 'mapped', device: DEVICE, pages: pages(1, 2) },
      { kind: 'mapped', device: DEVICE, pages: pages(3) },
      { kind: 'mapped', device: DEVICE, pages: pages(9) },
      { kind: 'unmapping', device: DEVICE, pages: pages(5, 6) },
      { kind: 'unmapped', device: DEVICE, pages: pages(1) },
    ]);
  });

  test('and a probe named as a stock event is not read as one', async () => {
    const place: Partial<Place> = { pid: 5 };
    const { records, info } = await recordsOf(
      line(map('0x1000', 4096), place),
      line(
        named('dma_map_sg', `(iommu_dma_map_sg+0x5/0x400) dev="${DEVICE}" sg=0xff nents=1`),
        place,
      ),
    );
    expect([records.length, info.problems.count]).toEqual([1, 0]);
  });
});
