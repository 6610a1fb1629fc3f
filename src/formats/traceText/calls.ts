import {
  BIDIRECTIONAL,
  type EventBatch,
  Flag,
  isFull,
  Look,
  Recorded,
} from '../../events/batch.js';
import type { TraceRecord } from './record.js';

/** enum dma_data_direction in this project's numbering. */
export const DIRS: readonly number[] = [BIDIRECTIONAL, 0, 1, BIDIRECTIONAL];

/** A call that was seen, from its first line on; as a row of a batch, and how far it is known. */
export interface Call {
  /** One of `Op`. */
  op: number;
  /** Line of its entry, or of its only record. */
  line: number;
  /** Of the record at which it took effect, as far as known; of its entry before that. */
  time: number;
  cpu: number;
  device: number;
  origAddr: number;
  size: number;
  allocSize: number;
  allocAlignMask: number;
  dir: number;
  recorded: number;
  tlbAddr: number;
  flag: number;
  flagValue: number;
  /** Line at which it took effect, as far as known; NaN before that. */
  at: number;
  /** As the column of that name; NaN: the place is exact. */
  slack: number;
  /** More of its records are to come. */
  isOpen: boolean;
  /** Searches of areas that it has made, and the line of the first one's lock. */
  looks: number;
  firstLook: number;
  /** The pool that is searched now. */
  pool: number;
  area: number;
  isTransient: boolean;
}

/** A call about which only its line, its first record and its kind are known. */
export function newCall(
  op: number,
  line: number,
  { time, cpu }: Pick<TraceRecord, 'time' | 'cpu'>,
  device: number,
): Call {
  return {
    op,
    line,
    time,
    cpu,
    device,
    origAddr: Number.NaN,
    size: Number.NaN,
    allocSize: Number.NaN,
    allocAlignMask: 0,
    dir: 0,
    recorded: Recorded.none,
    tlbAddr: Number.NaN,
    flag: Flag.none,
    flagValue: 0,
    at: Number.NaN,
    slack: Number.NaN,
    isOpen: true,
    looks: 0,
    firstLook: Number.NaN,
    pool: Number.NaN,
    area: 0,
    isTransient: false,
  };
}

/**
 * Calls in the order in which they took effect. A call is known whole only at its return, when
 * others that took effect later may have returned already: those wait for it here.
 */
export interface CallQueue {
  /** A call whose place is known, but not yet all of it; later ones wait for it. */
  hold(call: Call): void;
  /** A call that is known whole. */
  add(call: Call): void;
  /** A held call that turned out to be none. */
  forget(call: Call): void;
  /** Gives up on calls that are held and began before `line`. @returns those */
  dropOlderThan(line: number): Call[];
  /** Calls that are held. */
  held(): number;
  /** Writes what is ready into the batch until it is full. @returns whether all that is ready was written */
  drain(batch: EventBatch): boolean;
}

/** An empty queue. */
export function createCallQueue(): CallQueue {
  const heap: Call[] = [];
  let held: Call[] = [];
  let last = 0;

  function frontier(): number {
    if (held.length === 0) return Number.POSITIVE_INFINITY;
    let first = Number.POSITIVE_INFINITY;
    for (const { at } of held) if (at < first) first = at;
    return first;
  }

  function forget(call: Call): void {
    call.isOpen = false;
    const index = held.indexOf(call);
    if (index >= 0) held.splice(index, 1);
  }

  return {
    hold(call) {
      held.push(call);
    },
    add(call) {
      forget(call);
      push(heap, call);
    },
    forget,
    dropOlderThan(line) {
      const old = held.filter((call) => call.line < line);
      for (const call of old) call.isOpen = false;
      held = held.filter((call) => call.isOpen);
      return old;
    },
    held: () => held.length,
    drain(batch) {
      const until = frontier();
      while (heap.length > 0 && heap[0].at < until) {
        if (isFull(batch)) return false;
        // A call that was held back too long is late; the order of lines is kept all the same.
        const call = pop(heap);
        last = Math.max(last, call.at);
        write(batch, call, last);
      }
      return true;
    },
  };
}

function write(batch: EventBatch, call: Call, at: number): void {
  const n = batch.length++;
  batch.line[n] = Math.floor(at);
  batch.time[n] = call.time;
  batch.cpu[n] = call.cpu;
  batch.device[n] = call.device;
  batch.op[n] = call.op;
  batch.origAddr[n] = call.origAddr;
  batch.size[n] = call.size;
  batch.allocSize[n] = call.allocSize;
  batch.allocAlignMask[n] = call.allocAlignMask;
  batch.dir[n] = call.dir;
  batch.recorded[n] = call.recorded;
  batch.tlbAddr[n] = call.tlbAddr;
  batch.flag[n] = call.flag;
  batch.flagValue[n] = call.flagValue;
  batch.slack[n] = Number.isNaN(call.slack) ? batch.line[n] : call.slack;
  batch.look[n] = Look.whole;
}

/** A binary heap by `at`; mostly it holds one call, and both ways end at once. */
function push(heap: Call[], call: Call): void {
  let at = heap.length;
  heap.push(call);
  while (at > 0) {
    const parent = (at - 1) >> 1;
    if (heap[parent].at <= call.at) break;
    heap[at] = heap[parent];
    at = parent;
  }
  heap[at] = call;
}

function pop(heap: Call[]): Call {
  const top = heap[0];
  const moved = heap.pop() as Call;
  if (heap.length === 0) return top;
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && heap[child + 1].at < heap[child].at) child++;
    if (heap[child].at >= moved.at) break;
    heap[at] = heap[child];
    at = child;
  }
  heap[at] = moved;
  return top;
}
