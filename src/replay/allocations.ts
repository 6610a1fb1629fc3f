import { Op } from '../events/batch.js';
import type { Pool } from '../swiotlb/pool.js';
import { type AddressIndex, createAddressIndex, entryAt, findEntry } from './addressIndex.js';
import type { Outcome } from './outcome.js';

/** What became of an entry of the table. */
const State = { free: 0, live: 1, refused: 2 } as const;

/**
 * The allocations of a replay, by number. A number is used again once its allocation was released;
 * what a later, second unmap needs of it is kept aside.
 *
 * Each is a record of 64 bytes, read through two views: they are looked up in any order, and one
 * cache line costs less than one of each of a dozen columns.
 */
export interface Allocations {
  doubles: Float64Array;
  ints: Int32Array;
  /** The pool that holds it; undefined where the model refused it. */
  pool: (Pool | undefined)[];
  /** Records in use, live or not. */
  length: number;
  /** Live allocations. */
  live: number;
  unused: number[];
  index: AddressIndex;
  /**
   * By entry of the index: the model's address of what was released there last, where it is not the
   * recorded one; empty before it is needed.
   */
  movedTo: Float64Array;
  /** The record that `findReleased` fills; -1 before it is needed. */
  ghost: number;
}

/** Places in a record: doubles first, then 32-bit integers. */
const DOUBLES = 8;
const LINE = 0;
const ADDRESS = 1;
const RECORDED_ADDR = 2;
const SIZE = 3;
const INTS = 2 * DOUBLES;
const SLOT = 8;
const NSLOTS = 9;
const OFFSET = 10;
const DEVICE = 11;
/** The operation, and from OP_BITS on the direction. */
const CALL = 12;
const STATE = 13;
/** Where the index has its slot. */
const ENTRY = 14;
/** The next older allocation that the trace knows by an address in the same slot; -1 at the end. */
const NEXT = 15;

const OP_BITS = 3;

/** In what is kept of a released allocation: the bits of its address inside the slot, two flags, and its line. */
const IN_SLOT = 0x7ff;
const WAS_ALLOC = 0x800;
const WAS_MOVED = 0x1000;
const LINE_UNIT = 0x2000;

/** Allocations in one slot that a search looks at; a trace with more of them lost its unmaps. */
const MAX_CHAIN = 64;

/** Line of the trace that made it. */
export function lineOf({ doubles }: Allocations, number: number): number {
  return doubles[number * DOUBLES + LINE];
}

/** One of `Op`. */
export function opOf({ ints }: Allocations, number: number): number {
  return ints[number * INTS + CALL] & ((1 << OP_BITS) - 1);
}

/** Index into the trace's devices. */
export function deviceOf({ ints }: Allocations, number: number): number {
  return ints[number * INTS + DEVICE];
}

/** The model's tlb_addr; NaN where it refused what the recorded kernel had served. */
export function addressOf({ doubles }: Allocations, number: number): number {
  return doubles[number * DOUBLES + ADDRESS];
}

/** The address that the trace knows it by. */
export function recordedAddrOf({ doubles }: Allocations, number: number): number {
  return doubles[number * DOUBLES + RECORDED_ADDR];
}

/** Bytes asked for. */
export function sizeOf({ doubles }: Allocations, number: number): number {
  return doubles[number * DOUBLES + SIZE];
}

/** Bytes in front of the data, padding slots included. */
export function offsetOf({ ints }: Allocations, number: number): number {
  return ints[number * INTS + OFFSET];
}

/** First slot, padding included. */
export function slotOf({ ints }: Allocations, number: number): number {
  return ints[number * INTS + SLOT];
}

/** Slots that it owns. */
export function nslotsOf({ ints }: Allocations, number: number): number {
  return ints[number * INTS + NSLOTS];
}

/** Index into DIR_NAMES. */
export function dirOf({ ints }: Allocations, number: number): number {
  return ints[number * INTS + CALL] >> OP_BITS;
}

/** Whether the model has served it and it was not released. */
export function isLive({ ints }: Allocations, number: number): boolean {
  return ints[number * INTS + STATE] === State.live;
}

/** An empty table. */
export function createAllocations(): Allocations {
  const records = new ArrayBuffer(0);
  return {
    doubles: new Float64Array(records),
    ints: new Int32Array(records),
    pool: [],
    length: 0,
    live: 0,
    unused: [],
    index: createAddressIndex(),
    movedTo: new Float64Array(0),
    ghost: -1,
  };
}

function newNumber(table: Allocations): number {
  const unused = table.unused.pop();
  if (unused !== undefined) return unused;
  if (table.length * DOUBLES === table.doubles.length) {
    const larger = new Float64Array(Math.max(1024, table.length * 2) * DOUBLES);
    larger.set(table.doubles);
    table.doubles = larger;
    table.ints = new Int32Array(larger.buffer);
  }
  return table.length++;
}

/**
 * Adds an allocation that the trace knows by `recordedAddr`; the caller describes it.
 * @param refused the model did not serve it; it is only remembered for its unmap
 */
export function addAllocation(table: Allocations, recordedAddr: number, refused: boolean): number {
  const entry = entryAt(table.index, recordedAddr);
  const newest = table.index.newest[entry] - 1;
  // No kernel gives a slot away twice: one that the model refused is gone when its slot comes again,
  // whether or not the trace tells. So a trace without unmaps does not fill memory.
  const replaces = refused && newest >= 0 && table.ints[newest * INTS + STATE] === State.refused;
  const number = replaces ? newest : newNumber(table);
  const { doubles, ints } = table;
  doubles[number * DOUBLES + RECORDED_ADDR] = recordedAddr;
  if (replaces) return number;
  ints[number * INTS + STATE] = refused ? State.refused : State.live;
  ints[number * INTS + ENTRY] = entry;
  ints[number * INTS + NEXT] = newest;
  table.index.newest[entry] = number + 1;
  if (!refused) table.live++;
  return number;
}

