import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { LogFact } from '../../src/events/logFacts.js';
import { emptyTraceInfo, type TraceInfo } from '../../src/events/trace.js';
import { createKernelLog } from '../../src/formats/kernelLog/kernelLog.js';

/* Lines in the shapes of kernel/dma/swiotlb.c, kernel/dma/debug.c and the IOMMU drivers, names and numbers ours. */

/** The facts of a log; template strings are read line by line. */
function read(log: string): { facts: LogFact[]; info: TraceInfo } {
  const info = emptyTraceInfo();
  const facts: LogFact[] = [];
  const reader = createKernelLog(info, (fact) => facts.push(fact));
  log.split('\n').forEach((line, n) => {
    reader.read(line, n + 1);
  });
  reader.end();
  return { facts, info };
}

function factsOf(log: string): LogFact[] {
  return read(log).facts;
}

const REFUSAL =
  'nvme 0001:02:00.0: swiotlb buffer is full (sz: 69632 bytes), total 4096 (slots), used 77 (slots)';
const REFUSED = {
  kind: 'refusal',
  message: 'full',
  device: '0001:02:00.0',
  size: 69632,
  total: 4096,
  used: 77,
};

describe('a refusal is read', () => {
  test.each([
    REFUSAL,
    `[  12.345678] ${REFUSAL}`,
    `[   12.345678][  T814] ${REFUSAL}`,
    `<4>[    0.120000] ${REFUSAL}`,
    `<3> [219.132608] ${REFUSAL}`,
    `Mar  6 07:08:09 host kernel: ${REFUSAL}`,
    `Mar 06 07:08:09 host kernel: [  12.345678] ${REFUSAL}`,
    `2026-03-06T07:08:09.123456+00:00 host kernel: ${REFUSAL}`,
    `[2026-03-06 07:08:09.123] ${REFUSAL}`,
    `[Fri Mar  6 07:08:09 2026] ${REFUSAL}`,
    `[ven. mars  6 07:08:09 2026] ${REFUSAL}`,
    `> >> [  12.345678] ${REFUSAL}`,
    ` => ${REFUSAL}`,
    `\`${REFUSAL}\``,
    `* ${REFUSAL}   `,
  ])('behind the prefix of %s', (line) => {
    expect(factsOf(line)).toMatchObject([REFUSED]);
  });

  test('with the first time that stands in front of it', () => {
    expect(factsOf(`[   12.500000] ${REFUSAL}`)[0].time).toBe(12.5);
    const [a, b] = factsOf(
      `Mar 06 07:08:09 h kernel: [7.0] ${REFUSAL}\nMar 06 07:08:19 h kernel: [7.5] ${REFUSAL}`,
    );
    expect((b.time as number) - (a.time as number)).toBe(10);
  });

  test.each([
    ['swiotlb buffer is full (sz: 4096 bytes)', undefined],
    ['kernel: gpu: swiotlb buffer is full (sz: 4096 bytes)', 'gpu'],
    ['(NULL device *): swiotlb buffer is full (sz: 4096 bytes)', undefined],
    ['usb 3c100000.usb: swiotlb buffer is full (sz: 4096 bytes)', '3c100000.usb'],
    [
      'hv_storvsc aaaabbbb-cccc-dddd-eeee-000011112222: swiotlb buffer is full (sz: 4096 bytes)',
      'aaaabbbb-cccc-dddd-eeee-000011112222',
    ],
  ])('without totals: %s', (line, device) => {
    expect(factsOf(line)).toMatchObject([{ device, size: 4096, total: undefined }]);
  });

  test.each([
    ['DMA: Out of SW-IOMMU space for 512 bytes at device 0b:00.0', 'out-of-space', '0b:00.0'],
    ['ahci 0b:00.0: DMA: Out of SW-IOMMU space for 512 bytes ', 'out-of-space', '0b:00.0'],
    ['swiotlb: coherent allocation failed for device udma.1 size=512', 'coherent', 'udma.1'],
  ])('in older words: %s', (line, message, device) => {
    expect(factsOf(line)).toMatchObject([{ kind: 'refusal', message, device, size: 512 }]);
  });

  test('with what was suppressed', () => {
    expect(factsOf('[1.5] swiotlb_tbl_map_single: 74 callbacks suppressed')).toMatchObject([
      { kind: 'suppressed', function: 'swiotlb_tbl_map_single', count: 74, time: 1.5 },
    ]);
  });

  test.each([
    ['anywhere', REFUSAL.replace('swiotlb buffer', 'swiotlb\nbuffer')],
    ['before the totals', REFUSAL.replace(', total', ',\ntotal')],
    ['inside the totals', REFUSAL.replace(' (slots), used', ' \n(slots), used')],
    ['twice', REFUSAL.replace('is full', 'is\nfull').replace('used 77', 'used\n77')],
    ['softly', REFUSAL.replace('69632 bytes', '69632 b=\nytes')],
    ['in a quote', `> [1.0] ${REFUSAL.replace(', total', ',\n> total')}`],
  ])('where a mail has wrapped it %s', (_, lines) => {
    expect(factsOf(lines)).toMatchObject([{ ...REFUSED, line: 1 }]);
  });

  test('though another record came in between the parts of one', () => {
    const cut = REFUSAL.slice(0, REFUSAL.indexOf(', total') + 1);
    expect(factsOf(`[1.0] ${cut}\n[2.0] ${REFUSAL}`)).toMatchObject([{ ...REFUSED, line: 2 }]);
  });

  test('but not made of a number that no kernel prints', () => {
    expect(factsOf(REFUSAL.replace('4096', '9'.repeat(40)))).toEqual([]);
  });
});

