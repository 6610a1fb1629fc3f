import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createUnwrapper } from '../../src/formats/unwrap.js';

interface Record {
  text: string;
  line: number;
  raw: string;
  time: number | undefined;
}

function unwrap(lines: string[]): Record[] {
  const records: Record[] = [];
  const unwrapper = createUnwrapper((text, line, raw, time) => {
    records.push({ text, line, raw, time });
  });
  for (const [n, line] of lines.entries()) unwrapper.take(line, n + 1);
  unwrapper.end();
  return records;
}

const textsOf = (lines: string[]): string[] => unwrap(lines).map(({ text }) => text);

/** Records of every kind that is joined; the shapes are those of real logs. */
const RECORDS: { [kind: string]: string } = {
  'buffer full':
    'hv_storvsc 5a3b1c2d-77ee-4f10-8a9b-c0ffee00dd11: swiotlb buffer is full (sz: 69632 bytes), total 8192 (slots), used 71 (slots)',
  'buffer full, before 5.0': 'ahci 0000:00:1f.2: swiotlb buffer is full (sz: 69632 bytes)',
  'the debug print':
    'virtio-blk 0000:00:05.0: orig_addr 0x81234600 alloc_size 0x3000, iotlb_align_mask 0x800 stride 0x2: got slot 210-216/4096 (0x7c069600)',
  'the debug print without a device':
    'x (NULL device *): orig_addr 0x0 alloc_size 0x800, iotlb_align_mask 0x0 stride 0x1: got slot 0-1/4096 (0x7c000000)',
  suppressed: 'swiotlb_tbl_map_single: 512 callbacks suppressed',
  'coherent failed': 'swiotlb: coherent allocation failed for device udmabuf.1 size=4194304',
  'out of space': 'ahci 0000:00:1f.2: DMA: Out of SW-IOMMU space for 69632 bytes at device 00:1f.2',
  mapped: 'software IO TLB: mapped [mem 0x0000000077a00000-0x000000007ba00000] (64MB)',
  'restricted pool':
    'software IO TLB: Reserved memory: created restricted DMA pool at 0x0000000190000000, size 8 MiB',
  overflow:
    'ahci 0000:00:1f.2: DMA addr 0x0000000213c45000+8192 overflow (mask ffffffff, bus limit 0).',
  'overflow, before 5.8':
    'mmc0 fe300000.mmc: overflow 0x00000001b2345000+4096 of DMA mask ffffffff bus limit 3fffffff',
  'iommu map':
    'modprobe-431     [001] .....     9.250076: map: IOMMU: iova=0x00000000ffa80000 - 0x00000000ffa90000 paddr=0x0000000112a90000 size=65536',
  'iommu map, before 5.19':
    'modprobe-431     [001] ....     9.250076: map: IOMMU: iova=0x00000000ffa80000 paddr=0x0000000112a90000 size=65536',
  'iommu unmap':
    'kworker/3:0-31    [003] .....     9.250076: unmap: IOMMU: iova=0x00000000ffa80000 - 0x00000000ffa90000 size=65536 unmapped_size=65536',
  'iommu fault':
    'irq/31-AMD-Vi-98  [003] .....     9.250076: io_page_fault: IOMMU:ixgbe 0000:41:00.1 iova=0x00000000ffa80000 flags=0x0020',
  'dma alloc':
    'modprobe-431     [001] .....     9.250076: dma_alloc: 0000:41:00.1 dma_addr=ffa80000 size=65536 virt_addr=00000000a1b2c3d4 flags=GFP_KERNEL attrs=',
  'dma map_sg':
    'fio-431     [001] .....     9.250076: dma_map_sg: 0000:41:00.1 dir=TO_DEVICE dma_addrs={0xffa80000,0xffa90000} sizes={0x1000,0x800} phys_addrs={0x112a90000,0x112aa1000} attrs=SKIP_CPU_SYNC',
  bounced:
    'insmod-1871    [002] .....   285.655295: swiotlb_bounced: dev_name: 0000:00:0a.0 dma_mask=ffffffff dev_addr=17c407000 size=256 NORMAL',
  'Intel fault':
    'DMAR: [DMA Read NO_PASID] Request device [0x41:0x00.1] fault addr 0x7a123000 [fault reason 0x06] PTE Read access is not set',
  'Intel fault, before 5.14':
    'DMAR: [DMA Read] Request device [41:00.1] PASID ffffffff fault addr 7a123000 [fault reason 06] PTE Read access is not set',
  'AMD fault':
    'ixgbe 0000:41:00.1: AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x0011 address=0xffa80000 flags=0x0020]',
  'dma-debug, sizes':
    'qla2xxx 0000:41:00.1: DMA-API: device driver frees DMA memory with different size [device address=0x0000000112a90000] [map size=16400 bytes] [unmap size=4112 bytes]',
  'dma-debug, cachelines':
    "DMA-API: ixgbe 0000:41:00.1: cacheline tracking EEXIST, overlapping mappings aren't supported",
};

