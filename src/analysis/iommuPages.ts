import type { IommuRecord, PageRange } from '../events/iommuRecords.js';
import type { IommuFault } from './iommuFacts.js';
import type { IommuHistory } from './iommuHistory.js';
import { type Owner, overlapsOf } from './iommuOwners.js';

/** Bytes of the pages that ranges count. */
export const PAGE = 4096;

/** Whether a range lies in another. */
export function within(inner: PageRange, outer: PageRange): boolean {
  return inner.first >= outer.first && inner.last <= outer.last;
}

/** Whether two ranges have a page in common. */
export function overlap(a: PageRange, b: PageRange): boolean {
  return a.first <= b.last && a.last >= b.first;
}

/** Pages of a range. */
export function lengthOf({ first, last }: PageRange): number {
  return last - first + 1;
}

/** The largest power of two that divides what it did so far and the numbers of another map. */
export function granuleWith(
  soFar: number | undefined,
  { pages, phys }: Extract<IommuRecord, { kind: 'map' }>,
): number {
  let granule = soFar ?? 2 ** 52 * PAGE;
  const numbers = [pages.first * PAGE, lengthOf(pages) * PAGE, phys];
  while (granule > PAGE && numbers.some((number) => number % granule !== 0)) granule /= 2;
  return granule;
}

/**
 * What the page of a fault had been: in the device's own page table, or else in one of those whose
 * devices are not known.
 */
export function causeOfFault(
  { address, time }: Extract<IommuRecord, { kind: 'fault' }>,
  own: Owner | undefined,
  unknown: Owner,
  history: IommuHistory,
): Pick<IommuFault, 'cause' | 'isCertain'> {
  const pages = { first: address.page, last: address.page };
  const [elsewhere] = overlapsOf(unknown, pages);
  for (const owner of [own, unknown]) {
    if (owner === undefined) continue;
    const isOwn = owner !== unknown;
    const [live] = overlapsOf(owner, pages);
    if (live !== undefined) {
      const isCertain = isOwn && !live.isDoubtful;
      return { cause: { was: 'mapped', mapLine: live.line }, isCertain };
    }
    const past = history.lastOf(address.page, ({ device }) => device === owner.device);
    if (past !== undefined) {
      const { mapLine, unmapLine, unmapTime } = past;
      const seconds = time - unmapTime;
      // A map of an unknown device may have been this one's.
      const isCertain = isOwn && past.isCertain && elsewhere === undefined;
      return { cause: { was: 'unmapped', mapLine, unmapLine, seconds }, isCertain };
    }
  }
  return { cause: { was: 'never mapped' }, isCertain: false };
}