describe('addresses out of reach', () => {
  test.each([
    [
      'mmc 1c0f000.mmc: DMA addr 0x000000010fc14000+8192 overflow (mask ffffffff, bus limit 0).',
      { bounced: false, busLimit: 0n },
    ],
    [
      'mmc 1c0f000.mmc: swiotlb addr 0x000000010fc14000+8192 overflow (mask ffffffff, bus limit 3fffffff).',
      { bounced: true, busLimit: 0x3fffffffn },
    ],
    [
      'mmc 1c0f000.mmc: overflow 0x000000010fc14000+8192 of DMA mask ffffffff bus mask 3fffffff',
      { bounced: false, busLimit: 0x3fffffffn },
    ],
    [
      'mmc 1c0f000.mmc: overflow 0x000000010fc14000+8192 of DMA mask ffffffff',
      { bounced: false, busLimit: undefined },
    ],
  ])('%s', (line, differing) => {
    const common = { device: '1c0f000.mmc', address: 0x10fc14000n, size: 8192, mask: 0xffffffffn };
    expect(factsOf(line)).toMatchObject([{ kind: 'overflow', ...common, ...differing }]);
  });
});

test.each([
  ['Cannot allocate SWIOTLB buffer', { kind: 'pool-trouble', trouble: 'no-memory' }],
  ['software IO TLB: only able to allocate 4 MB', { kind: 'pool-trouble', trouble: 'short' }],
  [
    'virtio 0.1: Cannot allocate pages from non page-aligned swiotlb addr 0x0x9.',
    { trouble: 'unaligned-pages' },
  ],
  [
    'e 1.e: Buffer overflow detected. Allocation size: 2048. Mapping size: 4096+8.',
    { kind: 'sync', device: '1.e' },
  ],
  [
    'e 1.e: Access before mapping start detected. orig offset 512, requested offset 0.',
    { kind: 'sync' },
  ],
  ['e 1.e: Attempt for buffer overflow. Original size: 1. Mapping size: 2.', { kind: 'sync' }],
  [
    'e 1.e: DMA bounce buffers are inactive, unable to map unaligned transaction.',
    { kind: 'bounce-inactive' },
  ],
  ['DMAR: Device bounce map: 16ea@1411c0000 dir 1 --- failed', { kind: 'bounce-inactive' }],
  [
    'cma: cma_alloc: reserved: alloc failed, req-size: 16 pages, ret: -12',
    { kind: 'cma', trouble: 'allocation' },
  ],
  [
    "OF: reserved mem: failed to allocate memory for node 'video,cma'",
    { kind: 'cma', trouble: 'setup' },
  ],
  [
    '                -> #2 (free_entries_lock){-.-.}-{2:2}:',
    { kind: 'lockdep', lock: 'free_entries_lock' },
  ],
  ['CPU: 3 PID: 7 Comm: a b Not tainted 5.19.3 #12', { kind: 'kernel', name: '5.19.3 #12' }],
  [
    'CPU: 3 UID: 0 PID: 7 Comm: x Tainted: G        W          6.12.4-1-arch #1',
    { name: '6.12.4-1-arch #1' },
  ],
  [
    '# cat /sys/kernel/debug/swiotlb/io_tlb_used\n18446744073709551615',
    { kind: 'debugfs', name: 'io_tlb_used', value: 2n ** 64n - 1n },
  ],
  ['/sys/kernel/debug/swiotlb/io_tlb_nslabs:32768', { name: 'io_tlb_nslabs', value: 32768n }],
  [
    'iommu: map: iova 0x6e000 pa 0x4f000 size 0x1000',
    { op: 'map', iova: 0x6e000n, physAddr: 0x4f000n, size: 4096n },
  ],
  ['iommu: unmapped: iova 0x6e000 size 0x1000', { op: 'unmap', iova: 0x6e000n, size: 4096n }],
  [
    'x-1 [000] ..... 1.0: map: IOMMU: iova=0x1000 - 0x3000 paddr=0x9000 size=8192',
    { op: 'map', size: 8192n, physAddr: 0x9000n },
  ],
  [
    'x-1 [000] 1.0: unmap: IOMMU: iova=0x1000 size=4096 unmapped_size=4096',
    { op: 'unmap', iova: 0x1000n },
  ],
] as const)('a fact: %s', (line, fact) => {
  expect(factsOf(line)).toMatchObject([fact]);
});

