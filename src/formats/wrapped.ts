/** A kind of record that mailers and terminals wrap. Texts are without prefixes. */
export interface WrappedKind {
  /** Finds the record where its first part is. */
  begins: RegExp;
  /** What its end looks like: nothing can follow. */
  closed: RegExp;
  /** A whole one, to the end of the text. Parts are joined only where this comes out. */
  whole: RegExp;
}

const HEX = '[0-9a-f]{1,16}';
const RANGE = `0x${HEX}(?: - 0x${HEX})?`;
const NAME = '[^()]{0,200}(?:\\(NULL device \\*\\))?';
const BUFFER_FULL =
  'swiotlb buffer is full \\(sz: \\d{1,20} bytes\\)(?:, total \\d{1,20} \\(slots\\), used \\d{1,20} \\(slots\\))?';
const GOT_SLOT =
  `orig_addr 0x${HEX} alloc_size 0x${HEX},? iotlb_align_mask 0x${HEX} stride 0x${HEX}:` +
  ` got slot \\d{1,16}-\\d{1,16}/\\d{1,16} \\(0x${HEX}\\)`;
/** How reasons that VT-d gives end; a reason is the last in its record, so only its words tell. */
const FAULT_REASON =
  '[^[\\]]{0,60}(?:Software|is (?:not )?set|is clear|invalid|context entry|MGAW|reserved fields in \\w{1,8}|blocking)';
const NEVER = /(?!)/;

const SWIOTLB: WrappedKind[] = [
  {
    begins: /(?:^|: )swiotlb(?: b|$)/,
    closed: /used \d{1,20} \(slots\)$/,
    whole: new RegExp(`^(?:${NAME}: )?${BUFFER_FULL}$`),
  },
  {
    begins: /orig_addr 0x/,
    closed: /got slot \d{1,16}-\d{1,16}\/\d{1,16} \(0x[0-9a-f]{1,16}\)$/,
    whole: new RegExp(`^${NAME}: ${GOT_SLOT}$`),
  },
  {
    // Wrapped right behind the names of driver and device.
    begins: /^[\w-]{1,32} \S{0,63}\d\S{0,63}:$/,
    closed: /used \d{1,20} \(slots\)$|got slot \S{1,60} \(0x[0-9a-f]{1,16}\)$/,
    whole: new RegExp(`^\\S{1,32} \\S{1,128}: (?:${BUFFER_FULL}|${GOT_SLOT})$`),
  },
  {
    begins: /^swiotlb_tbl_map_single:/,
    closed: / suppressed$/,
    whole: /^swiotlb_tbl_map_single: \d{1,20} callbacks suppressed$/,
  },
  {
    begins: /swiotlb: coherent/,
    closed: / size=\d{1,20}$/,
    whole: /swiotlb: coherent allocation failed for device \S{1,128} size=\d{1,20}$/,
  },
  {
    begins: /DMA: Out of/,
    closed: / at device \S{1,128}$/,
    whole: /DMA: Out of SW-IOMMU space for \d{1,20} bytes(?: at device \S{1,128})?$/,
  },
  {
    begins: /software IO TLB: (?:mapped|Reserved)/,
    closed: /\(\d{1,10}MB\)$|size \d{1,10} MiB$/,
    whole: new RegExp(
      `software IO TLB: (?:mapped \\[mem 0x${HEX}-0x${HEX}\\] \\(\\d{1,10}MB\\)` +
        `|Reserved memory: created restricted DMA pool at 0x${HEX}, size \\d{1,10} MiB)$`,
    ),
  },
  {
    begins: /(?:DMA|swiotlb) addr 0x|: overflow 0x/,
    closed: /bus limit [0-9a-f]{1,16}(?:\)\.)?$/,
    whole: new RegExp(
      `(?:addr 0x${HEX}\\+\\d{1,20} overflow \\(mask ${HEX}, bus limit ${HEX}\\)\\.` +
        `|: overflow 0x${HEX}\\+\\d{1,20} of DMA mask ${HEX} bus (?:mask|limit) ${HEX})$`,
    ),
  },
];

const TRACEPOINTS: WrappedKind[] = [
  {
    begins: /: (?:un)?map: IOMMU:/,
    closed: / (?:paddr=0x[0-9a-f]{1,16} |unmapped_)size=\d{1,20}$/,
    whole: new RegExp(
      `: (?:map: IOMMU: iova=${RANGE} paddr=0x${HEX} size=\\d{1,20}` +
        `|unmap: IOMMU: iova=${RANGE} size=\\d{1,20} unmapped_size=\\d{1,20})$`,
    ),
  },
  {
    begins: /: io_page_fault: IOMMU:/,
    closed: / flags=0x[0-9a-f]{4,16}$/,
    whole: new RegExp(`: io_page_fault: IOMMU:\\S{1,64} \\S{1,64} iova=0x${HEX} flags=0x${HEX}$`),
  },
  {
    begins: /: dma_(?:map|unmap|alloc|free|sync)[a-z_]{0,24}:(?: |$)/,
    closed: / attrs=\S*$/,
    whole:
      /: dma_(?:map|unmap|alloc|free|sync)[a-z_]{0,24}: \S{1,64}(?: [a-z_]{1,12}=\S*)+(?: \[TRUNCATED\])?$/,
  },
  {
    begins: /swiotlb_bounced:/,
    closed: / (?:NORMAL|FORCE|\d)$/,
    whole: new RegExp(
      `swiotlb_bounced: dev_name: \\S{1,64} dma_mask=${HEX} dev_addr=${HEX} size=\\d{1,20} \\S{1,20}$`,
    ),
  },
];

const FAULTS: WrappedKind[] = [
  {
    begins: /DMAR: \[/,
    closed: new RegExp(`\\[fault reason [0-9a-fx]{1,6}\\] (?:${FAULT_REASON}$|SM: )`),
    whole: new RegExp(
      `DMAR: \\[[^\\]]{1,40}\\] Request device \\[[^\\]]{1,20}\\] (?:PASID ${HEX} )?` +
        `fault addr (?:0x)?${HEX} \\[fault reason (?:0x)?[0-9a-f]{1,4}\\](?: ${FAULT_REASON}| SM: .{1,80})?$`,
    ),
  },
  {
    begins: /AMD-Vi: Event logged/,
    closed: /\]$/,
    whole: /AMD-Vi: Event logged \[[^[\]]{1,200}\]$/,
  },
  {
    begins: /DMA-API:(?: |$)|leaked entries details:/,
    closed: NEVER,
    whole:
      /(?:DMA-API: [^[\]]{1,200}|leaked entries details:)(?:(?: ?\[[^[\]]{1,80}\]){1,6}|overlapping mappings aren't supported|of cacheline \S{1,20})$/,
  },
];

/** Every kind; a text is taken for the first that it begins. */
export const WRAPPED_KINDS: readonly WrappedKind[] = [...SWIOTLB, ...TRACEPOINTS, ...FAULTS];
