import { DEVICE, deviceOf, type Recogniser } from './recogniser.js';

/*
 * nvme 0000:00:01.0: swiotlb buffer is full (sz: 327680 bytes), total 32768 (slots), used 32 (slots)
 * sdhci-iproc fe340000.emmc2: swiotlb buffer is full (sz: 65536 bytes)          (before v5.0)
 * sdhci-iproc fe340000.emmc2: DMA: Out of SW-IOMMU space for 65536 bytes        (right after it)
 * DMA: Out of SW-IOMMU space for 16384 bytes at device 08:00.0                  (2.6)
 * swiotlb: coherent allocation failed for device udmabuf.0 size=8388608         (up to 4.1x)
 * swiotlb_tbl_map_single: 67451 callbacks suppressed
 */
export const REFUSALS: readonly Recogniser[] = [
  {
    literal: 'swiotlb buffer is full (sz: ',
    // A message of which the totals are missing ends after the size; one that goes on is cut.
    pattern: new RegExp(
      `${DEVICE}swiotlb buffer is full \\(sz: (?<size>\\d{1,15}) bytes\\)` +
        '(?:, ?total (?<total>\\d{1,15}) \\(slots\\), used (?<used>\\d{1,15}) \\(slots\\)|\\s*$)',
    ),
    fact(match) {
      const { size, total, used } = match.groups as Record<string, string | undefined>;
      return {
        kind: 'refusal',
        message: 'full',
        device: deviceOf(match),
        size: Number(size),
        total: total === undefined ? undefined : Number(total),
        used: used === undefined ? undefined : Number(used),
      };
    },
  },
  {
    literal: 'Out of SW-IOMMU space for ',
    pattern: new RegExp(
      `${DEVICE}DMA: Out of SW-IOMMU space for (?<size>\\d{1,15}) bytes(?: at device (?<at>\\S{1,256}))?`,
    ),
    fact: (match) => ({
      kind: 'refusal',
      message: 'out-of-space',
      device: match.groups?.at ?? deviceOf(match),
      size: Number(match.groups?.size),
      total: undefined,
      used: undefined,
    }),
  },
  {
    literal: 'coherent allocation failed',
    pattern:
      /swiotlb: coherent allocation failed for device (?<device>\S{1,256}) size=(?<size>\d{1,15})/,
    fact: (match) => ({
      kind: 'refusal',
      message: 'coherent',
      device: match.groups?.device,
      size: Number(match.groups?.size),
      total: undefined,
      used: undefined,
    }),
  },
  {
    literal: ' callbacks suppressed',
    pattern: /(?:^|\s)(\w{1,64}): (\d{1,12}) callbacks suppressed/,
    fact: ([, name, count]) => ({ kind: 'suppressed', function: name, count: Number(count) }),
  },
];
