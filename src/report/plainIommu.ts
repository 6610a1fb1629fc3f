import type { IommuFacts } from '../analysis/iommuFacts.js';
import type { DeviceAddressField } from '../events/iommu.js';
import { hex } from '../events/numbers.js';

/** An address of 64 bits, of which a number holds but 53. */
export function hexOf({ page, low }: DeviceAddressField): string {
  return page === 0 ? hex(low) : `${hex(page)}${low.toString(16).padStart(3, '0')}`;
}

/** The address of a page. */
export function hexOfPage(page: number): string {
  return hexOf({ page, low: 0 });
}

/** Page tables as they stand in JSON: addresses in hex, sizes in bytes. */
export function plainIommu(iommu: IommuFacts) {
  const { faults, collisions, shortUnmaps, bounced } = iommu;
  return {
    ...iommu,
    granule: iommu.granule ?? null,
    faults: {
      count: faults.count,
      first: faults.first.map(({ line, device, driver, address, flags, cause, isCertain }) => ({
        line,
        device,
        driver,
        iova: hexOf(address),
        flags: hex(flags),
        was: cause.was,
        mapLine: cause.was === 'never mapped' ? null : cause.mapLine,
        unmapLine: cause.was === 'unmapped' ? cause.unmapLine : null,
        seconds: cause.was === 'unmapped' ? Math.round(cause.seconds * 1e9) / 1e9 : null,
        certain: isCertain,
      })),
    },
    collisions: {
      count: collisions.count,
      first: collisions.first.map(({ line, device, pages, mappedLine }) => ({
        line,
        device,
        iova: hexOfPage(pages.first),
        size: (pages.last - pages.first + 1) * 4096,
        mappedLine,
      })),
    },
    shortUnmaps: {
      count: shortUnmaps.count,
      first: shortUnmaps.first.map(({ line, pages, size, unmappedSize }) => ({
        line,
        iova: hexOfPage(pages.first),
        size,
        unmappedSize,
      })),
    },
    bounced: { ...bounced, beyond: bounced.mapped - bounced.bytes },
  };
}

/** Page tables as reports have them. */
export type PlainIommu = ReturnType<typeof plainIommu>;
