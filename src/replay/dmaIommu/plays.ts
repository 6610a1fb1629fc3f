import { type ByteRange, deviceRead, deviceWrite } from '../../dma/access.js';
import { allocCoherent, freeCoherent } from '../../dma/coherent.js';
import { addressAfter, type DeviceAddress, type DmaDevice } from '../../dma/device.js';
import { allocLinkRange, destroyLinkRange, linkPiece, unlinkPieces } from '../../dma/link.js';
import { leadsTo, mapPage } from '../../dma/mapping.js';
import { type Piece, read, write } from '../../dma/memory.js';
import { mapSg, unmapSg } from '../../dma/scatter.js';
import { type SgSegment, syncSg, syncSingle } from '../../dma/sync.js';
import { unmapPage } from '../../dma/unmapping.js';
import type { DeviceRange, DmaResult, DmaRow } from '../../events/iommu.js';
import { crcOf } from './pattern.js';
import {
  addressIn,
  end,
  keep,
  mappingOf,
  nothing,
  type Played,
  type Player,
  pageMappingOf,
  setField,
} from './player.js';

type Play = (player: Player, device: DmaDevice, row: DmaRow) => Played;

const NONE: readonly never[] = [];

/** Of rows about a mapping that is not there. */
export const skipped: Played = { ...nothing, skipped: true };

function failedWith(result: DmaResult): Played {
  return { ...nothing, failed: true, result };
}

const hung: Played = { ...failedWith('hang'), hangs: true };

/** Of rows at one device address; reused. */
function at(
  player: Player,
  { table }: DmaDevice,
  address: DeviceAddress,
  result: DmaResult,
): Played {
  const { played } = player;
  setField(played.dma[0], address, table.granule);
  played.result = result;
  return played;
}

/** Segments as rows have them. */
function fieldsOf({ table }: DmaDevice, segments: readonly SgSegment[]): DeviceRange[] {
  return segments.map(({ address, length }) => {
    const field = { page: 0, low: 0, length };
    setField(field, address, table.granule);
    return field;
  });
}

const mapPageRow: Play = (player, device, row) => {
  const { system } = player;
  const { size, dir, attrs } = row;
  const mapped = mapPage(system, device, row.phys[0].phys, size, dir, attrs);
  if (mapped === 'endless') return hung;
  if (mapped === 'collision') return failedWith(mapped);
  if (typeof mapped === 'string') return failedWith('fail');
  const { address, phys } = mapped;
  keep(player, row, pageMappingOf(player, row, address, phys));
  return at(player, device, address, phys);
};

const unmapPageRow: Play = (player, device, row) => {
  const { system } = player;
  const address = addressIn(player, row);
  if (address === undefined) return skipped;
  unmapPage(system, device, address, row.size, row.dir, row.attrs);
  end(player, row);
  return at(player, device, address, '');
};

const mapSgRow: Play = (player, device, row) => {
  const { system } = player;
  const entries = row.phys;
  const segments = mapSg(system, device, entries, row.dir, row.attrs);
  if (segments === 'endless') return hung;
  if (typeof segments === 'number') return failedWith(String(segments));
  const owned = device.untrusted
    ? segments.map(({ address, length }) => ({ start: leadsTo(device, address), length }))
    : entries.map(({ phys, length }) => ({ start: phys, length }));
  keep(player, row, { ...mappingOf(row, undefined, owned), entries, segments });
  return { ...nothing, dma: fieldsOf(device, segments), result: String(segments.length) };
};

const unmapSgRow: Play = (player, device, row) => {
  const mapping = player.current;
  if (mapping === undefined) return skipped;
  const { entries, segments } = mapping;
  unmapSg(player.system, device, entries, segments, row.dir, row.attrs);
  end(player, row);
  return nothing;
};

const syncSgRow =
  (who: 'cpu' | 'device'): Play =>
  (player, device, row) => {
    const mapping = player.current;
    if (mapping === undefined) return skipped;
    const { entries, segments } = mapping;
    syncSg(player.system, device, entries, segments, row.dir, who);
    return nothing;
  };

const syncSingleRow =
  (who: 'cpu' | 'device'): Play =>
  (player, device, row) => {
    const address = addressIn(player, row);
    if (address === undefined) return skipped;
    syncSingle(player.system, device, address, row.size, row.dir, who);
    return at(player, device, address, '');
  };

function crcIn({ trace }: Player, pieces: readonly Piece[]): number {
  return crcOf(pieces, trace.ram?.phys ?? 0);
}

/** Where in the pattern the bytes of a write begin; a trace that does not tell is taken to mean its beginning. */
function seedOf({ attrs }: DmaRow): number {
  return Number.isNaN(attrs) ? 0 : attrs;
}

const cpuWriteRow: Play = ({ system }, _, row) => {
  write(system.memory, row.phys[0].phys, row.size, row.line, seedOf(row), 0);
  return nothing;
};

const cpuReadRow: Play = (player, _, row) => {
  const pieces = read(player.system.memory, row.phys[0].phys, row.size);
  return { ...nothing, crc: crcIn(player, pieces) };
};

const devWriteRow: Play = (player, device, row) => {
  const address = addressIn(player, row);
  if (address === undefined) return skipped;
  const written = deviceWrite(player.system, device, address, row.size, seedOf(row));
  return at(player, device, address, String(written));
};

const devReadRow: Play = (player, device, row) => {
  const address = addressIn(player, row);
  if (address === undefined) return skipped;
  const pieces = deviceRead(player.system, device, address, row.size);
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  return { ...at(player, device, address, String(length)), crc: crcIn(player, pieces) };
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

const allocRow: Play = (player, device, row) => {
  const { system, pages } = player;
  const buffer = allocCoherent(system, device, row.size, row.attrs, pages);
  if (typeof buffer === 'string') return { ...failedWith(''), phys: NONE };
  const runs = runsOf(device, buffer.address, row.size);
  const owned = firstBytes(runs, row.size);
  keep(player, row, { ...mappingOf(row, buffer.address, owned), buffer });
  const phys = runs.map(({ start, length }) => ({ phys: start, length }));
  return { ...at(player, device, buffer.address, ''), phys };
};

const freeRow: Play = (player, device, row) => {
  const buffer = player.current?.buffer;
  if (buffer === undefined) return skipped;
  freeCoherent(player.system, device, buffer, player.pages);
  end(player, row);
  return at(player, device, buffer.address, '');
};

const iovaAllocRow: Play = (player, device, row) => {
  const { system } = player;
  const range = allocLinkRange(system, device, row.phys[0].phys, row.size);
  if (range === undefined) return failedWith('');
  keep(player, row, { ...mappingOf(row, range.start, []), range });
  return at(player, device, range.start, '');
};

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
  const mapping = player.current;
  if (mapping?.range === undefined) return skipped;
  const { range } = mapping;
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
  return at(player, device, address, String(result));
};

const iovaUnlinkRow: Play = (player, device, row) => {
  const mapping = player.current;
  if (mapping?.range === undefined) return skipped;
  const { range } = mapping;
  unlinkPieces(player.system, device, range, 0, row.size, row.dir, row.attrs);
  mapping.linked = 0;
  mapping.owned = [];
  return at(player, device, range.start, '');
};

const iovaDestroyRow: Play = (player, device, row) => {
  const range = player.current?.range;
  if (range === undefined) return skipped;
  destroyLinkRange(player.system, device, range, row.size, row.dir, row.attrs);
  end(player, row);
  return at(player, device, range.start, '');
};

/** What each op does. */
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
