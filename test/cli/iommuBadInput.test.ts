import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { swiotlbReplay } from '../support/cli.js';

const DMA = [
  '#dma-iommu-trace 1',
  '#kernel version=v6.8 page_size=4096 cpus=1',
  '#ram base=0x80000000 size=0x1000000',
  '#pool name=default base=0x80800000 nslabs=512 areas=2',
  '#device name=ssd granule=4096 start_pfn=1 lazy=0 dma_mask=0xffffffff pci=1 untrusted=1 coherent=0 min_align_mask=0x1ff seg_boundary_mask=0xffffffff max_seg_size=65536',
  'time,cpu,dev,op,id,phys,size,dir,attrs,dma,result,granules,slots,leaked,to_bounce,from_bounce,arch,warn,crc',
];

/** A row with the columns up to the result; no state is recorded. */
const row = (start: string): string => `${start},,,,,,,,`;

const MAP = row('0.001,0,ssd,map_page,0,0x80001000,512,1,0x0,0xfffff200,0x80800200');

function replay(lines: readonly string[], ...args: string[]) {
  return swiotlbReplay([...args, '-'], { input: `${lines.join('\n')}\n` });
}

describe('an IOMMU trace that is not as it should be', () => {
  test.each([
    ['map_page', '0.002,0,ssd,map_page,1,,512,1,0x0,0x1,0x1', 'phys'],
    ['map_page', '0.002,0,ssd,map_page,1,0x80001000,,1,0x0,0x1,0x1', 'size'],
    ['map_page', '0.002,0,ssd,map_page,1,0x80001000,0,1,0x0,0x1,0x1', 'size 0'],
    ['map_page', '0.002,0,ssd,map_page,1,0x80001000,9999999999,1,0x0,0x1,0x1', 'size 9999999999'],
    ['map_page', '0.002,0,ssd,map_page,1,0x80001000,512,,0x0,0x1,0x1', 'dir'],
    ['map_sg', '0.002,0,ssd,map_sg,1,0x80001000,1,1,0x0,0x1,1', 'size'],
    ['unmap_page', '0.002,0,ssd,unmap_page,,,512,1,0x0,0x1,', 'id'],
    ['cpu_write', '0.002,0,ssd,cpu_write,0,0x80001000,999999999,1,0x0,,', 'size'],
  ])('has %s rows without what they need: %#', (op, bad, word) => {
    const { stdout, status } = replay([...DMA, MAP, row(bad)], 'verify');
    expect(stdout).toContain('1 lines not understood; the first is line 8');
    expect(stdout).toContain(op);
    expect(stdout).toContain(word);
    expect(status).not.toBe(2);
    const strict = replay([...DMA, MAP, row(bad)], 'verify', '--strict');
    expect(strict.stderr).toContain('line 8');
    expect(strict.status).toBe(2);
  });

  test.each(['unmap_sg', 'sync_sg_cpu', 'free', 'iova_link', 'iova_unlink', 'iova_destroy'])(
    'has %s rows about what was never mapped',
    (op) => {
      const bad = row(`0.002,0,ssd,${op},9,0x80001000,1,1,0x0,,`);
      const { stdout, status } = replay([...DMA, MAP, bad]);
      expect(stdout).toContain('left out  1 row about mappings that are not there');
      expect(status).not.toBe(2);
    },
  );

  test('declares a device behind its first row', () => {
    const late = DMA[4].replace('name=ssd', 'name=late');
    const { stdout } = replay([...DMA, MAP, late], 'verify');
    expect(stdout).toContain('declarations come first');
  });

  test('has no pool', () => {
    const lines = [...DMA.filter((line) => !line.startsWith('#pool')), MAP];
    const { stderr, status } = replay(lines, 'verify');
    expect(stderr).toContain('--pool base=ADDRESS,nslabs=SLOTS');
    expect(status).toBe(2);
    expect(replay(lines, 'verify', '--pool', 'base=0x80800000,nslabs=512').stderr).toBe('');
  });

  test('has no rows', () => {
    const { stderr, status } = replay(DMA);
    expect(stderr).toContain('it holds no rows');
    expect(status).toBe(2);
  });

  test('names a kernel that is not known', () => {
    const lines = [...DMA, MAP].map((line) => line.replace('v6.8', 'v4.19'));
    const { stderr, status } = replay(lines);
    expect(stderr).toContain('recorded on v4.19, which cannot be replayed');
    expect(stderr).toContain('v5.10');
    expect(status).toBe(2);
  });

  test('names a device with escape sequences', () => {
    const lines = [...DMA, MAP].map((line) => line.replaceAll('ssd', 'a\x1b[31mb'));
    for (const command of [['replay'], ['verify'], ['identify']]) {
      expect(replay(lines, ...command).stdout).not.toContain('\x1b');
    }
  });

  test('breaks off in the middle', () => {
    const rows = Array.from({ length: 400 }, (_, n) => MAP.replace('0.001', `0.${100 + n}`));
    const packed = gzipSync([...DMA, ...rows].join('\n'));
    const { stdout, status } = swiotlbReplay(['verify', '-'], {
      input: packed.subarray(0, packed.length - 20),
    });
    expect(stdout).toContain('the trace is incomplete');
    expect(status).toBe(3);
  });

  test('has any fields at all in an iova trace, and no command fails of itself', () => {
    const head = [
      '#iova-trace 1',
      '#kernel version=v6.12 page_size=4096 cpus=2',
      '#domain name=d granule=4096 start_pfn=1 lazy=1 pci=1',
      'time,cpu,dom,op,id,size,limit,flags,iova',
      '0.001,0,d,dma_alloc,0,4096,0xffffffff,0,0xfffff',
    ];
    const field = fc.constantFrom(
      '',
      '0',
      '1',
      '5',
      '4503599627370495',
      '0xffffffffffffffff',
      'fail',
    );
    const op = fc.constantFrom(
      'alloc',
      'free',
      'alloc_fast',
      'free_fast',
      'dma_alloc',
      'dma_free',
      'reserve',
    );
    const lines = fc.sample(
      fc
        .tuple(op, fc.array(field, { minLength: 5, maxLength: 5 }))
        .map(([name, fields]) => `0.002,1,d,${name},${fields.join(',')}`),
      { numRuns: 400, seed: 11 },
    );
    for (const command of [['replay'], ['verify'], ['identify']]) {
      const { stdout, stderr, status } = replay([...head, ...lines], ...command);
      expect(stderr).not.toContain('internal error');
      expect(stdout).not.toMatch(/NaN|Infinity|undefined/);
      expect([0, 1]).toContain(status);
    }
  });

  test('has any fields at all, and no command fails of itself', () => {
    const field = fc.constantFrom('', '0', '1', '7', '0x80001000', '0xfffff200', '4096', 'x');
    const op = fc.constantFrom('map_page', 'unmap_page', 'map_sg', 'free', 'dev_read', 'iova_link');
    const lines = fc.sample(
      fc
        .tuple(op, fc.array(field, { minLength: 7, maxLength: 7 }))
        .map(([name, fields]) => row(`0.002,0,ssd,${name},${fields.join(',')}`)),
      { numRuns: 400, seed: 7 },
    );
    for (const command of [['replay'], ['verify'], ['identify']]) {
      const { stdout, stderr, status } = replay([...DMA, MAP, ...lines], ...command);
      expect(stderr).not.toContain('internal error');
      expect(stdout).not.toMatch(/NaN|Infinity|undefined/);
      expect([0, 1]).toContain(status);
    }
  });
});

