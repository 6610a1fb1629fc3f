import { NO_PFN } from '../iommu/iovaTree.js';
import { runAt, unmapGranules } from '../iommu/pageTable.js';
import { addressAfter, type DmaDevice } from './device.js';
import {
  attrsAfterSync,
  freeUnmapped,
  granulesOf,
  mapOne,
  mapOrCollide,
  rightsOf,
  takeAddresses,
  unmapOne,
  unmapRange,
} from './mapping.js';
import { type SgEntry, type SgSegment, syncSg } from './sync.js';
import { Attr, type DmaSystem, skipsSync } from './system.js';

/** An entry's place in the one range of device addresses of a list. */
interface Placed {
  entry: SgEntry;
  /** Bytes from the granule's start to the data. */
  offset: number;
  /** Bytes of device addresses: whole granules, and the gap to the next segment boundary. */
  stretched: number;
}

/** -EINVAL: what map_sg returns for every failure to map that is not about memory. */
const EINVAL = -22;

/**
 * dma_map_sg() of a device behind an IOMMU.
 * @returns the segments, or what the kernel returns on a failure: 0, or a negative errno; `endless`
 *   where it never returns
 */
export function mapSg(
  system: DmaSystem,
  device: DmaDevice,
  entries: readonly SgEntry[],
  dir: number,
  attrs: number,
): SgSegment[] | number | 'endless' {
  const syncsFirst = !device.untrusted || system.release.dma.syncsSgBeforeMap;
  if (syncsFirst && !skipsSync(attrs)) syncSg(system, device, entries, [], dir, 'device');
  if (device.untrusted && system.release.dma.bounces) {
    return mapEach(system, device, entries, dir, attrs);
  }
  return mapTogether(system, device, entries, dir);
}

/** Each entry by itself, so that each can be bounced (iommu_dma_map_sg_swiotlb()). */
function mapEach(
  system: DmaSystem,
  device: DmaDevice,
  entries: readonly SgEntry[],
  dir: number,
  attrs: number,
): SgSegment[] | number | 'endless' {
  const segments: SgSegment[] = [];
  for (const { phys, length } of entries) {
    const mapped = mapOne(system, device, phys, length, dir, attrs);
    if (typeof mapped === 'string') {
      const skipping = attrs | Attr.skipCpuSync;
      for (const { address, length } of segments) {
        const { pfn } = address;
        const count = (runAt(device.table, pfn)?.hi ?? pfn - 1) - pfn + 1;
        system.effects.undone.push({ pfn, count });
        unmapOne(system, device, address, length, dir, skipping);
      }
      return mapped === 'endless' ? mapped : system.release.dma.sgErrors.bounce;
    }
    segments.push({ address: { ...mapped.address }, length });
  }
  return segments;
}

/** Lays entries out behind each other, so that none crosses a segment boundary. */
function placeEntries(device: DmaDevice, entries: readonly SgEntry[]): Placed[] {
  const { granule } = device.table;
  const period = device.segBoundaryMask + 1;
  const placed: Placed[] = [];
  let total = 0;
  for (const entry of entries) {
    const offset = entry.phys % granule;
    const length = granulesOf(granule, offset, entry.length) * granule;
    const past = period === Number.POSITIVE_INFINITY ? 0 : total % period;
    const pad = past === 0 ? 0 : period - past;
    if (pad > 0 && pad < length - 1) {
      placed[placed.length - 1].stretched += pad;
      total += pad;
    }
    total += length;
    placed.push({ entry, offset, stretched: length });
  }
  return placed;
}

/** All entries in one range of device addresses (iommu_dma_map_sg()). */
function mapTogether(
  system: DmaSystem,
  device: DmaDevice,
  entries: readonly SgEntry[],
  dir: number,
): SgSegment[] | number {
  const { table } = device;
  const { granule } = table;
  const placed = placeEntries(device, entries);
  const count = placed.reduce((sum, { stretched }) => sum + stretched / granule, 0);
  if (count === 0) return [];
  const { addresses } = system.release.dma.sgErrors;
  const pfn = takeAddresses(system, device, count);
  if (pfn === NO_PFN) return addresses;
  let at = pfn;
  for (const { entry, offset, stretched } of placed) {
    const granules = stretched / granule;
    if (!mapOrCollide(system, table, at, granules, entry.phys - offset, rightsOf(dir))) {
      unmapGranules(table, pfn, at - pfn);
      freeUnmapped(system, device, pfn, count);
      return addresses === 0 ? 0 : EINVAL;
    }
    at += granules;
  }
  return joinSegments(device, placed, pfn);
}

/** Entries that continue each other become one segment (__finalise_sg()). */
function joinSegments(device: DmaDevice, placed: readonly Placed[], pfn: number): SgSegment[] {
  const { segBoundaryMask, maxSegSize } = device;
  const { granule } = device.table;
  const segments: SgSegment[] = [];
  let current: SgSegment | undefined;
  let start = { pfn, offset: 0 };
  for (const { entry, offset, stretched } of placed) {
    const { length } = entry;
    const fits = current !== undefined && maxSegSize - current.length >= length;
    if (current !== undefined && fits && offset === 0 && !isOnBoundary(device, start.pfn)) {
      current.length += length;
    } else {
      current = { address: addressAfter(start, offset, granule), length };
      segments.push(current);
    }
    start = addressAfter(start, stretched, granule);
    if (length + offset < stretched) current = undefined;
  }
  return segments;

  function isOnBoundary({ table }: DmaDevice, at: number): boolean {
    if (segBoundaryMask === Number.POSITIVE_INFINITY) return at === 0;
    const granules = (segBoundaryMask + 1) / table.granule;
    return granules <= 1 || at % granules === 0;
  }
}

/**
 * dma_unmap_sg() of a device behind an IOMMU.
 * @param segments what mapSg() returned for the entries
 */
export function unmapSg(
  system: DmaSystem,
  device: DmaDevice,
  entries: readonly SgEntry[],
  segments: readonly SgSegment[],
  dir: number,
  attrs: number,
): void {
  const { bounces, unmapCopies } = system.release.dma;
  const isEach = device.untrusted && bounces;
  const syncsFirst = (!isEach || unmapCopies !== 'release') && !skipsSync(attrs);
  if (syncsFirst) syncSg(system, device, entries, segments, dir, 'cpu');
  if (isEach) {
    const left = syncsFirst ? attrsAfterSync(system, attrs) : attrs;
    for (const { address, length } of segments) {
      unmapOne(system, device, address, length, dir, left);
    }
    return;
  }
  if (segments.length === 0) return;
  const { granule } = device.table;
  const first = segments[0].address;
  const last = segments[segments.length - 1];
  const granules = last.address.pfn - first.pfn;
  const size = granules * granule + last.address.offset - first.offset + last.length;
  unmapRange(system, device, first, size);
}
