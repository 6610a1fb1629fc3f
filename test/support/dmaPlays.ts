import { type ByteRange, deviceRead, deviceWrite } from '../../src/dma/access.js';
import {
  allocCoherent,
  type CoherentBuffer,
  freeCoherent,
  type PageSource,
} from '../../src/dma/coherent.js';
import {
  addressAfter,
  createDmaDevice,
  type DeviceAddress,
  type DmaDevice,
} from '../../src/dma/device.js';
import {
  allocLinkRange,
  destroyLinkRange,
  type LinkRange,
  linkPiece,
  unlinkPieces,
} from '../../src/dma/link.js';
import { leadsTo, mapPage } from '../../src/dma/mapping.js';
import { type Piece, read, write, zero } from '../../src/dma/memory.js';
import { mapSg, unmapSg } from '../../src/dma/scatter.js';
import { type SgEntry, type SgSegment, syncSg, syncSingle } from '../../src/dma/sync.js';
import { createDmaSystem, type DmaSystem } from '../../src/dma/system.js';
import { unmapPage } from '../../src/dma/unmapping.js';
import type { DeviceAddressField, DmaIommuTrace, DmaRow } from '../../src/events/iommu.js';
import type { IommuRelease } from '../../src/kernel/iommuRelease.js';
import { createAllocator } from '../../src/swiotlb/allocator.js';
import { createPool } from '../../src/swiotlb/pool.js';
import { searchLinear } from '../../src/swiotlb/search.js';
import { lowestPages } from './buddyPages.js';
import { crcOf } from './patternBytes.js';

/** A mapping of the trace that is alive. */
interface Live {
  device: number;
  /** The bytes that are its own, where its device addresses lead. */
  owned: ByteRange[];
  entries: SgEntry[];
  segments: SgSegment[];
  buffer: CoherentBuffer | undefined;
  range: LinkRange | undefined;
  /** Bytes linked to the range. */
  linked: number;
}

export interface Player {
  trace: DmaIommuTrace;
  system: DmaSystem;
  devices: DmaDevice[];
  live: Map<number, Live>;
  /** Seeds by the line of their write. */
  seeds: Map<number, number>;
  pages: PageSource;
}

/** What a row gave: what stands in the columns dma and result, and in crc. */
export interface Outcome {
  dma: string;
  result: string;
  phys?: string;
  crc?: number;
  hangs?: boolean;
}

const TOP_OF_RAM = 8 << 20;

export function createPlayer(trace: DmaIommuTrace, release: IommuRelease): Player {
  const [line] = trace.pools;
  const areas = release.swiotlb.hasAreas ? line.areas : 1;
  const pool = createPool({ ...line, areas }, release.swiotlb.clampsTail);
  const { pageSize, cpus } = trace.kernel;
  const allocator = createAllocator(pool, false, searchLinear);
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
          forcedac: false,
          apertureEnd: Number.POSITIVE_INFINITY,
          busDmaLimit: Number.POSITIVE_INFINITY,
        },
      },
      allocator,
    ),
  );
  const { phys, length } = trace.ram ?? { phys: 0, length: 0 };
  const end = phys + length;
  const pages = lowestPages(end - TOP_OF_RAM, end, pageSize);
  return { trace, system, devices, live: new Map(), seeds: new Map(), pages };
}

export function hex(value: number): string {
  return `0x${value.toString(16)}`;
}

function addressOf({ page, low }: DeviceAddressField, granule: number): DeviceAddress {
  const pages = granule / 4096;
  return { pfn: Math.floor(page / pages), offset: (page % pages) * 4096 + low };
}

function addressWords({ pfn, offset }: DeviceAddress, granule: number): string {
  return `0x${(BigInt(pfn) * BigInt(granule) + BigInt(offset)).toString(16)}`;
}

function liveOf(device: number): Live {
  return {
    device,
    owned: [],
    entries: [],
    segments: [],
    buffer: undefined,
    range: undefined,
    linked: 0,
  };
}

type Play = (player: Player, device: DmaDevice, row: DmaRow) => Outcome;

export const nothing: Outcome = { dma: '', result: '' };

