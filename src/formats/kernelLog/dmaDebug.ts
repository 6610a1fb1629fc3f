import type { Recogniser } from './recogniser.js';

/**
 * What CONFIG_DMA_API_DEBUG complains of, by words that have been the same since 2009; the first that
 * stands in a message names it.
 */
const COMPLAINTS: readonly [words: string, complaint: string][] = [
  ['cacheline tracking EEXIST', 'overlap'],
  ['overlapping mappings of cacheline', 'overlap'],
  ['has pending DMA allocations while released', 'leak'],
  ['tries to free DMA memory it has not allocated', 'unmatched-free'],
  ['tries to free an invalid DMA memory address', 'unmatched-free'],
  ['tries to sync DMA memory it has not allocated', 'unmatched-sync'],
  ['with different size', 'size'],
  ['with wrong function', 'function'],
  ['with different CPU address', 'cpu-address'],
  ['with different direction', 'direction'],
  ['different attributes', 'attributes'],
  ['failed to check map error', 'unchecked-error'],
  ['maps memory from', 'forbidden-memory'],
  ['maps memory fromstack', 'forbidden-memory'],
  ['different sg entry count', 'sg-count'],
  ['outside allocated range', 'sync-range'],
  ['with invalid direction', 'direction'],
  ['longer than device claims to support', 'segment-length'],
  ['across boundary', 'segment-boundary'],
  ['accessing cacheline', 'overlap'],
];

/*
 * qla2xxx 0000:05:00.0: DMA-API: device driver frees DMA memory with different size [device address=...]
 * DMA-API: xhci_hcd 0000:30:00.3: cacheline tracking EEXIST, overlapping mappings aren't supported
 * DMA-API: exceeded 7 overlapping mappings of cacheline 0x0000000021d79e7b
 */
export const DMA_DEBUG: readonly Recogniser[] = [
  {
    literal: 'DMA-API: ',
    pattern:
      /(?:^|\s)(?:(?<before>\S{1,256}): )?DMA-API: (?:\S{1,64} (?<after>\S{1,255}[^\s:]): )?(?<text>\S.{0,240})/,
    fact(match) {
      const { before, after, text } = match.groups as Record<string, string | undefined>;
      const complaint = COMPLAINTS.find(([words]) => text?.includes(words));
      if (text === undefined || complaint === undefined) return undefined;
      return { kind: 'dma-debug', device: after ?? before, complaint: complaint[1], text };
    },
  },
];
