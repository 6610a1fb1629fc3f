/** Names that a trace may give a device: what drives terminals, hides, is markup, a formula or a key of every object. */
const HOSTILE_NAMES = [
  'ev\x1b[31mil\x1b]0;title\x07',
  'c1\x9b31m\x85',
  'bidi\u202e\u2066\u200f\ufeff',
  '<img src=x onerror=alert(1)>&"\'',
  '</script><script>alert(1)</script>',
  ']]>--><!--',
  "=cmd|'/C calc'!A0",
  '@SUM(1+1)',
  '::error::%0Aforged',
  'not ok 99 - forged # SKIP',
  '`$(id)`|\\[x](javascript:alert(1))',
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  '../../../etc/passwd',
  '-rf',
  '%s%n{0}$&',
] as const;

/** What a terminal obeys or a reader does not see. Tabs and newlines are the program's own. */
export const DANGEROUS = /(?![\n\t])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

const BASE = 0x80000000;

/** A trace in which each name makes every kind of finding that names a device, and a pool has a hostile name. */
export function hostileCsv(): string {
  const rows = HOSTILE_NAMES.flatMap((name, n) => {
    const at = `0x${(BASE + n * 0x2000).toString(16)}`;
    const dev = quoted(name);
    return [
      `${dev},map,0x1000,4096,${at}`,
      `${dev},alloc,,8192,`,
      `${dev},unmap,,512,${at}`,
      `${dev},unmap,,512,${at}`,
      `${dev},map,0x2000,300000,full`,
      `${dev},map,0x3000,2048,`,
    ];
  });
  return [
    '#swiotlb-trace 1',
    '#kernel version=v6.8 page_size=4096',
    `#pool name=__proto__ base=0x${BASE.toString(16)} nslabs=256 areas=1 index=0`,
    '#device name=\x1b[31m\u202e min_align_mask=0xfff pool=constructor',
    '#device name=__proto__ min_align_mask=0xfff seg_boundary_mask=0xffff',
    '#bogus\x1b[31m\u202e x=1',
    'dev,op,orig_addr,size,tlb_addr',
    ...rows,
    'bad\x1b[31m\u202e,nonsense\x9b,\u2066,\x07,x',
    '',
  ].join('\n');
}

/** The same names in JSON lines, where NUL bytes and line ends may be in a name too. */
export function hostileJsonl(): string {
  const names = [...HOSTILE_NAMES, 'nul\0', 'two\nlines\r\n', '\ud800'];
  const rows = names.flatMap((dev, n) => [
    { dev, op: 'map', orig_addr: 4096, size: 4096, tlb_addr: BASE + n * 0x2000 },
    { dev, op: 'unmap', size: 512, tlb_addr: BASE + n * 0x2000 },
    { dev, op: 'map', orig_addr: 4096, size: 300000, tlb_addr: 'full' },
  ]);
  return [
    { trace: 1, kernel: { version: 'v6.8' } },
    { pool: { name: '\x1b]0;x\x07\u202e', base: BASE, nslabs: 256 } },
    { device: { name: 'constructor', min_align_mask: 4095, pool: '\x1b]0;x\x07\u202e' } },
    ...rows,
    { '\x1b[31m\u202e': 1, dev: '\x1b', op: '\x9b' },
  ]
    .map((line) => `${JSON.stringify(line)}\n`)
    .join('');
}

/** A kernel log in which the driver core names such devices. */
export function hostileLog(): string {
  return HOSTILE_NAMES.map(
    (name, n) =>
      `[    ${n}.000000] nvme ${name.replaceAll(' ', '_')}: swiotlb buffer is full (sz: 4096 bytes), total 32768 (slots), used ${n * 1500} (slots)\n`,
  ).join('');
}

/** A trace behind an IOMMU whose devices have such names. */
export function hostileIommu(): string {
  const rows = HOSTILE_NAMES.flatMap((name, n) => [
    `0.${100 + 2 * n},0,${quoted(name)},map_page,${n},0x80001000,512,1,0x0,0x1,0x1,,,,,,,,`,
    `0.${101 + 2 * n},0,${quoted(name)},unmap_page,${n},,512,1,0x0,0x1,,,,,,,,,`,
  ]);
  const devices = HOSTILE_NAMES.filter((name) => !/[\s"]/.test(name)).map(
    (name) =>
      `#device name=${name} granule=4096 start_pfn=1 lazy=0 dma_mask=0xffffffff pci=1 untrusted=1 coherent=0 min_align_mask=0x1ff seg_boundary_mask=0xffffffff max_seg_size=65536`,
  );
  return [
    '#dma-iommu-trace 1',
    '#kernel version=v6.8 page_size=4096 cpus=1',
    '#ram base=0x80000000 size=0x1000000',
    '#pool name=default base=0x80800000 nslabs=512 areas=2',
    ...devices,
    'time,cpu,dev,op,id,phys,size,dir,attrs,dma,result,granules,slots,leaked,to_bounce,from_bounce,arch,warn,crc',
    ...rows,
    '',
  ].join('\n');
}
