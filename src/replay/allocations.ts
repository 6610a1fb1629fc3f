import type { Pool } from '../swiotlb/pool.js';

/** What became of an entry of the table. */
const State = { free: 0, live: 1, refused: 2, released: 3 } as const;

/**
 * The allocations of a replay, in columns, by number. A number is used again some time after its
 * allocation was released; until then the columns tell what a later, second unmap is about.
 */
export interface Allocations {
  line: Float64Array;
  /** One of `Op`. */
  op: Uint8Array;
  device: Int32Array;
  /** The model's tlb_addr; NaN where it refused what the recorded kernel had served. */
  address: Float64Array;
  /** The address that the trace knows it by. */
  recordedAddr: Float64Array;
  /** Bytes asked for. */
  size: Float64Array;
  /** Bytes in front of the data, padding slots included. */
  offset: Int32Array;
  /** The pool that holds it; undefined where the model refused it. */
  pool: (Pool | undefined)[];
  /** First slot, padding included. */
  slot: Int32Array;
  nslots: Int32Array;
  dir: Uint8Array;
  state: Uint8Array;
  /** The next live allocation that the trace knows by an address in the same slot; -1 at the end. */
  next: Int32Array;
  /** Entries in use, live or not. */
  length: number;
  /** Live allocations. */
  live: number;
  unused: number[];
  index: AddressIndex;
}

/** From recorded addresses, by slot, to allocations: an open hash table. */
interface AddressIndex {
  /** Address / 2048, rounded down; NaN in an empty bucket. */
  key: Float64Array;
  /** Newest live allocation, -1 for none. */
  live: Int32Array;
  /** The allocation that was released last, -1 for none. */
  released: Int32Array;
  count: number;
}

/** Live allocations in one slot that a search looks at; a trace with more of them lost its unmaps. */
const MAX_CHAIN = 64;

function createIndex(capacity: number): AddressIndex {
  return {
    key: new Float64Array(capacity).fill(Number.NaN),
    live: new Int32Array(capacity).fill(-1),
    released: new Int32Array(capacity).fill(-1),
    count: 0,
  };
}

/** An empty table. */
export function createAllocations(): Allocations {
  return {
    line: new Float64Array(0),
    op: new Uint8Array(0),
    device: new Int32Array(0),
    address: new Float64Array(0),
    recordedAddr: new Float64Array(0),
    size: new Float64Array(0),
    offset: new Int32Array(0),
    pool: [],
    slot: new Int32Array(0),
    nslots: new Int32Array(0),
    dir: new Uint8Array(0),
    state: new Uint8Array(0),
    next: new Int32Array(0),
    length: 0,
    live: 0,
    unused: [],
    index: createIndex(1024),
  };
}

function grown<T extends Float64Array | Int32Array | Uint8Array>(column: T, capacity: number): T {
  const larger = new (column.constructor as new (n: number) => T)(capacity);
  larger.set(column);
  return larger;
}

function newNumber(table: Allocations): number {
  const unused = table.unused.pop();
  if (unused !== undefined) return unused;
  if (table.length === table.line.length) {
    const capacity = Math.max(1024, table.length * 2);
    table.line = grown(table.line, capacity);
    table.op = grown(table.op, capacity);
    table.device = grown(table.device, capacity);
    table.address = grown(table.address, capacity);
    table.recordedAddr = grown(table.recordedAddr, capacity);
    table.size = grown(table.size, capacity);
    table.offset = grown(table.offset, capacity);
    table.slot = grown(table.slot, capacity);
    table.nslots = grown(table.nslots, capacity);
    table.dir = grown(table.dir, capacity);
    table.state = grown(table.state, capacity);
    table.next = grown(table.next, capacity);
  }
  return table.length++;
}

function keyOf(address: number): number {
  return Math.floor(address / 2048);
}