test('a CMA region that overlaps itself is told with the region that memblock=debug shows', () => {
  expect(
    factsOf(
      '[0.0] memblock_reserve: [0x00000000fa000000-0x00000000faffffff] memblock_alloc_range_nid+0xc0/0x19c\n' +
        '[0.0] Reserved memory: overlap with other memblock reserved region',
    ),
  ).toMatchObject([
    { kind: 'cma', trouble: 'overlap', region: '[0x00000000fa000000-0x00000000faffffff]' },
  ]);
});

describe('dma-debug', () => {
  test.each([
    [
      'qla 0000:05:00.0: DMA-API: device driver frees DMA memory with different size [device address=0x1]',
      '0000:05:00.0',
      'size',
    ],
    [
      'DMA-API: xhci_hcd 0000:06:00.0: cacheline tracking EEXIST, overlapping mappings',
      '0000:06:00.0',
      'overlap',
    ],
    ['DMA-API: exceeded 7 overlapping mappings of cacheline 0x01', undefined, 'overlap'],
    [
      'DMA-API: e1 0:1: device driver failed to check map error[device address=0x1]',
      '0:1',
      'unchecked-error',
    ],
    [
      'e1 0:1: DMA-API: device driver has pending DMA allocations while released from device [count=3]',
      '0:1',
      'leak',
    ],
    ['e1 0:1: DMA-API: device driver maps memory fromstack [addr=1]', '0:1', 'forbidden-memory'],
  ])('%s', (line, device, complaint) => {
    expect(factsOf(line)).toMatchObject([{ kind: 'dma-debug', device, complaint }]);
  });

  test('does not complain when it says how it is set up', () => {
    expect(factsOf('DMA-API: preallocated 65536 debug entries')).toEqual([]);
  });
});