/** The places after which a mailer that wraps at `width` breaks a line. */
function wrapAtBlanks(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width) {
      lines[lines.length - 1] = `${last} ${word}`;
    } else lines.push(word);
  }
  return lines;
}

/** As git and mail programs encode: lines of 76 characters, the soft break included. */
function toQuotedPrintable(line: string): string[] {
  const units = [...Buffer.from(line)].map((byte) =>
    byte === 0x3d || byte > 0x7e
      ? `=${byte.toString(16).toUpperCase().padStart(2, '0')}`
      : String.fromCharCode(byte),
  );
  const lines = [''];
  for (const unit of units) {
    if ((lines.at(-1) as string).length + unit.length > 75) {
      lines[lines.length - 1] += '=';
      lines.push('');
    }
    lines[lines.length - 1] += unit;
  }
  return lines;
}

/** In how much of it a record must be on its first line to be known: up to the end of its name. */
const KNOWN_BY =
  /^.*?(?:swiotlb b|orig_addr 0x|_single:|coherent|Out of|mapped|Reserved|addr 0x0|overflow 0x0|IOMMU:|dma_[a-z]+:|dma_map_sg: |bounced:|DMAR: \[|Event logged|DMA-API: )/;

describe.each(Object.entries(RECORDS))('a record that was wrapped: %s', (_kind, record) => {
  const known = (KNOWN_BY.exec(record) as RegExpExecArray)[0].length;

  it('is joined wherever a mailer wrapped it once', () => {
    for (let at = record.indexOf(' ', known - 1); at >= 0; at = record.indexOf(' ', at + 1)) {
      const lines = [`[   17.250000] ${record.slice(0, at)}`, record.slice(at + 1), 'oops'];
      expect(unwrap(lines)).toEqual([
        { text: record, line: 1, raw: `${lines[0]}\n${lines[1]}`, time: 17.25 },
        { text: 'oops', line: 3, raw: 'oops', time: undefined },
      ]);
    }
  });

  it('is joined out of two or three lines of a mail', () => {
    for (let width = 40; width < 80; width++) {
      const lines = wrapAtBlanks(record, width);
      if (lines.length > 3 || lines[0].length < known) continue;
      expect(textsOf(lines.map((line) => `> > ${line} `))).toEqual([record]);
    }
  });

  it('is joined out of quoted-printable', () => {
    const encoded = toQuotedPrintable(`> ${record}`);
    expect(textsOf([...encoded, '> oops'])).toEqual([record, 'oops']);
    expect(textsOf(encoded.map((line) => `>> ${line}`))).toEqual([record]);
  });

  it('stays in pieces beside a line that begins a record itself', () => {
    const first = record.slice(0, record.indexOf(' ', known - 1));
    expect(textsOf([first, `[   17.250000] ${record}`])).toEqual([first, record]);
    expect(textsOf([first, record])).toEqual([first, record]);
  });

  it('does not swallow what stands behind a piece of it', () => {
    const first = record.slice(0, record.indexOf(' ', known - 1));
    const others = ['systemd[1]: Started x.', 'note: y', '', 'z'];
    expect(textsOf([first, ...others])).toEqual([first, ...others]);
    expect(textsOf([record, ...others])).toEqual([record, ...others]);
  });
});

describe('a record wrapped at any character', () => {
  it('of buffer full is joined', () => {
    const record = RECORDS['buffer full'];
    for (let at = record.indexOf('buffer') + 1; at < record.length; at++) {
      const text = textsOf([record.slice(0, at), record.slice(at)]);
      expect(text).toEqual([record]);
    }
  });

  it('of buffer full is joined right behind its device', () => {
    const record = RECORDS['buffer full'];
    const at = record.indexOf(' swiotlb');
    expect(textsOf([record.slice(0, at), record.slice(at + 1)])).toEqual([record]);
  });

  it('of a sentence that ends in a colon is not', () => {
    const lines = ['kernel log:', 'swiotlb buffer is full (sz: 4096 bytes)'];
    expect(textsOf(lines)).toEqual(lines);
  });
});

describe('lines of others', () => {
  it('between two pieces come behind the record', () => {
    const record = RECORDS['buffer full'];
    const at = record.indexOf(' total');
    const lines = [record.slice(0, at), 'systemd[1]: Started x.', record.slice(at + 1), 'oops'];
    expect(unwrap(lines).map(({ text, line }) => [line, text])).toEqual([
      [1, record],
      [2, 'systemd[1]: Started x.'],
      [4, 'oops'],
    ]);
  });

  it('with nothing but a time are not taken for a part in brackets', () => {
    const line = 'ixgbe 0000:41:00.1: DMA-API: device driver maps memory from stack';
    expect(textsOf([line, '[   17.250000]', 'x'])).toEqual([line, '', 'x']);
  });

  it('may break a record for good', () => {
    const record = RECORDS['buffer full'];
    const at = record.indexOf(' total');
    const lines = [record.slice(0, at), 'a', 'b', record.slice(at + 1)];
    expect(textsOf(lines)).toEqual(lines);
  });

  it('of a record that another one breaks off leave the other whole', () => {
    const [full, got] = [RECORDS['buffer full'], RECORDS['the debug print']];
    const at = got.indexOf(' stride');
    expect(textsOf([full.slice(0, 70), got.slice(0, at), got.slice(at + 1)])).toEqual([
      full.slice(0, 70),
      got,
    ]);
  });
});

describe('quoted-printable', () => {
  it('is not what ends in an empty attribute', () => {
    const lines = [
      'fio-1 [001] ..... 9.250076: dma_free: x size=524288 dma_addr=80000000 attrs=',
      'oops',
    ];
    expect(textsOf(lines)).toEqual(lines);
  });

  it.each([
    'swiotlb: coherent allocation failed for device udmabuf.1 size=20',
    'dma_mask=ffffffff dev_addr=17c407000 size=256 NORMAL',
    'iova=C280 =zz',
    'x=80',
  ])('is not %s', (line) => {
    expect(textsOf([line])).toEqual([line]);
  });

  it('has letters beyond ASCII', () => {
    expect(textsOf(['caf=C3=A9 =E2=80=9Cx=E2=80=9D'])).toEqual(['café “x”']);
    expect(textsOf(['a=3D1 caf=E9'])).toEqual(['a=1 café']);
  });

  it('has blanks at the end of lines', () => {
    expect(textsOf([`${RECORDS['buffer full']}=20`])).toEqual([RECORDS['buffer full']]);
  });

  it('is not a line of which the next one is another record', () => {
    const line = `${'x'.repeat(70)} =`;
    expect(textsOf([line, '[   17.250000] oops'])).toEqual([line, 'oops']);
  });

  it('gives up on lines that never end', () => {
    const lines = Array.from({ length: 30 }, () => `${'x'.repeat(75)}=`);
    const records = unwrap(lines);
    expect(records.length).toBeGreaterThan(2);
    expect(records.map(({ raw }) => raw).join('\n')).toBe(lines.join('\n'));
  });
});

describe('whatever the lines are', () => {
  const pieces = fc.constantFrom(
    ...Object.values(RECORDS),
    ...Object.values(RECORDS).flatMap((record) => wrapAtBlanks(record, 40)),
    ...Object.values(RECORDS).flatMap(toQuotedPrintable),
    '',
    '> ',
    'systemd[1]: Started x.',
    `${'x'.repeat(75)}=`,
  );
  const line = fc
    .tuple(fc.constantFrom('', '', '> ', '[   17.250000] '), fc.oneof(pieces, fc.string()))
    .map((both) => both.join(''));

  it('every one of them is delivered once', () => {
    fc.assert(
      fc.property(fc.array(line, { maxLength: 12 }), (lines) => {
        const raws = unwrap(lines).flatMap(({ raw }) => raw.split('\n'));
        expect(raws.toSorted()).toEqual(lines.toSorted());
      }),
    );
  });

  it('they are held back for a few lines only', () => {
    fc.assert(
      fc.property(fc.array(line, { maxLength: 60 }), (lines) => {
        let delivered = 0;
        const unwrapper = createUnwrapper((_text, _line, raw) => {
          delivered += raw.split('\n').length;
        });
        for (const [n, each] of lines.entries()) {
          unwrapper.take(each, n + 1);
          expect(n + 1 - delivered).toBeLessThanOrEqual(27);
        }
      }),
    );
  });

  it('lines of other sizes are delivered as they are', () => {
    const long = `${RECORDS['buffer full'].slice(0, -8)}${' '.repeat(9)}${'9'.repeat(65_000)}`;
    expect(textsOf([long, '(slots)'])).toEqual([long, '(slots)']);
  });
});
