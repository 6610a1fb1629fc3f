import { type ByteRange, readOutside } from '../../dma/access.js';
import { isBounced } from '../../dma/bounce.js';
import { isZeroed, Origin, type Piece } from '../../dma/memory.js';
import type { DmaRow } from '../../events/iommu.js';
import { Right, runAt } from '../../iommu/pageTable.js';
import { IO_TLB_SIZE } from '../../kernel/constants.js';
import type { Mapping } from '../../replay/dmaIommu/player.js';
import type { DmaOutcome } from '../../replay/dmaIommu/session.js';
import { slotAddress, slotAt } from '../../swiotlb/pool.js';
import type { Related } from '../finding.js';
import { rangeWords, sizeWords, slotWords } from '../words.js';
import {
  type Bounce,
  bounceOf,
  createBounces,
  fileBounce,
  lastBounce,
  ownersIn,
  setOwner,
  slotsRange,
  unfile,
  unfileFromPages,
} from './bounces.js';
import type { DmaCheck } from './checks.js';
import { madeBy, type Part, partsMade } from './parts.js';
import { leakWords, sourcesOf } from './sources.js';
import { callWords, countWords, findingAt } from './words.js';

/** What a device reaches around a bounce buffer of its own. */
interface Exposure {
  bounce: Bounce;
  part: Part;
  /** All that the buffer's granules lead to. */
  reach: ByteRange;
  /** What of it lies in front of the buffer's slots and behind them. */
  outside: readonly ByteRange[];
  isReadable: boolean;
  /** Said to leak already. */
  isTold: boolean;
}

const NOTHING: readonly never[] = [];

/** What of a range lies in front of another and behind it. */
function around(range: ByteRange, inner: ByteRange): readonly ByteRange[] {
  const front = inner.start - range.start;
  const innerEnd = inner.start + inner.length;
  const back = range.start + range.length - innerEnd;
  if (front <= 0 && back <= 0) return NOTHING;
  const outside: ByteRange[] = [];
  if (front > 0) outside.push({ start: range.start, length: front });
  if (back > 0) outside.push({ start: innerEnd, length: back });
  return outside;
}

/** What two ranges share. */
function shared(a: ByteRange, b: ByteRange): ByteRange {
  const start = Math.max(a.start, b.start);
  const end = Math.min(a.start + a.length, b.start + b.length);
  return { start, length: Math.max(0, end - start) };
}

/**
 * `padding-leak` and `granule-exposure` of untrusted devices: what the granules of a bounce buffer let
 * them reach besides it. A map's own granules are looked at when it is made; after that the bytes in
 * the buffer's own slots stay what they are, and what lies outside of them is looked at again when a
 * buffer of others in those slots gets data.
 */