describe('an IOMMU fault', () => {
  const fault = (unit: string, device: string | undefined, address: bigint, access: string) => ({
    kind: 'iommu-fault',
    unit,
    device,
    address,
    access,
  });

  test.each([
    [
      'DMAR: [DMA Write] Request device [0a:00.1] PASID ffffffff fault addr 69974000 [fault reason 05] PTE Write access is not set',
      'VT-d',
      '0a:00.1',
      0x69974000n,
      'write',
    ],
    [
      'DMAR: [DMA Read NO_PASID] Request device [0x0a:0x00.1] fault addr 0xffffffff69974000 [fault reason 0x06] PTE Read',
      'VT-d',
      '0a:00.1',
      0xffffffff69974000n,
      'read',
    ],
    [
      'ahci 0000:28:00.0: AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x0035 address=0xffffffffffcc1000 flags=0x0030]',
      'AMD-Vi',
      '0000:28:00.0',
      0xffffffffffcc1000n,
      'write',
    ],
    [
      'AMD-Vi: Event logged [IO_PAGE_FAULT device=01:00.1 domain=0x0020 address=0x16edf810 flags=0x0000]',
      'AMD-Vi',
      '01:00.1',
      0x16edf810n,
      'read',
    ],
    [
      '(XEN) smmu: /axi/smmu@fd0: Unhandled context fault: fsr=0x402, iova=0xf9030040, fsynr=0x12, cb=0',
      'SMMUv2',
      '/axi/smmu@fd0',
      0xf9030040n,
      'write',
    ],
    [
      'arm-smmu 15.iommu: Unhandled context fault: fsr=0x8, iova=0x40, fsynr=0x1, cbfrsynra=0x1900, cb=0',
      'SMMUv2',
      '15.iommu stream 0x1900',
      0x40n,
      'read',
    ],
    [
      'io_page_fault: IOMMU:ath12k_pci 0000:c2:00.0 iova=0x00000000fe98 flags=0x0000',
      'IOMMU',
      '0000:c2:00.0',
      0xfe98n,
      'read',
    ],
  ])('%s', (line, unit, device, address, access) => {
    expect(factsOf(line)).toMatchObject([fault(unit, device, address, access)]);
  });

  test.each([
    ['0000', 'read', 'nothing is mapped there'],
    ['0010', 'read', 'the mapping does not allow it'],
    ['0020', 'write', 'nothing is mapped there'],
    ['0030', 'write', 'the mapping does not allow it'],
  ])('of AMD-Vi with flags 0x%s is a %s where %s', (flags, access, reason) => {
    const line = `ahci 0:1: AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x0 address=0x1 flags=0x${flags}]`;
    expect(factsOf(line)).toMatchObject([{ access, reason: `${reason} (flags 0x${flags})` }]);
  });

  const words = (unit: string, second: string) =>
    [
      `[1.0] ${unit}: event 0x10 received:`,
      `[1.0] ${unit}: \t0x0000310200000010`,
      `[1.0] ${unit}: \t${second}`,
      `[1.0] ${unit}: \t0x00000009abcdef40`,
      `[1.0] ${unit}: \t0x0000000000000000`,
    ].join('\n');

  test('of an SMMUv3 is put together from four words', () => {
    const [read] = factsOf(words('arm-smmu-v3 3.auto', '0x000002088000007f'));
    const [write] = factsOf(words('arm-smmu-v3 4.auto', '0x0000020000000000'));
    expect(read).toMatchObject({
      ...fault('SMMUv3', '3.auto stream 0x3102', 0x9abcdef40n, 'read'),
      reason: 'F_TRANSLATION',
      line: 1,
    });
    expect(write).toMatchObject(fault('SMMUv3', '4.auto stream 0x3102', 0x9abcdef40n, 'write'));
  });

  test('of an SMMUv3 has the client that 6.15 and later name, and is one', () => {
    const event =
      '[1.0] arm-smmu-v3 3.auto: event: F_TRANSLATION client: 0000:01:00.0 sid: 0x3102 ssid: 0x0 iova: 0x9abcdef40 ipa: 0x0';
    const facts = factsOf(`${words('arm-smmu-v3 3.auto', '0x000002088000007f')}\n${event}`);
    expect(facts).toMatchObject([
      { ...fault('SMMUv3', '0000:01:00.0', 0x9abcdef40n, 'read'), line: 1 },
    ]);
    expect(facts).toHaveLength(1);
  });

  test('of an SMMUv3 with words of which some are missing is none', () => {
    const cut = words('arm-smmu-v3 3.auto', '0x000002088000007f')
      .split('\n')
      .slice(0, 3)
      .join('\n');
    expect(factsOf(cut)).toEqual([]);
  });
});

test('what the boot says goes into the declarations', () => {
  const { info, facts } = read(
    '[    0.000000] Linux version 6.7.3 (a@b) #1\n[    0.1] software IO TLB: mapped [mem 0xb0000000-0xb0100000] (1MB)',
  );
  expect(info).toMatchObject({
    kernel: 'Linux version 6.7.3 (a@b) #1',
    pools: [{ base: 0xb0000000, nslabs: 512 }],
  });
  expect(facts).toMatchObject([{ kind: 'boot', banner: info.kernel, line: 1 }]);
});

test('a log that runs backwards has the newest boot first', () => {
  const boot = (version: string, base: string, from: number): string[] =>
    [
      `Linux version ${version} (a@b) #1`,
      `software IO TLB: mapped [mem ${base}00000-${base}80000] (1MB)`,
      'usb usb1: DMA',
    ].map((text, n) => `Mar 06 07:08:${from + n} h kernel: ${text}`);
  const lines = [...boot('6.1.9', '0xa00', 10), ...boot('6.7.3', '0xb00', 20)];
  expect(read(lines.join('\n')).info.kernel).toContain('6.7.3');
  const { info } = read(lines.reverse().join('\n'));
  expect(info.kernel).toContain('6.7.3');
  expect(info.pools).toMatchObject([{ base: 0xb0000000 }]);
});

test('any text is read without harm', () => {
  const scraps = fc.constantFrom(
    'swiotlb',
    ' buffer is full (sz: ',
    'DMA-API: ',
    'nvme 0:1',
    ': ',
    '4096',
    ' bytes)',
    '\n',
    ' ',
    '=',
    'DMAR: [DMA Write',
    '] Request device [',
    'AMD-Vi: ',
    'IO TLB',
    '\x1b[31m',
    '\u202e',
    '[1.5] ',
    '>',
    'event 0x10 received:',
    'arm-smmu-v3 a: ',
    '0x0000310200000010',
    'x'.repeat(5000),
    ' '.repeat(5000),
    '(XEN) ',
    'io_tlb_used',
    'ainted',
  );
  fc.assert(
    fc.property(fc.array(scraps, { maxLength: 40 }), (parts) => {
      expect(Array.isArray(factsOf(parts.join('')))).toBe(true);
    }),
  );
});
