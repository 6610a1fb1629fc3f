import { InvalidArgumentError, type Option } from 'commander';
import { PAGE_SIZES } from '../../kernel/constants.js';
import type { IommuOverride } from '../../replay/iommuOverrides.js';
import { flagOf, maskOf, numberBelow, readPairs, repeatable } from '../pairs.js';

function granuleOf(text: string): number {
  const kib = /^(\d{1,2})k$/i.exec(text);
  const granule = kib === null ? Number(text) : Number(kib[1]) * 1024;
  if (!PAGE_SIZES.includes(granule)) {
    throw new InvalidArgumentError(`granule=${text} is none of ${PAGE_SIZES.join(', ')}.`);
  }
  return granule;
}

/** A last byte; 0 stands for none, as in traces. */
function lastByteOf(text: string): number {
  const value = maskOf(text);
  return value === 0 ? Number.POSITIVE_INFINITY : value;
}

function parseIommu(text: string): IommuOverride {
  return readPairs<IommuOverride>(
    text,
    {
      granule: (value, iommu) => {
        iommu.granule = granuleOf(value);
      },
      lazy: (value, iommu) => {
        iommu.lazy = flagOf('lazy', value);
      },
      forcedac: (value, iommu) => {
        iommu.forcedac = flagOf('forcedac', value);
      },
      pci: (value, iommu) => {
        iommu.pci = flagOf('pci', value);
      },
      start_pfn: (value, iommu) => {
        iommu.startPfn = numberBelow(2 ** 40, value);
      },
      aperture_end: (value, iommu) => {
        iommu.apertureEnd = lastByteOf(value);
      },
      bus_dma_limit: (value, iommu) => {
        iommu.busDmaLimit = lastByteOf(value);
      },
    },
    {},
  );
}

/** `--iommu`: what the user says about every domain of an IOMMU trace. */
export function iommuOption(): Option {
  return repeatable(
    '--iommu <K=V,...>',
    'for IOMMU traces: granule= lazy= forcedac= pci= start_pfn= aperture_end= bus_dma_limit= of\n' +
      'every domain, instead of what the trace declares',
    parseIommu,
  );
}