export const createExposureCheck: DmaCheck = (session, tell) => {
  const { player } = session;
  const { devices, system } = player;
  const bounces = createBounces(session);
  /** Of buffers whose granules go beyond their slots. */
  const exposures = new Map<Bounce, Exposure>();
  /** The same by the slots outside that they reach. */
  const exposers = new Map<number, Set<Exposure>>();

  function exposureOf(row: DmaRow, { address, data }: Part, bounce: Bounce): Exposure {
    const { table } = devices[row.device];
    const part = { address: { ...address }, data: bounce.data };
    const run = runAt(table, part.address.pfn);
    const count = run === undefined ? 0 : run.hi - run.lo + 1;
    const reach = { start: run?.phys ?? data.start, length: count * table.granule };
    return {
      bounce,
      part,
      reach,
      outside: around(reach, slotsRange(bounces, bounce)),
      isReadable: ((run?.rights ?? 0) & Right.read) !== 0,
      isTold: false,
    };
  }

  function eachSlot({ outside }: Exposure, visit: (slot: number) => void): void {
    const { nslabs } = bounces.pool;
    for (const { start, length } of outside) {
      const end = Math.min(nslabs, slotAt(bounces.pool, start + length - 1) + 1);
      for (let slot = Math.max(0, slotAt(bounces.pool, start)); slot < end; slot++) {
        visit(slot);
      }
    }
  }

  /** Whether all from an address to another, not included, is zero besides data, as it mostly is. */
  function areBare({ start, length }: ByteRange, from: number, end: number): boolean {
    const back = Math.max(start + length, from);
    return (
      isZeroed(system.memory, from, Math.min(start, end)) && isZeroed(system.memory, back, end)
    );
  }

  /** Bytes in a range that are not zero and of no live buffer of the device. */
  function foreignIn(range: ByteRange, device: number): Piece[] {
    const own = ownersIn(bounces, range).filter((owner) => owner.device === device);
    const others = readOutside(
      system,
      range,
      own.map(({ data }) => data),
    );
    return others.filter(({ origin }) => origin !== Origin.zeroed);
  }

  function liveIn({ bounce, outside }: Exposure): Bounce[] {
    const owners = outside.flatMap((range) => ownersIn(bounces, range));
    return [...new Set(owners)].filter((owner) => owner !== bounce);
  }

  function ownerWords({ device, slot, nslots, line }: Bounce): Related {
    const owner = `live buffer of ${devices[device].name}`;
    return { line, message: `${owner} in ${slotWords(slot, nslots)}` };
  }

  function tellExposed(row: DmaRow, exposed: readonly Exposure[]): void {
    const [first] = exposed;
    const { bounce, outside, part, reach } = first;
    const { slot, nslots } = bounce;
    const where = outside.map(
      ({ start, length }) =>
        `${sizeWords(length)} ${start < part.data.start ? 'in front of' : 'behind'} it`,
    );
    const more =
      exposed.length === 1 ? '' : `; so do ${countWords(exposed.length - 1, 'more buffer')}`;
    tell(
      findingAt(session, row, 'granule-exposure', {
        address: part.address,
        message:
          `${callWords(row)} has ${slotWords(slot, nslots)} of the pool, but its granules lead to` +
          ` ${rangeWords(reach.start, reach.length)}: ${where.join(' and ')}${more}`,
        related: liveIn(first).slice(0, 4).map(ownerWords),
      }),
    );
  }

  function checkPadding(row: DmaRow, made: readonly Exposure[]): void {
    const leaking = made.filter(
      ({ isReadable, part: { data }, reach: { start, length } }) =>
        isReadable && !areBare(data, start, start + length),
    );
    if (leaking.length === 0) return;
    const pieces = leaking.flatMap((one) => {
      const found = foreignIn(one.reach, row.device);
      one.isTold = found.length > 0;
      return found;
    });
    if (pieces.length === 0) return;
    const [{ part }] = leaking.filter(({ isTold }) => isTold);
    tell(
      findingAt(session, row, 'padding-leak', {
        address: part.address,
        message: `${callWords(row)} lets the device read ${leakWords(pieces)}`,
        related: sourcesOf(pieces),
      }),
    );
  }

  /**
   * Whether a buffer's granules lead to nothing but its slots, and hold nothing but zeroes besides its
   * data or cannot be read. A hot path: nearly all are like that.
   */
  function isQuiet(row: DmaRow, { address, data }: Part, { slot, nslots }: Bounce): boolean {
    const { table } = devices[row.device];
    const run = runAt(table, address.pfn);
    if (run === undefined) return false;
    const end = run.phys + (run.hi - run.lo + 1) * table.granule;
    const first = slotAddress(bounces.pool, slot);
    if (run.phys < first || end > first + nslots * IO_TLB_SIZE) return false;
    if ((run.rights & Right.read) === 0) return true;
    return areBare(data, run.phys, end);
  }

  /** Notes a buffer that a row mapped; whether it is one of those that nothing is to be said of. */
  function take(row: DmaRow, part: Part, mapping: Mapping): boolean {
    const bounce = bounceOf(session, bounces, row, part);
    const isPlain = isQuiet(row, part, bounce);
    setOwner(bounces, bounce, bounce);
    fileBounce(bounces, row, mapping, bounce);
    return isPlain;
  }

  /** Of a call that mapped one buffer, as most do. */
  const onePart: Part = { address: { pfn: 0, offset: 0 }, data: { start: 0, length: 0 } };

  function checkMap(outcome: DmaOutcome, mapping: Mapping): void {
    const made = madeBy(outcome);
    if (made === undefined || made.number < 0 || made.address === undefined) {
      checkParts(outcome, mapping, partsMade(outcome));
      return;
    }
    onePart.address = made.address;
    onePart.data = made.owned[0];
    if (!isBounced(devices[outcome.row.device], onePart.data.start)) return;
    const isPlain = take(outcome.row, onePart, made);
    if (!isPlain || exposers.size > 0) checkLoud(outcome.row, mapping, [onePart]);
  }

  function checkParts(outcome: DmaOutcome, mapping: Mapping, parts: readonly Part[]): void {
    const { row } = outcome;
    const bounced = parts.filter(({ data }) => isBounced(devices[row.device], data.start));
    let isLoud = exposers.size > 0;
    for (const part of bounced) if (!take(row, part, mapping)) isLoud = true;
    if (isLoud && bounced.length > 0) checkLoud(row, mapping, bounced);
  }

  function checkLoud(row: DmaRow, mapping: Mapping, bounced: readonly Part[]): void {
    const own = buffersOf(row.id, mapping).slice(-bounced.length);
    const made = bounced.map((part, n) => exposureOf(row, part, own[n]));
    const exposed = made.filter(({ outside }) => outside.length > 0);
    if (exposed.length > 0) tellExposed(row, exposed);
    checkPadding(row, made);
    if (exposers.size === 0 && exposed.length === 0) return;
    for (const one of exposed) {
      exposures.set(one.bounce, one);
      eachSlot(one, (slot) => {
        const those = exposers.get(slot) ?? new Set();
        exposers.set(slot, those.add(one));
      });
    }
    for (const { bounce } of made) checkNeighbours(row, bounce);
  }

  /** After data came into a buffer: whether others' devices can read it. */
  function checkNeighbours(row: DmaRow, filled: Bounce): void {
    for (let n = 0; n < filled.nslots; n++) {
      for (const one of exposers.get(filled.slot + n) ?? []) checkNeighbour(row, filled, one);
    }
  }

  /** The same for all buffers of an id, in the order in which they were mapped. */
  function checkAllNeighbours(row: DmaRow, mapping: Mapping): void {
    if (exposers.size === 0) return;
    for (const bounce of buffersOf(row.id, mapping)) checkNeighbours(row, bounce);
  }

  function buffersOf(id: number, mapping: Mapping): Bounce[] {
    const buffers: Bounce[] = [];
    for (let one = lastBounce(bounces, id, mapping); one !== undefined; one = one.more)
      buffers.push(one);
    return buffers.reverse();
  }

  function checkNeighbour(row: DmaRow, filled: Bounce, one: Exposure): void {
    const { bounce, isReadable, isTold, reach, part } = one;
    if (!isReadable || isTold || bounce.device === filled.device) return;
    const pieces = foreignIn(shared(reach, slotsRange(bounces, filled)), bounce.device);
    if (pieces.length === 0) return;
    one.isTold = true;
    const reader = devices[bounce.device].name;
    tell(
      findingAt(session, { line: row.line, device: bounce.device }, 'padding-leak', {
        address: part.address,
        message: `${row.op} for ${devices[row.device].name} lets ${reader} read ${leakWords(pieces)}`,
        related: [
          { line: bounce.line, message: `mapped by ${reader}, with granules beyond its slots` },
        ],
      }),
    );
  }

  function forget(id: number, mapping: Mapping): void {
    for (
      let bounce = lastBounce(bounces, id, mapping);
      bounce !== undefined;
      bounce = bounce.more
    ) {
      setOwner(bounces, bounce);
      bounces.gone.push(bounce);
      if (exposures.size === 0) continue;
      const one = exposures.get(bounce);
      if (one === undefined) continue;
      exposures.delete(bounce);
      eachSlot(one, (slot) => {
        const those = exposers.get(slot);
        those?.delete(one);
        if (those?.size === 0) exposers.delete(slot);
      });
    }
    unfile(bounces, id, mapping);
  }

  return {
    onRow(outcome) {
      const { row, call, mapping, before } = outcome;
      if (mapping === undefined) return;
      const { untrusted } = devices[row.device];
      const forgets = untrusted && call.unmaps;
      // Another map may take its id, and a call for a trusted device end it.
      const isGone = before !== undefined && player.current !== before;
      if (isGone && !forgets) unfileFromPages(bounces, row.id, before);
      if (!untrusted) return;
      if (forgets) forget(row.id, mapping);
      else if (call.bringsData) checkAllNeighbours(row, mapping);
      else checkMap(outcome, mapping);
    },
  };
};
