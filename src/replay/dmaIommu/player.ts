import type { ByteRange } from '../../dma/access.js';
import type { CoherentBuffer, PageSource } from '../../dma/coherent.js';
import {
  addressAfter,
  createDmaDevice,
  type DeviceAddress,
  type DmaDevice,
} from '../../dma/device.js';
import type { LinkRange } from '../../dma/link.js';
import { zero } from '../../dma/memory.js';
import type { SgEntry, SgSegment } from '../../dma/sync.js';
import { createDmaSystem, type DmaSystem } from '../../dma/system.js';
import type {
  DeviceAddressField,
  DeviceRange,
  DmaIommuTrace,
  DmaResult,
  DmaRow,
  PhysPiece,
} from '../../events/iommu.js';
import { hexAddress } from '../../events/numbers.js';
import type { IommuRelease } from '../../kernel/iommuRelease.js';
import { createAllocator } from '../../swiotlb/allocator.js';
import { createPool } from '../../swiotlb/pool.js';
import { DEFAULT_SEARCH, SEARCHERS } from '../../swiotlb/searchers.js';
import { createIdMap, type IdMap } from './idMap.js';
import { lowestPages } from './pages.js';

/** A mapping of the trace that is alive. */
export interface Mapping {
  /** Line of the call that made it. */
  line: number;
  /** That call. */
  op: DmaRow['op'];
  device: number;
  /** Bytes, direction and attributes that it was made with. */
  size: number;
  dir: number;
  attrs: number;
  /** Where it begins for the device; undefined for lists. */
  address: DeviceAddress | undefined;
  /** The bytes that are its own, where its device addresses lead. */
  owned: ByteRange[];
  entries: readonly SgEntry[];
  segments: readonly SgSegment[];
  buffer: CoherentBuffer | undefined;
  range: LinkRange | undefined;
  /** Bytes linked to the range. */
  linked: number;
  /** Granules that its call added to the page table. */
  granules: number;
  /** Numbers mappings of one page call, from 0 on; used again with them. -1 for others. */
  number: number;
  /** Where its segments began in the recorded kernel; undefined where the model has them there too. */
  recordedAt: DeviceAddress[] | undefined;
}

/** A machine that makes the calls of a trace. */
export interface Player {
  trace: DmaIommuTrace;
  system: DmaSystem;
  devices: DmaDevice[];
  live: IdMap<Mapping>;
  /** What the id of the row that is played names. */
  current: Mapping | undefined;
  /** How many mappings of one page call have a number. */
  numbers: number;
  /** Mappings of one page call that have ended, to be used again. */
  ended: Mapping[];
  /** Ids that the model could not map, and of which the trace records no failure: their rows do nothing. */
  missing: Set<number>;
  pages: PageSource;
  /** What rows at one device address gave, and the address that a row names; reused. */
  played: Played;
  named: DeviceAddress;
}

/** What a row gave: what stands in the columns dma and result, and in phys and crc. */
export interface Played {
  /** None where nothing was mapped. */
  dma: readonly DeviceRange[];
  /** `error` stands in place of a device address. */
  failed: boolean;
  result: DmaResult;
  /** Of rows that take pages. */
  phys: readonly PhysPiece[] | undefined;
  /** NaN where nothing was read. */
  crc: number;
  hangs: boolean;
  /** The row was not replayed: nothing that it could act on is there. */
  skipped: boolean;
}

/** Of calls without a result. */
export const nothing: Played = {
  dma: [],
  failed: false,
  result: '',
  phys: undefined,
  crc: Number.NaN,
  hangs: false,
  skipped: false,
};

const TOP_OF_RAM = 8 << 20;

/** A machine as a trace declares it, with nothing mapped. */
export function createPlayer(trace: DmaIommuTrace, release: IommuRelease): Player {
  const [line] = trace.pools;
  const areas = release.swiotlb.hasAreas ? line.areas : 1;
  const pool = createPool({ ...line, areas }, release.swiotlb.clampsTail);
  const { pageSize, cpus } = trace.kernel;
  const allocator = createAllocator(pool, false, SEARCHERS[DEFAULT_SEARCH]);
  const system = createDmaSystem(release, pageSize, allocator);
  zero(system.memory, line.base, line.nslabs * 2048);
  const devices = trace.devices.map((device) =>
    createDmaDevice(
      release,
      {
        ...device,
        domain: {
          ...device,
          cpus,
          forcedac: device.forcedac ?? false,
          apertureEnd: device.apertureEnd ?? Number.POSITIVE_INFINITY,
          busDmaLimit: device.busDmaLimit ?? Number.POSITIVE_INFINITY,
        },
      },
      allocator,
    ),
  );
  const { phys, length } = trace.ram ?? { phys: 0, length: 0 };
  const end = phys + length;
  const pages = lowestPages(end - TOP_OF_RAM, end, pageSize);
  const played = { ...nothing, dma: [{ page: 0, low: 0, length: Number.NaN }] };
  const live = createIdMap<Mapping>();
  return {
    trace,
    system,
    devices,
    live,
    current: undefined,
    numbers: 0,
    ended: [],
    missing: new Set(),
    pages,
    played,
    named: { pfn: 0, offset: 0 },
  };
}

/** A device address of a row in granules. */
export function addressOf({ page, low }: DeviceAddressField, granule: number): DeviceAddress {
  const pages = granule / 4096;
  return { pfn: Math.floor(page / pages), offset: (page % pages) * 4096 + low };
}

