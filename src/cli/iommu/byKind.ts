import { UserError } from '../../events/errors.js';
import { IOMMU_FORMATS, type IommuFormat, recogniseIommu } from '../../formats/iommuRead.js';
import { openSource, type Source } from '../../source/open.js';
import type { ReplayOptions } from '../options.js';
import type { Output } from '../output.js';
import type { IommuInput } from './run.js';

/** Which IOMMU trace a source is, told by its content unless the user says what it is. */
export function iommuFormatOf(
  source: Source,
  { inputFormat }: ReplayOptions,
): IommuFormat | undefined {
  if (inputFormat === undefined) return recogniseIommu(source.head);
  return IOMMU_FORMATS.find((format) => format === inputFormat);
}

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
      const format = iommuFormatOf(source, options);
      if (format !== undefined) return await iommu({ path, source, format }, output);
      refuseIommuOptions(path, options);
      return await swiotlb(path, output, source);
    } finally {
      source.close();
    }
  };
}

/** Opens a trace for a command that knows those of swiotlb only. */
export async function openSwiotlbTrace(path: string, options: ReplayOptions): Promise<Source> {
  const source = await openSource(path);
  const format = iommuFormatOf(source, options);
  if (format === undefined) return source;
  source.close();
  throw new UserError(
    `${path}: is an IOMMU trace (${format}), which replay, verify, identify, check and diff of two sides know, and this does not`,
  );
}
