import { bigintOf, DEVICE, deviceOf, type Recogniser } from './recogniser.js';

const HEX = '(?:0x)?[0-9a-f]{1,16}';

/*
 * bcm2835-dma 20007000.dma-controller: DMA addr 0xffffffff+4 overflow (mask ffffffff, bus limit 5fffffff).
 * nvme 0000:01:00.0: swiotlb addr 0x0000000451dc4000+4096 overflow (mask ffffffff, bus limit 4ffffffff).
 * sdhci-iproc fe340000.emmc2: overflow 0x00000001b258e000+8192 of DMA mask ffffffff bus limit ffffffff
 * Cannot allocate SWIOTLB buffer
 * software IO TLB: swiotlb_init_remap: Failed to allocate 67108864 bytes tlb structure
 * nvme 0000:01:00.0: Buffer overflow detected. Allocation size: 2048. Mapping size: 4096.
 * nvme 0000:01:00.0: DMA bounce buffers are inactive, unable to map unaligned transaction.
 * DMAR: Device bounce map: 16ea@1411c0000 dir 1 --- failed
 */
export const BOUNCING: readonly Recogniser[] = [
  {
    literal: ' overflow (mask ',
    pattern: new RegExp(
      `${DEVICE}(?<what>swiotlb|DMA) addr (?<address>${HEX})\\+(?<size>\\d{1,15}) overflow` +
        ` \\(mask (?<mask>${HEX}), bus limit (?<limit>${HEX})\\)`,
    ),
    fact: overflow,
  },
  {
    literal: ' of DMA mask ',
    pattern: new RegExp(
      `${DEVICE}overflow (?<address>${HEX})\\+(?<size>\\d{1,15}) of DMA mask (?<mask>${HEX})` +
        `(?: bus (?:mask|limit) (?<limit>${HEX}))?`,
    ),
    fact: overflow,
  },
  ...[
    { literal: 'Cannot allocate SWIOTLB buffer', trouble: 'no-memory' as const },
    { literal: 'software IO TLB: No low mem', trouble: 'no-memory' as const },
    { literal: 'bytes tlb structure', trouble: 'no-memory' as const },
    { literal: 'software IO TLB: only able to allocate', trouble: 'short' as const },
    {
      literal: 'Restricted DMA pool must be accessible within the linear mapping',
      trouble: 'not-linear' as const,
    },
    {
      literal: 'Cannot allocate pages from non page-aligned swiotlb addr',
      trouble: 'unaligned-pages' as const,
    },
  ].map(
    ({ literal, trouble }): Recogniser => ({
      literal,
      pattern: /.{1,200}/,
      fact: ([text]) => ({ kind: 'pool-trouble', trouble, text }),
    }),
  ),
  ...[
    'Buffer overflow detected. Allocation size: ',
    'Attempt for buffer overflow. Original size: ',
    'Buffer overflow attempt. Alloc size: ',
    'Access before mapping start detected. orig offset ',
  ].map(
    (literal): Recogniser => ({
      literal,
      pattern: new RegExp(`${DEVICE}(?<text>${literal.replaceAll('.', '\\.')}.{0,80})`),
      fact: (match) => ({
        kind: 'sync',
        device: deviceOf(match),
        text: match.groups?.text ?? literal,
      }),
    }),
  ),
  {
    literal: 'DMA bounce buffers are inactive',
    pattern: new RegExp(`${DEVICE}(?<text>DMA bounce buffers are inactive.{0,60})`),
    fact: (match) => ({
      kind: 'bounce-inactive',
      device: deviceOf(match),
      text: match.groups?.text ?? '',
    }),
  },
  {
    literal: 'Device bounce map: ',
    pattern: new RegExp(`${DEVICE}(?<text>Device bounce map: [0-9a-f]+@.{1,60} --- failed)`),
    fact: (match) => ({
      kind: 'bounce-inactive',
      device: deviceOf(match),
      text: match.groups?.text ?? '',
    }),
  },
];

function overflow(match: RegExpExecArray) {
  const { what, address, size, mask, limit } = match.groups as Record<string, string>;
  return {
    kind: 'overflow' as const,
    device: deviceOf(match),
    bounced: what === 'swiotlb',
    address: bigintOf(address) as bigint,
    size: Number(size),
    mask: bigintOf(mask) as bigint,
    busLimit: bigintOf(limit),
  };
}