/** The same into an address that is used again. */
function fillAddress(
  address: DeviceAddress,
  { page, low }: DeviceAddressField,
  granule: number,
): void {
  const pages = granule / 4096;
  const pfn = Math.floor(page / pages);
  address.pfn = pfn;
  // What is left of a division: modulo of doubles takes longer.
  address.offset = (page - pfn * pages) * 4096 + low;
}

/** The mapping that a row made is live from now on. */
export function keep(player: Player, { id }: DmaRow, mapping: Mapping): void {
  player.live.set(id, mapping);
  player.current = mapping;
}

/** The mapping that a row names is not live any more. */
export function end(player: Player, { id }: DmaRow): void {
  player.live.delete(id);
  player.current = undefined;
}

/** Whether two device addresses, one as rows have it, are the same; a hot path. */
export function isSameAddress(
  { page, low }: DeviceAddressField,
  { pfn, offset }: DeviceAddress,
  granule: number,
): boolean {
  if (granule === 4096) return page === pfn && low === offset;
  const pages = granule / 4096;
  return Math.floor(page / pages) === pfn && (page % pages) * 4096 + low === offset;
}

/** Fills a device address as rows have it. */
export function setField(
  field: DeviceAddressField,
  { pfn, offset }: DeviceAddress,
  granule: number,
): void {
  const inPages = Math.floor(offset / 4096);
  field.page = pfn * (granule / 4096) + inPages;
  field.low = offset - inPages * 4096;
}

/** Where a mapping's segments begin for the device. */
function startsOf({ address, segments }: Mapping): DeviceAddress[] {
  return address === undefined ? segments.map((segment) => segment.address) : [address];
}

/** Whether a row says that a mapping begins elsewhere. */
function isElsewhere({ address, segments }: Mapping, { dma }: DmaRow, granule: number): boolean {
  const starts = address === undefined ? segments.length : 1;
  if (dma.length !== starts) return false;
  for (let n = 0; n < starts; n++) {
    if (!isSameAddress(dma[n], address ?? segments[n].address, granule)) return true;
  }
  return false;
}

/** Notes where the recorded kernel put a mapping, if that is elsewhere. */
export function noteRecorded(mapping: Mapping, row: DmaRow, granule: number): void {
  if (!isElsewhere(mapping, row, granule)) return;
  mapping.recordedAt = row.dma.map((field) => addressOf(field, granule));
}

/** Bytes from one device address to another. */
export function distance(from: DeviceAddress, to: DeviceAddress, granule: number): number {
  return (to.pfn - from.pfn) * granule + to.offset - from.offset;
}

/**
 * The device address that a row names. A release other than the recorded one may have put the mapping
 * elsewhere: then it is as far into that as the recorded one was.
 * @returns undefined where the row names none, and its id tells of no mapping; may be used again for the
 *   next row
 */
export function addressIn(
  { current: mapping, devices, named }: Player,
  { device, dma }: DmaRow,
): DeviceAddress | undefined {
  const { granule } = devices[device].table;
  if (dma.length === 0) return mapping === undefined ? undefined : startsOf(mapping)[0];
  fillAddress(named, dma[0], granule);
  const recordedAt = mapping?.recordedAt;
  if (mapping === undefined || recordedAt === undefined) return named;
  const starts = startsOf(mapping);
  let into = distance(recordedAt[0], named, granule);
  let start = starts[0];
  // The segments of a list need not lie in order: the nearest one below is meant.
  for (let n = 1; n < recordedAt.length; n++) {
    const bytes = distance(recordedAt[n], named, granule);
    if (bytes >= 0 && (into < 0 || bytes < into)) [into, start] = [bytes, starts[n]];
  }
  return addressAfter(start, into, granule);
}

/** A device address as traces print it. */
export function addressWords({ pfn, offset }: DeviceAddress, granule: number): string {
  return hexAddress(pfn, granule, offset);
}

const NONE: readonly never[] = [];

/** A mapping that a row makes, of which nothing else is known yet. A hot path. */
export function mappingOf(
  { line, op, device, size, dir, attrs }: DmaRow,
  address: DeviceAddress | undefined,
  owned: ByteRange[],
): Mapping {
  return {
    line,
    op,
    device,
    size,
    dir,
    attrs,
    address,
    owned,
    entries: NONE,
    segments: NONE,
    buffer: undefined,
    range: undefined,
    linked: 0,
    granules: 0,
    number: -1,
    recordedAt: undefined,
  };
}

/** The mapping that a row for one buffer makes: one that has ended, where there is any. */
export function pageMappingOf(
  player: Player,
  row: DmaRow,
  { pfn, offset }: DeviceAddress,
  phys: number,
): Mapping {
  const again = player.ended.pop();
  if (again?.address === undefined) {
    const made = mappingOf(row, { pfn, offset }, [{ start: phys, length: row.size }]);
    made.number = player.numbers++;
    return made;
  }
  const { address, owned } = again;
  again.line = row.line;
  again.device = row.device;
  again.size = row.size;
  again.dir = row.dir;
  again.attrs = row.attrs;
  again.recordedAt = undefined;
  address.pfn = pfn;
  address.offset = offset;
  owned[0].start = phys;
  owned[0].length = row.size;
  return again;
}

/** Lets a mapping that is not live any more be used again, if a row for one buffer made it. */
export function reuseMapping({ ended }: Player, mapping: Mapping): void {
  if (mapping.op === 'map_page') ended.push(mapping);
}
