import { type BareFact, bigintOf, type Recogniser } from './recogniser.js';

function cma(trouble: 'overlap' | 'setup' | 'allocation'): (match: RegExpExecArray) => BareFact {
  return ([text]) => ({ kind: 'cma', trouble, text, region: undefined });
}

const HEX = '0x[0-9a-f]{1,16}';

/*
 * Reserved memory: overlap with other memblock reserved region
 * OF: reserved mem: failed to allocate memory for node 'linux,cma'
 * cma: cma_alloc: linux,cma: alloc failed, req-size: 900 pages, ret: -16
 *                -> #2 (free_entries_lock){-.-.}-{2:2}:
 * CPU: 0 PID: 26184 Comm: insmod Tainted: G           O    4.9.0-7-amd64 #1 Debian 4.9.110-1
 * /sys/kernel/debug/swiotlb/io_tlb_used:18446744073709551615
 * iommu: map: iova 0x6e200000 pa 0x00000004f4800000 size 0x400000
 * iommu: unmapped: iova 0x1a600000 size 0x400000
 * map: IOMMU: iova=0x00000000fe980000 - 0x00000000fea00000 paddr=0x000000010ec80000 size=524288
 */
export const OTHER_FACTS: readonly Recogniser[] = [
  {
    literal: 'Linux version ',
    pattern: /^Linux version \d.{1,400}/,
    fact: ([banner]) => ({ kind: 'boot', banner }),
  },
  {
    literal: 'overlap with other memblock reserved region',
    pattern: /Reserved memory: overlap with other memblock reserved region/,
    fact: cma('overlap'),
  },
  {
    literal: 'Reserved memory: ',
    pattern: /Reserved memory: (?:unable to setup CMA region|incorrect alignment of CMA region).*/,
    fact: cma('setup'),
  },
  {
    literal: 'cma: ',
    pattern: /cma: (?:Failed to reserve .{1,80}|cma_alloc: .{1,80}alloc failed.{0,80})/,
    fact: (match) => cma(match[0].includes('alloc failed') ? 'allocation' : 'setup')(match),
  },
  {
    literal: 'reserved mem: ',
    pattern: /reserved mem: [Ff]ailed to (?:allocate|reserve) memory for node \S{0,100}cma.{0,100}/,
    fact: cma('setup'),
  },
  {
    literal: '(free_entries_lock)',
    pattern: /\(free_entries_lock\)\{/,
    fact: () => ({ kind: 'lockdep', lock: 'free_entries_lock' }),
  },
  {
    literal: 'ainted',
    pattern:
      /CPU: \d.{1,120} (?:Not t|T)ainted(?:: [A-Z ]{1,40})? (\d{1,3}\.\d{1,3}\S{0,100}(?: .{1,100})?)/,
    fact: ([, name]) => ({ kind: 'kernel', name: name.trim() }),
  },
  {
    literal: 'io_tlb_',
    pattern: /\/(io_tlb_\w{1,40})\s?[: =]\s?(\d{1,20})\b/,
    fact: ([, name, value]) => ({ kind: 'debugfs', name, value: BigInt(value) }),
  },
  {
    literal: 'iommu: map: iova ',
    pattern: new RegExp(`iommu: map: iova (${HEX}) pa (${HEX}) size (${HEX})`),
    fact: ([, iova, pa, size]) => mapping('map', iova, size, pa),
  },
  {
    literal: 'iommu: unmapped: iova ',
    pattern: new RegExp(`iommu: unmapped: iova (${HEX}) size (${HEX})`),
    fact: ([, iova, size]) => mapping('unmap', iova, size),
  },
  {
    literal: 'map: IOMMU: iova=',
    pattern: new RegExp(
      `\\b(un)?map: IOMMU: iova=(${HEX})(?: - ${HEX})? (?:paddr=(${HEX}) )?size=(\\d{1,15})`,
    ),
    fact: ([, un, iova, pa, size]) => mapping(un ? 'unmap' : 'map', iova, size, pa),
  },
];

function mapping(
  op: 'map' | 'unmap',
  iova: string,
  size: string,
  physAddr?: string,
): BareFact | undefined {
  if (BigInt(size) === 0n) return undefined;
  return {
    kind: 'iommu-map',
    op,
    iova: BigInt(iova),
    size: BigInt(size),
    physAddr: bigintOf(physAddr),
  };
}
