import { Op } from '../events/batch.js';
import { hex } from '../events/numbers.js';
import {
  addressOf,
  deviceOf,
  eachLive,
  lineOf,
  nslotsOf,
  opOf,
  sizeOf,
  slotOf,
} from '../replay/allocations.js';
import { Match, type Observer, type Outcome } from '../replay/outcome.js';
import type { Session } from '../replay/session.js';
import { type Pool, slotAddress, slotAt } from '../swiotlb/pool.js';
import { addFinding, type FindingLog, type Related } from './finding.js';
import { allocationWords, rangeWords, slotWords } from './words.js';

/** Who claims each slot of a pool: its owners, and those whose caller was handed its bytes. */
interface Claims {
  /** A bit per slot, set if it is claimed. All that is kept up as long as no slot has two claimants. */
  taken: Int32Array;
  /** From the first such slot on, per slot: number of the newest claimant plus one; 0 for none. */
  newest: Int32Array | undefined;
  /** Slots with more than one claimant: all of them, oldest first. Rare. */
  shared: Map<number, number[]>;
}

/** Slots from `from` up to, not including, `to`. */
interface Extent {
  from: number;
  to: number;
}

function poolOf(session: Session, number: number): Pool {
  return session.allocations.pool[number] as Pool;
}

/** Bytes from the start of the page that swiotlb_alloc() hands out to the first slot; 0 for a map. */
function inPageOf({ allocations, options }: Session, number: number): number {
  if (opOf(allocations, number) !== Op.alloc) return 0;
  return (addressOf(allocations, number) | 0) & (options.pageSize - 1);
}

/**
 * The first of the slots that an allocation owns and of those whose bytes its caller was handed: for
 * swiotlb_alloc() the bytes count from the start of the page that holds the address.
 */
function beginOf(session: Session, number: number): number {
  const { allocations } = session;
  const inPage = inPageOf(session, number);
  if (inPage === 0) return slotOf(allocations, number);
  return Math.max(0, slotAt(poolOf(session, number), addressOf(allocations, number) - inPage));
}

/** The slot behind the last of them. */
function endOf(session: Session, number: number): number {
  const { allocations } = session;
  const pool = poolOf(session, number);
  const inPage = inPageOf(session, number);
  let end = slotOf(allocations, number) + nslotsOf(allocations, number);
  if (inPage !== 0) {
    const last = addressOf(allocations, number) - inPage + sizeOf(allocations, number) - 1;
    end = Math.max(end, slotAt(pool, last) + 1);
  }
  return Math.min(end, pool.nslabs);
}

function noClaims(pool: Pool): Claims {
  return { taken: new Int32Array((pool.nslabs >> 5) + 1), newest: undefined, shared: new Map() };
}

/** The bits of the slots from `from` up to before `to`, as far as they are in a word. */
function bitsIn(word: number, from: number, to: number): number {
  const first = Math.max(from - (word << 5), 0);
  const end = Math.min(to - (word << 5), 32);
  return first < end ? (-1 >>> (32 - (end - first))) << first : 0;
}

/** Sets the bits of slots none of which is claimed; false if one is. Hot path. */
function takeFree(taken: Int32Array, from: number, to: number): boolean {
  const last = (to - 1) >> 5;
  for (let word = from >> 5; word <= last; word++) {
    if ((taken[word] & bitsIn(word, from, to)) !== 0) return false;
  }
  for (let word = from >> 5; word <= last; word++) taken[word] |= bitsIn(word, from, to);
  return true;
}

function giveFree(taken: Int32Array, from: number, to: number): void {
  const last = (to - 1) >> 5;
  for (let word = from >> 5; word <= last; word++) taken[word] &= ~bitsIn(word, from, to);
}

/**
 * `double-allocated-page` and `double-allocated-slot`. It keeps books of its own, so that it does
 * not share the model's belief about what is free: a release that hits a neighbour shows up here.
 */