const mapPageRow: Play = ({ system, live }, device, row) => {
  const { size, dir, attrs } = row;
  const mapped = mapPage(system, device, row.phys[0].phys, size, dir, attrs);
  if (mapped === 'endless') return { dma: 'error', result: 'hang', hangs: true };
  if (mapped === 'collision') return { dma: 'error', result: mapped };
  if (typeof mapped === 'string') return { dma: 'error', result: 'fail' };
  const owned = [{ start: mapped.phys, length: size }];
  live.set(row.id, { ...liveOf(row.device), owned });
  return { dma: addressWords(mapped.address, device.table.granule), result: hex(mapped.phys) };
};

const unmapPageRow: Play = ({ system, live }, device, row) => {
  const { granule } = device.table;
  const address = addressOf(row.dma[0], granule);
  unmapPage(system, device, address, row.size, row.dir, row.attrs);
  live.delete(row.id);
  return { dma: addressWords(address, granule), result: '' };
};

const mapSgRow: Play = ({ system, live }, device, row) => {
  const entries = row.phys;
  const segments = mapSg(system, device, entries, row.dir, row.attrs);
  if (segments === 'endless') return { dma: 'error', result: 'hang', hangs: true };
  if (typeof segments === 'number') return { dma: 'error', result: String(segments) };
  const owned = device.untrusted
    ? segments.map(({ address, length }) => ({ start: leadsTo(device, address), length }))
    : entries.map(({ phys, length }) => ({ start: phys, length }));
  live.set(row.id, { ...liveOf(row.device), owned, entries, segments });
  const words = segments.map(
    ({ address, length }) => `${addressWords(address, device.table.granule)}+${length}`,
  );
  return { dma: words.join(';'), result: String(segments.length) };
};

function liveAt({ live }: Player, row: DmaRow): Live {
  const found = live.get(row.id);
  if (found === undefined) throw new Error(`line ${row.line}: no live ${row.id}`);
  return found;
}

const unmapSgRow: Play = (player, device, row) => {
  const { entries, segments } = liveAt(player, row);
  unmapSg(player.system, device, entries, segments, row.dir, row.attrs);
  player.live.delete(row.id);
  return nothing;
};

const syncSgRow =
  (who: 'cpu' | 'device'): Play =>
  (player, device, row) => {
    const { entries, segments } = liveAt(player, row);
    syncSg(player.system, device, entries, segments, row.dir, who);
    return nothing;
  };

const syncSingleRow =
  (who: 'cpu' | 'device'): Play =>
  ({ system }, device, row) => {
    const address = addressOf(row.dma[0], device.table.granule);
    syncSingle(system, device, address, row.size, row.dir, who);
    return { dma: addressWords(address, device.table.granule), result: '' };
  };

function crcIn({ trace, seeds }: Player, pieces: readonly Piece[]): number {
  return crcOf(pieces, trace.ram?.phys ?? 0, seeds);
}

const cpuWriteRow: Play = ({ system, seeds }, _, row) => {
  seeds.set(row.line, row.attrs);
  const start = row.phys[0].phys;
  write(system.memory, start, row.size, row.line, 0, 0);
  return nothing;
};

const cpuReadRow: Play = (player, _, row) => {
  const pieces = read(player.system.memory, row.phys[0].phys, row.size);
  return { ...nothing, crc: crcIn(player, pieces) };
};

const devWriteRow: Play = ({ system, seeds }, device, row) => {
  seeds.set(row.line, row.attrs);
  const address = addressOf(row.dma[0], device.table.granule);
  const written = deviceWrite(system, device, address, row.size);
  return { dma: addressWords(address, device.table.granule), result: String(written) };
};

const devReadRow: Play = (player, device, row) => {
  const address = addressOf(row.dma[0], device.table.granule);
  const pieces = deviceRead(player.system, device, address, row.size);
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  return {
    dma: addressWords(address, device.table.granule),
    result: String(length),
    crc: crcIn(player, pieces),
  };
};

/** Physical stretches of device addresses, joined where they continue each other. */
function runsOf(device: DmaDevice, { pfn }: DeviceAddress, size: number): ByteRange[] {
  const { granule } = device.table;
  const runs: ByteRange[] = [];
  for (let n = 0; n < Math.ceil(size / granule); n++) {
    const start = leadsTo(device, { pfn: pfn + n, offset: 0 });
    const last = runs.at(-1);
    if (last !== undefined && last.start + last.length === start) last.length += granule;
    else runs.push({ start, length: granule });
  }
  return runs;
}

