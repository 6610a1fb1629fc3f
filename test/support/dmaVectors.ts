import { type ByteRange, deviceRead, deviceWrite, exposed } from '../../src/dma/access.js';
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
import { Origin, type Piece, read, write, zero } from '../../src/dma/memory.js';
import { mapSg, unmapSg } from '../../src/dma/scatter.js';
import { type SgEntry, type SgSegment, syncSg, syncSingle } from '../../src/dma/sync.js';
import { createDmaSystem, type DmaSystem, startCall } from '../../src/dma/system.js';
import { unmapPage } from '../../src/dma/unmapping.js';
import type { DeviceAddressField, DmaIommuTrace, DmaRow } from '../../src/events/iommu.js';
import { nextTimer, runTimer } from '../../src/iommu/iovaDomain.js';
import type { IommuRelease } from '../../src/kernel/iommuRelease.js';
import { createAllocator } from '../../src/swiotlb/allocator.js';
import { createPool } from '../../src/swiotlb/pool.js';
import { searchLinear } from '../../src/swiotlb/search.js';
import { lowestPages } from './buddyPages.js';
import type { Whole } from './iommuVectors.js';
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

interface Player {
  trace: DmaIommuTrace;
  system: DmaSystem;
  devices: DmaDevice[];
  live: Map<number, Live>;
  /** Seeds by the line of their write. */
  seeds: Map<number, number>;
  pages: PageSource;
}

/** What a row gave: what stands in the columns dma and result, and in crc. */
interface Outcome {
  dma: string;
  result: string;
  phys?: string;
  crc?: number;
  hangs?: boolean;
}

/** What a replay of a dma-iommu trace shows. */
export interface DmaReplay {
  compared: number;
  differences: string[];
}

const TOP_OF_RAM = 8 << 20;

function createPlayer(trace: DmaIommuTrace, release: IommuRelease): Player {
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

function hex(value: number): string {
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

const nothing: Outcome = { dma: '', result: '' };

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

const PLAYS: Partial<Record<DmaRow['op'], Play>> = {
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

/** Bytes that a device reaches, that are not its own and not zero. */
function leakedBytes({ system, devices, live }: Player, device: number): number {
  const owned = [...live.values()].filter((mapping) => mapping.device === device);
  const pieces = exposed(
    system,
    devices[device],
    owned.flatMap((mapping) => mapping.owned),
  );
  return pieces.reduce(
    (sum, { origin, length }) => sum + (origin === Origin.zeroed ? 0 : length),
    0,
  );
}

/** The state columns after a row, and what it did. */
function stateOf(player: Player, device: number): Record<string, string> {
  const { effects, allocator } = player.system;
  const { warnings, strayFills, strayCopies } = effects;
  const syncs = effects.cacheSyncs.map(
    ({ for: who, phys, length }) => `${who === 'device' ? 'D' : 'C'}${hex(phys)}+${length}`,
  );
  return {
    granules: String(player.devices[device].table.mapped),
    slots: String(allocator.used),
    leaked: String(leakedBytes(player, device)),
    to_bounce: `${effects.copiesIn}:${effects.bytesIn}`,
    from_bounce: `${effects.copiesOut}:${effects.bytesOut}`,
    arch: syncs.join(';'),
    warn: String(warnings + 1000 * strayFills + 100000 * strayCopies),
  };
}

function recordedState(row: DmaRow): Record<string, string> {
  const { toBounce, fromBounce } = row;
  return {
    granules: String(row.granules),
    slots: String(row.slots),
    leaked: String(row.leaked),
    to_bounce: `${toBounce.copies}:${toBounce.bytes}`,
    from_bounce: `${fromBounce.copies}:${fromBounce.bytes}`,
    arch: row.arch
      .map(({ for: who, phys, length }) => `${who === 'device' ? 'D' : 'C'}${hex(phys)}+${length}`)
      .join(';'),
    warn: String(row.warn),
  };
}

function dmaWords(row: DmaRow): string {
  if (row.failed) return 'error';
  return row.dma
    .map(({ page, low, length }) => {
      const address = `0x${(BigInt(page) * 4096n + BigInt(low)).toString(16)}`;
      return Number.isNaN(length) ? address : `${address}+${length}`;
    })
    .join(';');
}

function physWords(row: DmaRow): string {
  return row.phys.map(({ phys, length }) => `${hex(phys)}+${length}`).join(';');
}

/** The columns in which a row's replay differs. */
function compareRow(player: Player, row: DmaRow, outcome: Outcome): string[] {
  const zeroes = { granules: '0', slots: '0', leaked: '0', to_bounce: '0:0', from_bounce: '0:0' };
  const state = outcome.hangs ? { ...zeroes, arch: '', warn: '0' } : stateOf(player, row.device);
  const was: Record<string, string> = { ...state, dma: outcome.dma, result: outcome.result };
  const expected: Record<string, string> = {
    ...recordedState(row),
    dma: dmaWords(row),
    result: row.result,
  };
  was.crc = outcome.crc === undefined ? '' : outcome.crc.toString(16);
  expected.crc = Number.isNaN(row.crc) ? '' : row.crc.toString(16);
  if (outcome.phys !== undefined) {
    was.phys = outcome.phys;
    expected.phys = physWords(row);
  }
  return Object.keys(expected)
    .filter((column) => was[column] !== expected[column])
    .map((column) => `${column} recorded ${expected[column]}, replayed ${was[column]}`);
}

/** Runs the timers that are due; each as a row would tell it. */
function runTimers({ devices, trace }: Player, now: number): string[] {
  const ran: string[] = [];
  for (;;) {
    const due = devices.map(({ domain }) => nextTimer(domain));
    const first = Math.min(...due);
    if (first > now) return ran;
    const n = due.indexOf(first);
    const { kind, time, cpu } = runTimer(devices[n].domain);
    // The recorders wrote no rows for the depot's work.
    if (kind === 'flush-timeout') ran.push(`${time} ${cpu} ${trace.devices[n].name}`);
  }
}

/** Replays a dma-iommu trace and compares every column of every row. */
export function replayDma(trace: Whole<DmaIommuTrace, DmaRow>, release: IommuRelease): DmaReplay {
  const player = createPlayer(trace, release);
  const differences = trace.problems.first.map(({ line, message }) => `line ${line}: ${message}`);
  const ran: string[] = [];
  let compared = 0;
  for (const row of trace.rows) {
    ran.push(...runTimers(player, row.time));
    startCall(player.system, row.line, row.cpu, row.time);
    const play = PLAYS[row.op];
    let outcome: Outcome = nothing;
    if (row.op === 'fq_timeout') {
      const expected = `${row.time} ${row.cpu} ${trace.devices[row.device].name}`;
      const was = ran.shift();
      if (was !== expected) differences.push(`line ${row.line}: ${expected}, replayed ${was}`);
    } else {
      if (ran.length > 0) differences.push(`line ${row.line}: missed ${ran.join()}`);
      if (play === undefined) throw new Error(`line ${row.line}: ${row.op}`);
      outcome = play(player, player.devices[row.device], row);
    }
    compared++;
    const wrong = compareRow(player, row, outcome);
    differences.push(...wrong.map((words) => `line ${row.line}: ${row.op} ${words}`));
    if (differences.length > 5 || outcome.hangs) break;
  }
  return { compared, differences };
}