/** Tells the table what an allocation is. */
export function describeAllocation(
  { doubles, ints, pool }: Allocations,
  number: number,
  { line, op, deviceNumber, size, dir, answer }: AllocatedBy,
): void {
  const at = number * DOUBLES;
  doubles[at + LINE] = line;
  doubles[at + ADDRESS] = answer.address;
  doubles[at + SIZE] = size;
  const from = number * INTS;
  ints[from + SLOT] = answer.slot;
  ints[from + NSLOTS] = answer.plan.nslots;
  ints[from + OFFSET] = answer.plan.offset;
  ints[from + DEVICE] = deviceNumber;
  ints[from + CALL] = op | (dir << OP_BITS);
  if (pool[number] !== answer.pool) pool[number] = answer.pool;
}

/** The request that made an allocation, and its answer. */
export type AllocatedBy = Pick<Outcome, 'line' | 'op' | 'deviceNumber' | 'size' | 'dir' | 'answer'>;

/** The newest allocation, not yet released, that the trace knows by exactly this address; -1 for none. */
export function findAllocation(table: Allocations, recordedAddr: number): number {
  const { doubles, ints, index } = table;
  const entry = findEntry(index, recordedAddr);
  let number = entry < 0 ? -1 : index.newest[entry] - 1;
  for (let n = 0; n < MAX_CHAIN && number >= 0; n++) {
    if (doubles[number * DOUBLES + RECORDED_ADDR] === recordedAddr) return number;
    number = ints[number * INTS + NEXT];
  }
  return -1;
}

/**
 * The allocation at exactly this address that was released last, if nothing was released in its slot
 * since; -1 for none. It has its line, operation and addresses, until the next call.
 */
export function findReleased(table: Allocations, recordedAddr: number): number {
  const entry = findEntry(table.index, recordedAddr);
  if (entry < 0) return -1;
  const kept = table.index.released[entry];
  if (kept === 0 || (kept & IN_SLOT) !== (recordedAddr & IN_SLOT)) return -1;
  if (table.ghost < 0) table.ghost = newNumber(table);
  const { ghost, doubles, ints } = table;
  doubles[ghost * DOUBLES + LINE] = Math.floor(kept / LINE_UNIT);
  doubles[ghost * DOUBLES + ADDRESS] = kept & WAS_MOVED ? table.movedTo[entry] : recordedAddr;
  doubles[ghost * DOUBLES + RECORDED_ADDR] = recordedAddr;
  ints[ghost * INTS + CALL] = kept & WAS_ALLOC ? Op.alloc : Op.map;
  ints[ghost * INTS + STATE] = State.free;
  return ghost;
}

/**
 * The live allocation in whose recorded slots an address lies, wherever in them; -1 for none.
 * For addresses that are no allocation's own.
 */
export function findAround(table: Allocations, recordedAddr: number): number {
  for (let below = 0; below < 128; below++) {
    const entry = findEntry(table.index, recordedAddr - below * 2048);
    const number = entry < 0 ? -1 : table.index.newest[entry] - 1;
    if (number < 0 || !isLive(table, number)) continue;
    const begin = recordedAddrOf(table, number) - offsetOf(table, number);
    if (recordedAddr < begin + nslotsOf(table, number) * 2048) return number;
  }
  return -1;
}

/** Takes an allocation off the live ones; its number is free for the next. */
export function endAllocation(table: Allocations, number: number): void {
  const { ints } = table;
  const { newest } = table.index;
  const entry = ints[number * INTS + ENTRY];
  const next = ints[number * INTS + NEXT];
  if (newest[entry] - 1 === number) {
    newest[entry] = next + 1;
  } else {
    let before = newest[entry] - 1;
    while (ints[before * INTS + NEXT] !== number) before = ints[before * INTS + NEXT];
    ints[before * INTS + NEXT] = next;
  }
  if (isLive(table, number)) table.live--;
  ints[number * INTS + STATE] = State.free;
  table.unused.push(number);
  keepReleased(table, entry, number);
}

/** One number for what a second unmap needs to know: exact for lines below 2^40. */
function keepReleased(table: Allocations, entry: number, number: number): void {
  const { doubles } = table;
  const at = number * DOUBLES;
  const knownAs = doubles[at + RECORDED_ADDR];
  const moved = doubles[at + ADDRESS] !== knownAs;
  const alloc = opOf(table, number) === Op.alloc;
  const flags = (alloc ? WAS_ALLOC : 0) | (moved ? WAS_MOVED : 0);
  table.index.released[entry] = doubles[at + LINE] * LINE_UNIT + (flags | (knownAs & IN_SLOT));
  if (moved) keepMoved(table, entry, doubles[at + ADDRESS]);
}

function keepMoved(table: Allocations, entry: number, address: number): void {
  const { released } = table.index;
  if (table.movedTo.length < released.length) {
    const larger = new Float64Array(released.length);
    larger.set(table.movedTo);
    table.movedTo = larger;
  }
  table.movedTo[entry] = address;
}

/** Calls `visit` with the number of each live allocation, in no particular order. */
export function eachLive(table: Allocations, visit: (number: number) => void): void {
  for (let number = 0; number < table.length; number++) if (isLive(table, number)) visit(number);
}