/** The first bytes of ranges. */
function firstBytes(ranges: readonly ByteRange[], size: number): ByteRange[] {
  let left = size;
  return ranges.map(({ start, length }) => {
    const taken = Math.min(length, left);
    left -= taken;
    return { start, length: taken };
  });
}

const allocRow: Play = ({ system, live, pages }, device, row) => {
  const buffer = allocCoherent(system, device, row.size, row.attrs, pages);
  if (typeof buffer === 'string') return { dma: 'error', result: '', phys: '' };
  const runs = runsOf(device, buffer.address, row.size);
  live.set(row.id, { ...liveOf(row.device), buffer, owned: firstBytes(runs, row.size) });
  return {
    dma: addressWords(buffer.address, device.table.granule),
    result: '',
    phys: runs.map(({ start, length }) => `${hex(start)}+${length}`).join(';'),
  };
};

const freeRow: Play = (player, device, row) => {
  const { buffer } = liveAt(player, row);
  if (buffer === undefined) throw new Error(`line ${row.line}: ${row.id} was not allocated`);
  freeCoherent(player.system, device, buffer, player.pages);
  player.live.delete(row.id);
  return { dma: addressWords(buffer.address, device.table.granule), result: '' };
};

const iovaAllocRow: Play = ({ system, live }, device, row) => {
  const range = allocLinkRange(system, device, row.phys[0].phys, row.size);
  if (range === undefined) return { dma: 'error', result: '' };
  live.set(row.id, { ...liveOf(row.device), range });
  return { dma: addressWords(range.start, device.table.granule), result: '' };
};

function rangeOf(player: Player, row: DmaRow): { mapping: Live; range: LinkRange } {
  const mapping = liveAt(player, row);
  if (mapping.range === undefined) throw new Error(`line ${row.line}: ${row.id} is no range`);
  return { mapping, range: mapping.range };
}

/** Where bytes of device addresses lead, granule by granule. */
function ownedFrom(device: DmaDevice, from: DeviceAddress, size: number): ByteRange[] {
  const { granule } = device.table;
  const owned: ByteRange[] = [];
  for (let done = 0; done < size; ) {
    const address = addressAfter(from, done, granule);
    const length = Math.min(size - done, granule - address.offset);
    owned.push({ start: leadsTo(device, address), length });
    done += length;
  }
  return owned;
}

const iovaLinkRow: Play = (player, device, row) => {
  const { mapping, range } = rangeOf(player, row);
  const { granule } = device.table;
  const { phys } = row.phys[0];
  const { linked } = mapping;
  const { size, dir, attrs } = row;
  const result = linkPiece(player.system, device, range, phys, linked, size, dir, attrs);
  const address = addressAfter(range.start, linked, granule);
  if (result === 0) {
    mapping.linked += size;
    mapping.owned.push(...ownedFrom(device, address, size));
  }
  return { dma: addressWords(address, granule), result: String(result) };
};

const iovaUnlinkRow: Play = (player, device, row) => {
  const { mapping, range } = rangeOf(player, row);
  unlinkPieces(player.system, device, range, 0, row.size, row.dir, row.attrs);
  mapping.linked = 0;
  mapping.owned = [];
  return { dma: addressWords(range.start, device.table.granule), result: '' };
};

const iovaDestroyRow: Play = (player, device, row) => {
  const { range } = rangeOf(player, row);
  destroyLinkRange(player.system, device, range, row.size, row.dir, row.attrs);
  player.live.delete(row.id);
  return { dma: addressWords(range.start, device.table.granule), result: '' };
};

export const PLAYS: Partial<Record<DmaRow['op'], Play>> = {
  map_page: mapPageRow,
  unmap_page: unmapPageRow,
  map_sg: mapSgRow,
  unmap_sg: unmapSgRow,
  sync_single_cpu: syncSingleRow('cpu'),
  sync_single_dev: syncSingleRow('device'),
  sync_sg_cpu: syncSgRow('cpu'),
  sync_sg_dev: syncSgRow('device'),
  cpu_write: cpuWriteRow,
  cpu_read: cpuReadRow,
  dev_write: devWriteRow,
  dev_read: devReadRow,
  alloc: allocRow,
  free: freeRow,
  iova_alloc: iovaAllocRow,
  iova_link: iovaLinkRow,
  iova_unlink: iovaUnlinkRow,
  iova_destroy: iovaDestroyRow,
};