/** The bucket of a key, or the empty one where it belongs. */
function bucketOf(index: AddressIndex, key: number): number {
  const mask = index.key.length - 1;
  let bucket = Math.imul(key | 0, 0x9e3779b1) >>> 7;
  for (;;) {
    bucket &= mask;
    const there = index.key[bucket];
    if (there === key || Number.isNaN(there)) return bucket;
    bucket++;
  }
}

function growIndex(table: Allocations): void {
  const old = table.index;
  const index = createIndex(old.key.length * 2);
  for (let from = 0; from < old.key.length; from++) {
    if (Number.isNaN(old.key[from])) continue;
    const to = bucketOf(index, old.key[from]);
    index.key[to] = old.key[from];
    index.live[to] = old.live[from];
    index.released[to] = old.released[from];
  }
  index.count = old.count;
  table.index = index;
}

/**
 * Adds an allocation that the trace knows by `recordedAddr`; the caller fills the other columns.
 * @param refused the model did not serve it; it is only remembered for its unmap
 */
export function addAllocation(table: Allocations, recordedAddr: number, refused: boolean): number {
  if (table.index.count * 2 >= table.index.key.length) growIndex(table);
  const { index } = table;
  const key = keyOf(recordedAddr);
  const bucket = bucketOf(index, key);
  if (Number.isNaN(index.key[bucket])) {
    index.key[bucket] = key;
    index.count++;
  }
  const number = newNumber(table);
  table.recordedAddr[number] = recordedAddr;
  table.state[number] = refused ? State.refused : State.live;
  table.next[number] = index.live[bucket];
  index.live[bucket] = number;
  if (!refused) table.live++;
  return number;
}

/** The newest allocation, not yet released, that the trace knows by exactly this address; -1 for none. */
export function findAllocation(table: Allocations, recordedAddr: number): number {
  let number = table.index.live[bucketOf(table.index, keyOf(recordedAddr))];
  for (let n = 0; n < MAX_CHAIN && number >= 0; n++) {
    if (table.recordedAddr[number] === recordedAddr) return number;
    number = table.next[number];
  }
  return -1;
}

/** The allocation at exactly this address that was released last, if nothing came after it; -1 for none. */
export function findReleased(table: Allocations, recordedAddr: number): number {
  const number = table.index.released[bucketOf(table.index, keyOf(recordedAddr))];
  return number >= 0 && table.recordedAddr[number] === recordedAddr ? number : -1;
}

/**
 * The live allocation in whose recorded slots an address lies, wherever in them; -1 for none.
 * For addresses that are no allocation's own.
 */
export function findAround(table: Allocations, recordedAddr: number): number {
  const key = keyOf(recordedAddr);
  for (let below = 0; below < 128; below++) {
    const number = table.index.live[bucketOf(table.index, key - below)];
    if (number < 0 || !isLive(table, number)) continue;
    const end = table.recordedAddr[number] - table.offset[number] + table.nslots[number] * 2048;
    if (recordedAddr < end) return number;
  }
  return -1;
}

/** Whether the model has served it and it was not released. */
export function isLive(table: Allocations, number: number): boolean {
  return table.state[number] === State.live;
}

/** Takes an allocation off the live ones. Its columns stay until its slot sees another release. */
export function endAllocation(table: Allocations, number: number): void {
  const { index } = table;
  const bucket = bucketOf(index, keyOf(table.recordedAddr[number]));
  if (index.live[bucket] === number) {
    index.live[bucket] = table.next[number];
  } else {
    let before = index.live[bucket];
    while (table.next[before] !== number) before = table.next[before];
    table.next[before] = table.next[number];
  }
  if (isLive(table, number)) table.live--;
  table.state[number] = State.released;
  const older = index.released[bucket];
  if (older >= 0) {
    table.state[older] = State.free;
    table.unused.push(older);
  }
  index.released[bucket] = number;
}

/** Calls `visit` with the number of each live allocation, in no particular order. */
export function eachLive(table: Allocations, visit: (number: number) => void): void {
  for (let number = 0; number < table.length; number++) if (isLive(table, number)) visit(number);
}
