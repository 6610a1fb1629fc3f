import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readDmaIommuTrace, readIovaTrace } from '../support/iommuVectors.js';

const IOVA = [
  '#iova-trace 1',
  '#kernel version=v6.8 identical=v6.8,v6.12.107 page_size=4096 cpus=2 hz=1000',
  '#domain name=gpu granule=16384 start_pfn=2 lazy=1 pci=1 forcedac=0 aperture_end=0xffffffffff bus_dma_limit=0x0',
  'time,cpu,dom,op,id,size,limit,flags,iova',
];

const DMA = [
  '#dma-iommu-trace 1',
  '#kernel version=v5.14 page_size=4096 cpus=1',
  '#ram base=0x80000000 size=0x1000000',
  '#pool name=default base=0x80800000 nslabs=512 areas=2',
  '#device name=ssd granule=4096 start_pfn=1 lazy=0 dma_mask=0xffffffffffffffff pci=1 untrusted=1 coherent=0 min_align_mask=0x1ff seg_boundary_mask=0xffffffff max_seg_size=65536',
  'time,cpu,dev,op,id,phys,size,dir,attrs,dma,result,granules,slots,leaked,to_bounce,from_bounce,arch,warn,crc',
];

const iova = (...rows: string[]): ReturnType<typeof readIovaTrace> =>
  readIovaTrace([...IOVA, ...rows]);

const dma = (...rows: string[]): ReturnType<typeof readDmaIommuTrace> =>
  readDmaIommuTrace([...DMA, ...rows]);

/** What a reader says of its first bad line. */
function problemOf({ problems }: { problems: ReturnType<typeof iova>['problems'] }): string {
  const [first] = problems.first;
  return first === undefined ? 'none' : `${first.line}: ${first.message}`;
}

describe('an #iova-trace', () => {
  test('tells its kernel and its domains', () => {
    const { kernel, domains, assumptions } = iova();
    const identical = ['v6.8', 'v6.12.107'];
    expect(kernel).toEqual({ version: 'v6.8', identical, pageSize: 4096, cpus: 2 });
    expect(domains).toEqual([
      {
        name: 'gpu',
        granule: 16384,
        startPfn: 2,
        lazy: true,
        pci: true,
        forcedac: false,
        apertureEnd: 0xffffffffff,
        busDmaLimit: Number.POSITIVE_INFINITY,
        devices: [],
      },
    ]);
    expect(assumptions).toEqual([]);
  });

  test('gives its rows as they stand', () => {
    const { rows, problems } = iova(
      '0.007,1,gpu,dma_alloc,3,49152,0xffffffffffffffff,0,0x3fffc',
      '0.009,0,gpu,alloc,4,9,0xfff,1,fail',
      '1.250250,0,gpu,depot_work,,2,,4,3',
    );
    expect(problems.count).toBe(0);
    expect(rows[0]).toEqual({
      line: 5,
      time: 7,
      cpu: 1,
      domain: 0,
      op: 'dma_alloc',
      id: 3,
      size: 49152,
      limit: Number.POSITIVE_INFINITY,
      flags: 0,
      pfn: 0x3fffc,
      failed: false,
    });
    expect(rows[1]).toMatchObject({ failed: true, pfn: Number.NaN, limit: 0xfff });
    expect(rows[2]).toMatchObject({ time: 1250.25, size: 2, flags: 4, pfn: 3, id: Number.NaN });
  });

  test('may have its columns in another order, and more of them', () => {
    const trace = readIovaTrace([
      ...IOVA.slice(0, 3),
      'iova,flags,limit,size,id,op,dom,cpu,time,comm',
      '0x10,0,0x0,1,0,free,gpu,0,0.001,bash',
    ]);
    expect(trace.rows[0]).toMatchObject({ op: 'free', pfn: 16 });
    expect(trace.assumptions).toEqual([
      { line: 4, message: 'column comm is not known and was not read' },
    ]);
  });

  test.each([
    ['0.007,1,cpu,alloc,3,4,0xfff,0,0x3', '5: dom cpu has no #domain line'],
    ['0.007,2,gpu,alloc,3,4,0xfff,0,0x3', '5: cpu 2 is not below 0x2'],
    ['0.007,1,gpu,grab,3,4,0xfff,0,0x3', '5: op grab is not one of alloc, free'],
    ['7ms,1,gpu,alloc,3,4,0xfff,0,0x3', '5: time 7ms is not in seconds'],
    ['0.007,1,gpu,alloc,3,four,0xfff,0,0x3', '5: size four is not a number'],
    ['0.007,1,gpu,alloc,3,4,0xfff,0', '5: the row has 8 fields, not 9 as the header'],
    ['#domain name=gpu granule=4096 start_pfn=1', '5: name=gpu stands twice'],
    ['#domain name=b granule=8192 start_pfn=1', '5: granule=8192 is none of 4096, 16384, 65536'],
    ['#domain granule=4096 start_pfn=1', '5: has no name='],
    ['#cpus 4', '5: directive is none of #iova-trace, #kernel, #domain'],
    ['#iova-trace 2', '5: version 2 of the format is not known, only 1'],
    ['#kernel version=v6.8 page_size=4096 cpus=0', '5: cpus=0: a kernel runs on one CPU or more'],
    ['#kernel version=v6.8 page_size=512 cpus=1', '5: page_size=512 is none of'],
  ])('says what is wrong with %s', (row, message) => {
    const trace = iova(row);
    expect(problemOf(trace)).toContain(message);
    expect(trace.problems.first[0].text).toBe(row);
    expect(trace.rows).toEqual([]);
  });

  test('passes over comments and blank lines, and says what it does not read', () => {
    const trace = iova('# recorded by hand', '', '#domain name=b granule=4096 start_pfn=1 numa=3');
    expect(trace.problems.count).toBe(0);
    expect(trace.assumptions).toEqual([
      { line: 7, message: 'numa of #domain is not known and was not read' },
    ]);
  });
});

