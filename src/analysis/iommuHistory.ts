import type { PageRange } from '../events/iommuRecords.js';

/** A mapping that is gone. */
export interface PastMapping {
  device: string;
  mapLine: number;
  unmapLine: number;
  unmapTime: number;
  /** It is known that the unmap was of this mapping. */
  isCertain: boolean;
}

/** The last mappings that were unmapped. */
export interface IommuHistory {
  add(pages: PageRange, past: PastMapping): void;
  /** The one unmapped last of those that held a page and that `isWanted`. */
  lastOf(page: number, isWanted: (past: PastMapping) => boolean): PastMapping | undefined;
}

/** Mappings that are remembered: a device that comes late comes soon after. */
const REMEMBERED = 65_536;

/** A history of nothing. */
export function createIommuHistory(capacity = REMEMBERED): IommuHistory {
  const first: number[] = [];
  const last: number[] = [];
  const pasts: PastMapping[] = [];
  let added = 0;

  return {
    add(pages, past) {
      const at = added++ % capacity;
      first[at] = pages.first;
      last[at] = pages.last;
      pasts[at] = past;
    },
    lastOf(page, isWanted) {
      for (let n = added - 1; n >= Math.max(0, added - capacity); n--) {
        const at = n % capacity;
        if (first[at] <= page && page <= last[at] && isWanted(pasts[at])) return pasts[at];
      }
      return undefined;
    },
  };
}
