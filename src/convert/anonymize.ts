import { randomInt } from 'node:crypto';
import { type EventBatch, Flag, Op } from '../events/batch.js';
import { IO_TLB_SIZE } from '../kernel/constants.js';
import { createPermutation } from './permutation.js';

/**
 * Takes from a trace what tells whose it is. What decides how the allocator behaves stays: sizes,
 * masks, CPUs, the order, low bits of addresses, and where things lie to each other.
 */
export interface Anonymizer {
  deviceName(device: number): string;
  poolName(name: string): string;
  /** Where a pool is moved to; the same each time. */
  poolBase(pool: Place): number;
  /** An original buffer's address. */
  origAddr(address: number): number;
  /** An address in a pool, or in a transient one. */
  bounceAddr(address: number): number;
  /** Changes the events of a batch. */
  events(batch: EventBatch): void;
  /** Reasons for which a replay may find something else. */
  doubts: Set<string>;
}

/** Where slots lie. */
export interface Place {
  /** Physical address, bytes. */
  base: number;
  /** Slots. */
  nslabs: number;
}

/** What an anonymizer asks about the trace, as far as it has been read. */
export interface Surroundings {
  /** Pools that the events so far can be about. */
  pools(): readonly Place[];
  /** Segment boundary masks of devices; Infinity for none. */
  boundaries(): readonly number[];
}

/**
 * Low bits of addresses that stay: the largest allocation, beyond which no mask of a device that works
 * reaches.
 */
const KEPT_BITS = 18;
const KEPT = 2 ** KEPT_BITS;

const FOUR_GIB = 2 ** 32;

/** Pools above 4 GiB stay below this. */
const HIGHEST = 2 ** 46;

/** Tries before a pool stays where it is: one of two succeeds at worst. */
const TRIES = 200;

/** A pool that was moved. */
interface Moved extends Place {
  to: number;
}

/** An anonymizer with keys of its own, which nobody else has. */
export function createAnonymizer(surroundings: Surroundings): Anonymizer {
  const permute = createPermutation();
  const moved: Moved[] = [];
  const poolNames = new Map<string, string>();
  /** Addresses in transient pools that lie in another block than their pool's base. */
  const strays = new Map<number, number>();
  const heeded = new Set<number>();
  let firstTime = Number.NaN;

  /** NaN, where the trace tells no address, stays. */
  function highBits(address: number): number {
    if (Number.isNaN(address)) return address;
    const high = Math.floor(address / KEPT);
    return permute(high) * KEPT + (address - high * KEPT);
  }

  function moveOf({ base, nslabs }: Place): Moved {
    const known = moved.find((pool) => pool.base === base);
    if (known !== undefined) return known;
    const boundaries = [FOUR_GIB - 1, ...surroundings.boundaries()].filter(Number.isFinite);
    for (const boundary of boundaries) heeded.add(boundary);
    const pool = { base, nslabs, to: newPlace({ base, nslabs }, boundaries, moved) };
    moved.push(pool);
    return pool;
  }

  function bounceAddr(address: number): number {
    const pool =
      moved.find((candidate) => holds(candidate, address)) ??
      surroundings.pools().find((candidate) => holds(candidate, address));
    if (pool !== undefined) return moveOf(pool).to + (address - pool.base);
    return strays.get(address) ?? highBits(address);
  }

  function transient(batch: EventBatch, n: number): void {
    const base = batch.flagValue[n];
    const address = batch.tlbAddr[n];
    const to = highBits(base);
    batch.flagValue[n] = to;
    if (Number.isNaN(address)) return;
    if (highBits(address) !== to + (address - base)) strays.set(address, to + (address - base));
  }

  const anonymizer: Anonymizer = {
    doubts: new Set(),
    deviceName: (device) => `dev${device}`,
    poolName(name) {
      // `default` says which pool it is, not whose.
      if (name === 'default') return name;
      const known = poolNames.get(name) ?? `pool${poolNames.size}`;
      poolNames.set(name, known);
      return known;
    },
    poolBase: (pool) => moveOf(pool).to,
    origAddr: highBits,
    bounceAddr,
    events(batch) {
      for (let n = 0; n < batch.length; n++) {
        if (Number.isNaN(firstTime)) firstTime = batch.time[n];
        // Seconds since then, in whole nanoseconds.
        batch.time[n] = Math.max(0, Math.round((batch.time[n] - firstTime) * 1e9)) / 1e9;
        if (batch.allocAlignMask[n] >= KEPT) {
          anonymizer.doubts.add(`an alloc_align_mask reaches beyond the low ${KEPT_BITS} bits`);
        }
        if (batch.op[n] === Op.grow) {
          batch.origAddr[n] = moveOf({ base: batch.origAddr[n], nslabs: batch.size[n] }).to;
          continue;
        }
        const flag = batch.flag[n];
        if (flag === Flag.transient || flag === Flag.transientFailed) transient(batch, n);
        if (batch.op[n] === Op.map) batch.origAddr[n] = highBits(batch.origAddr[n]);
        batch.tlbAddr[n] = bounceAddr(batch.tlbAddr[n]);
      }
      for (const boundary of surroundings.boundaries()) {
        if (Number.isFinite(boundary) && moved.length > 0 && !heeded.has(boundary)) {
          anonymizer.doubts.add(
            'a device with another segment boundary came after pools were moved',
          );
        }
      }
    },
  };
  return anonymizer;
}

function holds({ base, nslabs }: Place, address: number): boolean {
  return address >= base && address < base + nslabs * IO_TLB_SIZE;
}

/**
 * A place at which a search sees what it sees at the old one: the same low bits, the same boundaries
 * crossed at the same slots, and below 4 GiB what was there.
 */
function newPlace(
  { base, nslabs }: Place,
  boundaries: readonly number[],
  others: readonly Moved[],
): number {
  const size = nslabs * IO_TLB_SIZE;
  const crosses = (start: number, line: number): boolean =>
    Math.floor(start / line) !== Math.floor((start + size - 1) / line);
  const crossed = boundaries.filter((mask) => crosses(base, mask + 1));
  const kept = Math.max(KEPT, ...crossed.map((mask) => mask + 1));
  const low = base % kept;
  const [least, most] =
    base + size <= FOUR_GIB ? [0, FOUR_GIB - size] : [base < FOUR_GIB ? 0 : FOUR_GIB, HIGHEST];
  for (let n = 0; n < TRIES; n++) {
    const to = randomInt(Math.ceil(least / kept), Math.floor(most / kept) + 1) * kept + low;
    const fits =
      to > 0 &&
      to <= most &&
      boundaries.every((mask) => crosses(to, mask + 1) === crosses(base, mask + 1)) &&
      others.every((pool) => to + size <= pool.to || pool.to + pool.nslabs * IO_TLB_SIZE <= to);
    if (fits) return to;
  }
  return base;
}
