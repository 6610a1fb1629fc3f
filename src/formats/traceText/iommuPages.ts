import type { PageRange } from '../../events/iommuRecords.js';

/** The smallest page of an IOMMU, bytes; an address without its low bits is exact in a double. */
const PAGE = 4096;

const LOW_DIGITS = 3;

/** Pages of 64 bits of address. */
const MAX_PAGES = 2 ** 52;

/** The number of the page of an address in hex without `0x`. */
export function pageOf(hex: string): number {
  return hex.length <= LOW_DIGITS ? 0 : Number.parseInt(hex.slice(0, -LOW_DIGITS), 16);
}

/** The place of an address in its page. */
export function lowOf(hex: string): number {
  return Number.parseInt(hex.slice(-LOW_DIGITS), 16);
}

/** The pages that `bytes` from an address on lie in; undefined for none, and beyond 64 bits. */
export function pagesOf(hex: string, bytes: number): PageRange | undefined {
  const first = pageOf(hex);
  const last = first + Math.ceil((lowOf(hex) + bytes) / PAGE) - 1;
  return last >= first && last < MAX_PAGES ? { first, last } : undefined;
}