export function createOwnershipCheck(session: Session, log: FindingLog): Observer {
  // Pools come and go, transient ones with each buffer: their claims go with them.
  const claimsOf = new WeakMap<Pool, Claims>();
  let last: Pool | undefined;
  let lastClaims: Claims | undefined;

  /** Hot path: consecutive events are nearly always about the same pool. */
  function claims(pool: Pool): Claims {
    if (pool === last && lastClaims !== undefined) return lastClaims;
    last = pool;
    lastClaims = claimsOf.get(pool) ?? noClaims(pool);
    claimsOf.set(pool, lastClaims);
    return lastClaims;
  }

  /** Who has claimed the slots of a pool, from the live allocations: no slot has two of them yet. */
  function claimantsOf(pool: Pool, but: number): Int32Array {
    const { allocations } = session;
    const newest = new Int32Array(pool.nslabs);
    eachLive(allocations, (number) => {
      if (number === but || poolOf(session, number) !== pool) return;
      newest.fill(number + 1, beginOf(session, number), endOf(session, number));
    });
    return newest;
  }

  function claim(outcome: Outcome): void {
    const number = outcome.allocation;
    const pool = poolOf(session, number);
    const held = claims(pool);
    const from = beginOf(session, number);
    const to = endOf(session, number);
    if (held.newest === undefined && takeFree(held.taken, from, to)) return;
    held.newest ??= claimantsOf(pool, number);
    claimEach(outcome, held.newest, held.shared, { from, to });
  }

  function claimEach(
    outcome: Outcome,
    newest: Int32Array,
    shared: Claims['shared'],
    { from, to }: Extent,
  ): void {
    const number = outcome.allocation;
    let overlaps: Map<number, Extent> | undefined;
    for (let slot = from; slot < to; slot++) {
      const before = newest[slot];
      newest[slot] = number + 1;
      if (before === 0) continue;
      overlaps ??= new Map();
      const claimants = shared.get(slot) ?? [before - 1];
      for (const other of claimants) {
        const extent = overlaps.get(other);
        if (extent === undefined) overlaps.set(other, { from: slot, to: slot + 1 });
        else extent.to = slot + 1;
      }
      shared.set(slot, [...claimants, number]);
    }
    for (const [other, extent] of overlaps ?? []) tell(outcome, other, extent);
  }

  function unclaim(outcome: Outcome): void {
    const number = outcome.allocation;
    const { taken, newest, shared } = claims(poolOf(session, number));
    const from = beginOf(session, number);
    const to = endOf(session, number);
    if (newest === undefined) {
      giveFree(taken, from, to);
      return;
    }
    for (let slot = from; slot < to; slot++) {
      const others =
        shared.size > 0 ? shared.get(slot)?.filter((other) => other !== number) : undefined;
      if (others === undefined || others.length === 0) {
        if (newest[slot] === number + 1) newest[slot] = 0;
        continue;
      }
      newest[slot] = others[others.length - 1] + 1;
      if (others.length === 1) shared.delete(slot);
      else shared.set(slot, others);
    }
  }

  function owner(number: number, finder: string): Related {
    const { allocations } = session;
    const slot = slotOf(allocations, number);
    const own =
      slot === beginOf(session, number) &&
      slot + nslotsOf(allocations, number) === endOf(session, number);
    const address = addressOf(allocations, number);
    const page = address - ((address | 0) & (session.options.pageSize - 1));
    const handed = own ? '' : `, handed out ${rangeWords(page, sizeOf(allocations, number))}`;
    const { name } = session.device(deviceOf(allocations, number));
    const whose = name === finder ? '' : `${name}: `;
    return {
      line: lineOf(allocations, number),
      message: whose + allocationWords(session, number) + handed,
    };
  }

  function tell(outcome: Outcome, other: number, { from, to }: Extent): void {
    const { pageSize } = session.options;
    const { allocations } = session;
    const number = outcome.allocation;
    const pool = poolOf(session, number);
    const lines =
      lineOf(allocations, other) === outcome.line
        ? `line ${outcome.line}`
        : `lines ${lineOf(allocations, other)} and ${outcome.line}`;
    const device = outcome.device.name;
    const related = [owner(other, device), owner(number, device)];
    const place = { line: outcome.line, device, related };

    const first = slotAddress(pool, from) - ((slotAddress(pool, from) | 0) & (pageSize - 1));
    const end = slotAddress(pool, to);
    const pages = Math.ceil((end - first) / pageSize);
    for (let page = first; page < end; page += pageSize) log.doubleAllocatedPages.add(page);
    addFinding(log, 'double-allocated-page', () => ({
      ...place,
      message:
        pages === 1
          ? `page ${hex(first)} belongs to two live allocations, of ${lines}`
          : `${pages} pages, ${rangeWords(first, pages * pageSize)}, belong to two live allocations, of ${lines}`,
      address: first,
    }));

    const ownedFrom = Math.max(from, slotOf(allocations, other), slotOf(allocations, number));
    const ownedEnd = (owned: number): number =>
      slotOf(allocations, owned) + nslotsOf(allocations, owned);
    const ownedTo = Math.min(to, ownedEnd(other), ownedEnd(number));
    if (ownedFrom >= ownedTo) return;
    addFinding(log, 'double-allocated-slot', () => ({
      ...place,
      message: `${slotWords(ownedFrom, ownedTo - ownedFrom)} owned by two live allocations, of ${lines}`,
      address: slotAddress(pool, ownedFrom),
    }));
  }

  return {
    onRequest(outcome) {
      if (outcome.allocation >= 0) claim(outcome);
    },
    onRelease(outcome) {
      if (outcome.match === Match.live) unclaim(outcome);
    },
  };
}
