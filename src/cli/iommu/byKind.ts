import { UserError } from '../../events/errors.js';
import { IOMMU_FORMATS } from '../../formats/iommuRead.js';
import { iommuFormatOf } from '../../pipeline/feed.js';
import { openSource, type Source } from '../../source/open.js';
import type { ReplayOptions } from '../options.js';
import type { Output } from '../output.js';
import type { IommuInput } from './run.js';

/** @throws UserError for options that say nothing about a trace of the slot allocator */
export function refuseIommuOptions(path: string, { iommu, device }: ReplayOptions): void {
  if (iommu.length > 0) {
    throw new UserError(`${path}: --iommu is for IOMMU traces (${IOMMU_FORMATS.join(', ')})`);
  }
  if (device.some(({ untrusted }) => untrusted !== undefined)) {
    throw new UserError(
      `${path}: --device with untrusted= is for dma-iommu traces; in this one all is bounced already`,
    );
  }
}

/**
 * Does with each trace what its kind asks for: this is where IOMMU traces part from those of swiotlb.
 * @param iommu what to do with an `#iova-trace` or `#dma-iommu-trace`
 * @param swiotlb what to do with any other
 */
export function byKind(
  options: ReplayOptions,
  iommu: (input: IommuInput, output: Output) => Promise<number>,
  swiotlb: (path: string, output: Output, source: Source) => Promise<number>,
): (path: string, output: Output) => Promise<number> {
  return async (path, output) => {
    const source = await openSource(path);
    try {
      const format = iommuFormatOf(source, options.inputFormat);
      if (format !== undefined) return await iommu({ path, source, format }, output);
      refuseIommuOptions(path, options);
      return await swiotlb(path, output, source);
    } finally {
      source.close();
    }
  };
}
