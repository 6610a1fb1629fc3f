import { Op } from '../events/batch.js';
import { hex } from '../events/numbers.js';
import {
  addressOf,
  deviceOf,
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
  /** Per slot: number of the newest claimant plus one; 0 for none. */
  newest: Int32Array;
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

/**
 * The slots that an allocation owns, and those whose bytes its caller was handed: for
 * swiotlb_alloc() the bytes count from the start of the page that holds the address.
 */
function extentOf(session: Session, number: number): Extent {
  const { allocations } = session;
  const pool = poolOf(session, number);
  const from = slotOf(allocations, number);
  const to = Math.min(from + nslotsOf(allocations, number), pool.nslabs);
  if (opOf(allocations, number) !== Op.alloc) return { from, to };
  const address = addressOf(allocations, number);
  const inPage = (address | 0) & (session.options.pageSize - 1);
  if (inPage === 0) return { from, to };
  const handed = address - inPage;
  const end = slotAt(pool, handed + sizeOf(allocations, number) - 1) + 1;
  return { from: Math.max(0, slotAt(pool, handed)), to: Math.min(Math.max(to, end), pool.nslabs) };
}

/**
 * `double-allocated-page` and `double-allocated-slot`. It keeps books of its own, so that it does
 * not share the model's belief about what is free: a release that hits a neighbour shows up here.
 */
export function createOwnershipCheck(session: Session, log: FindingLog): Observer {
  // Pools come and go, transient ones with each buffer: their claims go with them.
  const claimsOf = new WeakMap<Pool, Claims>();
  let last: Pool | undefined;
  let lastClaims: Claims = { newest: new Int32Array(0), shared: new Map() };

  /** Hot path: consecutive events are nearly always about the same pool. */
  function claims(pool: Pool): Claims {
    if (pool === last) return lastClaims;
    last = pool;
    lastClaims = claimsOf.get(pool) ?? { newest: new Int32Array(pool.nslabs), shared: new Map() };
    claimsOf.set(pool, lastClaims);
    return lastClaims;
  }

  function claim(outcome: Outcome): void {
    const number = outcome.allocation;
    const { newest, shared } = claims(poolOf(session, number));
    const { from, to } = extentOf(session, number);
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
    const { newest, shared } = claims(poolOf(session, number));
    const { from, to } = extentOf(session, number);
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
    const extent = extentOf(session, number);
    const slot = slotOf(allocations, number);
    const own = slot === extent.from && slot + nslotsOf(allocations, number) === extent.to;
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
    const endOf = (owned: number): number =>
      slotOf(allocations, owned) + nslotsOf(allocations, owned);
    const ownedTo = Math.min(to, endOf(other), endOf(number));
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
