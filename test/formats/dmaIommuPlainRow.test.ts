import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { DmaRow } from '../../src/events/iommu.js';
import { createDmaIommuTraceReader } from '../../src/formats/dmaIommuTrace.js';
import { filesOf, linesOf } from '../support/iommuVectors.js';

const HEAD = [
  '#dma-iommu-trace 1',
  '#kernel version=v6.8 page_size=4096 cpus=2',
  '#ram base=0x80000000 size=0x1000000',
  '#pool name=default base=0x80800000 nslabs=512 areas=2',
  ...['0000:00:04.0', 'e'].map(
    (name) =>
      `#device name=${name} granule=4096 start_pfn=1 lazy=0 dma_mask=0xffffffff untrusted=1 min_align_mask=0x0 seg_boundary_mask=0xffffffff max_seg_size=65536`,
  ),
  'time,cpu,dev,op,id,phys,size,dir,attrs,dma,result,granules,slots,leaked,to_bounce,from_bounce,arch,warn,crc',
  '0.000,0,e,fq_timeout,,,,,,,,,,,,,,,',
];

const ROWS = [
  '0.001,1,0000:00:04.0,map_page,7,0x80010201,4096,1,0x0,0xfffff201,0x80800201,2,4,0,1:4096,0:0,D0x80800201+4096,0,',
  '12.345678,0,e,unmap_page,7,,4096,2,0x20,0xffffffffffffe201,,0,0,,0:0,1:4096,,1,',
  '1,0,e,map_sg,8,0x80010000+5;0x80020000+7,2,0,0x0,0xffff0000+5;0xffff2000+7,2,2,0,0,0:0,0:0,D0x1+2;C0x3+4,0,',
  '0.5,0,e,map_sg,9,0x80010000+5,1,0,0x0,error,-12,,,,,,,,',
  '0.002,1,e,cpu_read,0,0x80010000,64,0,0x0,,,,,,,,,0,00fF00ff',
  '0.002,1,e,dev_write,3,,64,0,0xffffffff,0x12,64,,,,,,,0,',
  '0.002,1,e,alloc,4,0x80700000+4096,4096,0,0x0,0xff000,,1,0,0,0:0,0:0,,0,',
];

/** Rows and problems of lines behind the head, read carefully or, where that will do, plainly. */
function readBoth(
  rows: readonly string[],
  head = HEAD,
): { careful: unknown; plain: unknown; isPlain: boolean } {
  const lines = [...head, ...rows];
  let isPlain = true;
  const [careful, plain] = [false, true].map((tries) => {
    const seen: DmaRow[] = [];
    const { trace, readLine, readPlainRow } = createDmaIommuTraceReader((row) => {
      seen.push(structuredClone(row));
    });
    lines.forEach((text, n) => {
      const bytes = Buffer.from(`${text}\n`);
      const end = tries ? (readPlainRow?.(bytes, 0, n + 1) ?? -1) : -1;
      if (end < 0) readLine(text, n + 1);
      else expect(end).toBe(bytes.length);
      if (tries && n >= head.length) isPlain &&= end > 0;
    });
    return { seen, problems: trace.problems };
  });
  return { careful, plain, isPlain };
}

describe('a row of a dma-iommu trace read from its bytes', () => {
  test.each(ROWS)('is what the careful reader makes of it: %s', (row) => {
    const { careful, plain, isPlain } = readBoth([row]);
    expect(isPlain).toBe(true);
    expect(plain).toEqual(careful);
  });

  test('is so in every row of the vectors', () => {
    for (const { path } of filesOf('dma-iommu')) {
      const lines = linesOf(path);
      const from = lines.findIndex((line) => !line.startsWith('#')) + 2;
      const { careful, plain, isPlain } = readBoth(lines.slice(from, -1), lines.slice(0, from));
      expect(isPlain).toBe(true);
      expect(plain).toEqual(careful);
    }
  });

  test('is left to the careful reader, or is the same, when somebody spoilt it', () => {
    const junk = fc.constantFrom(
      ...[
        '',
        ',',
        ';',
        '+',
        ':',
        '0x',
        '0',
        '1',
        'F',
        'error',
        'é',
        '\r',
        ' ',
        '.',
        '\u0000',
        '9'.repeat(20),
      ],
    );
    const spoil = fc.record({ at: fc.nat(), cut: fc.nat({ max: 4 }), put: junk });
    fc.assert(
      fc.property(
        fc.constantFrom(...ROWS),
        fc.array(spoil, { minLength: 1, maxLength: 3 }),
        (row, spoils) => {
          let text = row;
          for (const { at, cut, put } of spoils) {
            const place = at % text.length;
            text = text.slice(0, place) + put + text.slice(place + cut) || ',';
          }
          const { careful, plain } = readBoth([text]);
          expect(plain).toEqual(careful);
        },
      ),
      { numRuns: 1000 },
    );
  });

  test('needs the columns in their order, and no directive behind it', () => {
    const columns = HEAD[6].split(',');
    const turned = [
      ...HEAD.slice(0, 6),
      [...columns.slice(1), columns[0]].join(','),
      '0,e,fq_timeout,,,,,,,,,,,,,,,,0.000',
    ];
    expect(readBoth([], turned).careful).toMatchObject({ problems: { count: 0 } });
    expect(readBoth(['1,e,fq_timeout,,,,,,,,,,,,,,,,0.001'], turned).isPlain).toBe(false);
    const { plain, careful } = readBoth([ROWS[0], HEAD[4], ROWS[1]]);
    expect(plain).toEqual(careful);
    expect(plain).toMatchObject({ problems: { count: 1 } });
  });
});