describe.each([
  ['#iova-trace', readIovaTrace, [...IOVA, '0.007,1,gpu,alloc,3,4,0xfff,0,0x3']],
  [
    '#dma-iommu-trace',
    readDmaIommuTrace,
    [
      ...DMA,
      '0.004,0,ssd,map_sg,2,0x80010001+5;0x8+1,2,0,0x0,0xfff1+5,0x1,0,0,0,0:0,0:0,D0x1+2,0,00ff00ff',
    ],
  ],
] as const)('a %s that somebody spoilt', (_, read, lines) => {
  const junk = fc.constantFrom(
    '',
    ',',
    ';',
    '+',
    '#',
    '0x',
    '\u0000',
    '\u001b[31m',
    '=',
    '9'.repeat(40),
  );

  test('never throws, and is a row or a problem', () => {
    const spoil = fc.record({ at: fc.nat(), cut: fc.nat({ max: 9 }), put: junk, line: fc.nat() });
    fc.assert(
      fc.property(fc.array(spoil, { minLength: 1, maxLength: 4 }), (spoils) => {
        const spoilt: string[] = [...lines];
        for (const { at, cut, put, line } of spoils) {
          const text = spoilt[line % spoilt.length];
          const from = at % (text.length + 1);
          spoilt[line % spoilt.length] = text.slice(0, from) + put + text.slice(from + cut);
        }
        const { rows, problems } = read(spoilt);
        expect(rows.length).toBeLessThanOrEqual(2);
        if (rows.length === 0 && spoilt.length === lines.length) {
          const isGone = spoilt
            .slice(-1)
            .every((text) => text.trim() === '' || text.startsWith('#'));
          expect(isGone || problems.count > 0).toBe(true);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('a #dma-iommu-trace', () => {
  test('tells memory, pool and devices', () => {
    const { ram, pools, devices, problems } = dma();
    expect(problems.count).toBe(0);
    expect(ram).toEqual({ phys: 0x80000000, length: 0x1000000 });
    expect(pools).toEqual([{ name: 'default', base: 0x80800000, nslabs: 512, areas: 2 }]);
    expect(devices[0]).toMatchObject({
      name: 'ssd',
      dmaMask: Number.POSITIVE_INFINITY,
      untrusted: true,
      coherent: false,
      segBoundaryMask: 0xffffffff,
    });
  });

  test('gives its rows as they stand', () => {
    const { rows } = dma(
      '0.003,0,ssd,map_sg,1,0x80010000+512;0x80020100+9,2,2,0x20,0xfffffffffffff000+512;0xffffe100+9,2,3,4,5,6:7,8:9,D0x80800000+512;C0x80801000+9,1000,0b00ff10',
      '0.004,0,ssd,map_page,2,0x80010001,5,0,0x0,error,fail,0,0,0,0:0,0:0,,0,',
    );
    expect(rows[0]).toMatchObject({
      phys: [
        { phys: 0x80010000, length: 512 },
        { phys: 0x80020100, length: 9 },
      ],
      dma: [
        { page: 2 ** 52 - 1, low: 0, length: 512 },
        { page: 0xffffe, low: 0x100, length: 9 },
      ],
      attrs: 0x20,
      result: '2',
      toBounce: { copies: 6, bytes: 7 },
      arch: [
        { for: 'device', phys: 0x80800000, length: 512 },
        { for: 'cpu', phys: 0x80801000, length: 9 },
      ],
      warn: 1000,
      crc: 0x0b00ff10,
    });
    expect(rows[1]).toMatchObject({ failed: true, dma: [], result: 'fail', crc: Number.NaN });
  });

  const row = (changes: Record<number, string>): string => {
    const fields = '0.004,0,ssd,map_page,2,0x80010001,5,0,0x0,0xfff1,0x1,0,0,0,0:0,0:0,,0,'.split(
      ',',
    );
    for (const [n, text] of Object.entries(changes)) fields[Number(n)] = text;
    return fields.join(',');
  };

  test.each([
    [{ 2: 'hdd' }, 'dev hdd has no #device line'],
    [{ 5: '0x1ffffffffffffff' }, 'phys 0x1ffffffffffffff is not below'],
    [{ 7: '3' }, 'dir 3 is not below 0x3'],
    [{ 9: '65521' }, 'dma 65521 is not an address in hex'],
    [{ 14: '3' }, 'to_bounce  is not a number'],
    [{ 16: 'X0x1+2' }, 'arch X0x1+2 begins with no D or C'],
    [{ 18: 'abc' }, 'crc abc is not eight hex digits'],
  ])('says what is wrong with %o', (changes, message) => {
    expect(problemOf(dma(row(changes)))).toContain(message);
  });

  test.each([
    ['#pool base=0x1 nslabs=4', 'a second pool is not known'],
    ['#device name=b granule=4096', 'has no seg_boundary_mask='],
    ['#device name=b seg_boundary_mask=0x1234', 'seg_boundary_mask= is not a power of two'],
  ])('says what is wrong with %s', (line, message) => {
    expect(problemOf(dma(line))).toContain(message);
  });

  test.each([
    ['#pool base=0x801 nslabs=4', 'base= is not a multiple of 2048'],
    ['#pool base=0x800 nslabs=4 areas=3', 'areas=3 is not a power of two of at most nslabs=4'],
  ])('says what is wrong with the pool %s', (line, message) => {
    expect(problemOf(readDmaIommuTrace([DMA[0], line]))).toContain(message);
  });
});