describe('options of IOMMU traces', () => {
  const lines = [...DMA, MAP];

  test.each([
    [['--iommu', 'granule=5000'], 'is none of 4096, 16384, 65536'],
    [['--iommu', 'lazy=yes'], 'neither lazy=0 nor lazy=1'],
    [['--iommu', 'speed=1'], 'granule, lazy, forcedac'],
    [['--device', 'ssd:untrusted=2'], 'neither untrusted=0 nor untrusted=1'],
    [['--iommu', 'granule=16384'], '--kernel v6.8+large-granules'],
    [['--kernel', 'v6.1.bogus'], 'unknown kernel'],
    [['--swiotlb', '300'], '--pool'],
    [['--pool', 'name=other,nslabs=5'], "the trace's one pool is default"],
    [['--device', 'ssd:pool=other'], 'whose devices share one pool'],
    [['--dmesg', 'package.json'], 'which declares its pool'],
    [['--kernel', 'recorded-one'], 'unknown kernel recorded-one'],
  ])('are refused with advice: %j', (args, advice) => {
    const { stderr, status } = replay(lines, ...args);
    expect(stderr).toContain(advice);
    expect(status).toBe(2);
  });

  test('are refused for traces of swiotlb', () => {
    const trace = 'traces/double-allocation/trace.log';
    const { stderr, status } = swiotlbReplay([trace, '--iommu', 'lazy=1']);
    expect(stderr).toContain('--iommu is for IOMMU traces');
    expect(status).toBe(2);
    const untrusted = swiotlbReplay([trace, '--device', '*:untrusted=1']);
    expect(untrusted.stderr).toContain('--device with untrusted= is for dma-iommu traces');
    expect(untrusted.status).toBe(2);
  });

  test.each([
    [
      ['--device', 'gpu:untrusted=1'],
      '--device says nothing about an iova trace, which has domains',
    ],
    [
      ['--pool', 'nslabs=5'],
      '--pool says nothing about an iova trace, in which nothing is bounced',
    ],
  ])('are refused for an iova trace: %j', (args, advice) => {
    const { stderr, status } = replay(
      [
        '#iova-trace 1',
        '#kernel version=v6.8 page_size=4096 cpus=1',
        '#domain name=gpu granule=4096 start_pfn=1 lazy=0 pci=1',
        'time,cpu,dom,op,id,size,limit,flags,iova',
        '0.001,0,gpu,dma_alloc,0,4096,0xffffffff,0,0xfffff',
      ],
      ...args,
    );
    expect(stderr).toContain(advice);
    expect(status).toBe(2);
  });

  test('that name no device of the trace are told of', () => {
    const { stderr, status } = replay(lines, '--device', 'hdd*:untrusted=1');
    expect(stderr).toContain(
      '--device hdd*: no device of the trace has such a name; its devices are ssd',
    );
    expect(status).toBe(0);
    expect(replay(lines, '--device', 's?d:untrusted=1').stderr).toBe('');
  });

  test('that ask for a kernel in which dma-iommu bounces nothing are told so, whatever the command', () => {
    const words = 'untrusted devices (ssd) map in place: dma-iommu bounces from v5.11 on';
    expect(replay(lines, '--kernel', 'v5.10').stdout).toContain(`assumed   ${words}`);
    expect(replay(lines, 'verify', '--kernel', 'v5.10').stdout).toContain(`assumed ${words}`);
    const diff = replay(lines, 'diff', '--old', 'v5.10', '--new', 'v5.11');
    expect(diff.stderr).toContain(words);
    for (const args of [
      ['--kernel', 'v5.11'],
      ['--kernel', 'v5.10', '--device', 'ssd:untrusted=0'],
    ]) {
      expect(replay(lines, ...args).stdout).not.toContain('map in place');
    }
  });

  test('do not make explain take an IOMMU trace', () => {
    const { stderr, status } = replay(lines, 'explain', '--line', '7');
    expect(stderr).toContain('is an IOMMU trace (dma-iommu)');
    expect(status).toBe(2);
  });

  // 64 bits wide, on PCI: at first below 4 GiB.
  const wide = [
    ...DMA.map((line) =>
      line
        .replace('dma_mask=0xffffffff', `dma_mask=0x${'f'.repeat(16)}`)
        .replace('coherent=0', 'coherent=1'),
    ),
    row('0.001,0,ssd,map_page,0,0x80001000,512,1,0x0,0xfffff000,0x80800000'),
  ];

  test.each([
    ['lazy=0', []],
    ['start_pfn=0xfffff', []],
    ['forcedac=1', ['0xfffffffffffff000']],
    ['pci=0', ['0xfffffffffffff000']],
    ['aperture_end=0xffffff', ['0xfff000']],
    ['bus_dma_limit=0x7fffffff', ['0x7ffff000']],
    ['pci=0,bus_dma_limit=0,aperture_end=0x1fffff', ['0x1ff000']],
  ])('change the domain as they say: --iommu %s', (option, expected) => {
    const { stdout } = replay(wide, 'verify', '--json', '--iommu', option);
    const { mismatches } = JSON.parse(stdout);
    const addresses = mismatches.map(({ replayed }: { replayed: string }) => replayed.slice(4));
    expect(addresses).toEqual(expected);
  });

  test('let the later of two --iommu win', () => {
    const { stdout } = replay(wide, '--iommu', 'lazy=1,pci=0', '--iommu', 'lazy=0');
    expect(stdout).toContain('untrusted, strict');
  });

  test('let granules larger than a page be tried', () => {
    const args = ['--kernel', 'v6.8+large-granules', '--iommu', 'granule=16384'];
    expect(replay(lines, ...args).stdout).toContain('16 KiB');
  });
});
