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
  /** It is in the queue, where others wait for it. */
  isHeld: boolean;
  /** Searches of areas that it has made, and the line of the first one's lock. */
  looks: number;
  firstLook: number;
  /** The pool that is searched now. */
  pool: number;
  area: number;
  isTransient: boolean;
  /** Who still looks at it: the queue, until it is written, and each list that it stands in. */
  uses: number;
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
    isHeld: false,
    looks: 0,
    firstLook: Number.NaN,
    pool: Number.NaN,
    area: 0,
    isTransient: false,
    uses: 1,
  };
}

/** Makes of an old call what newCall() gives: a trace has millions, and few at a time. */
function renew(
  call: Call,
  op: number,
  line: number,
  { time, cpu }: Pick<TraceRecord, 'time' | 'cpu'>,
  device: number,
): Call {
  call.op = op;
  call.line = line;
  call.time = time;
  call.cpu = cpu;
  call.device = device;
  call.origAddr = Number.NaN;
  call.size = Number.NaN;
  call.allocSize = Number.NaN;
  call.allocAlignMask = 0;
  call.dir = 0;
  call.recorded = Recorded.none;
  call.tlbAddr = Number.NaN;
  call.flag = Flag.none;
  call.flagValue = 0;
  call.at = Number.NaN;
  call.slack = Number.NaN;
  call.isOpen = true;
  call.isHeld = false;
  call.looks = 0;
  call.firstLook = Number.NaN;
  call.pool = Number.NaN;
  call.area = 0;
  call.isTransient = false;
  call.uses = 1;
  return call;
}

/**
 * Calls in the order in which they took effect. A call is known whole only at its return, when
 * others that took effect later may have returned already: those wait for it here.
 */
export interface CallQueue {
  /** As newCall(), of a call that nobody looks at any more if there is one. */
  begin(op: number, line: number, record: Pick<TraceRecord, 'time' | 'cpu'>, device: number): Call;
  /** One of its `uses` is over. Where this is not told the call is just not used again. */
  leave(call: Call): void;
  /** A call whose place is known, but not yet all of it; later ones wait for it. */
  hold(call: Call): void;
  /** Changes `at` of a call that may be held; it never goes back. */
  moveTo(call: Call, at: number): void;
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

/** Held calls that have ended leave the list's front in one go, when they are so many. */
const MOST_ENDED = 64;

/** An empty queue. */
export function createCallQueue(): CallQueue {
  const heap: Call[] = [];
  const spare: Call[] = [];
  /** In the order in which they were first held; from `head` on, where the first is open. */
  const held: Call[] = [];
  let head = 0;
  let open = 0;
  /** Held calls are in the order of `at`, too, and the last one's is this. */
  let isSorted = true;
  let lastAt = 0;
  let last = 0;

  function frontier(): number {
    if (open === 0) return Number.POSITIVE_INFINITY;
    if (isSorted) return held[head].at;
    let first = Number.POSITIVE_INFINITY;
    for (let n = head; n < held.length; n++) {
      if (held[n].isHeld && held[n].at < first) first = held[n].at;
    }
    return first;
  }

  function forget(call: Call): void {
    call.isOpen = false;
    if (!call.isHeld) return;
    call.isHeld = false;
    if (--open === 0) {
      held.length = head = lastAt = 0;
      isSorted = true;
      return;
    }
    while (!held[head].isHeld) head++;
    if (head < MOST_ENDED || head * 2 < held.length) return;
    held.splice(0, head);
    head = 0;
  }

  function leave(call: Call): void {
    if (--call.uses === 0) spare.push(call);
  }

  return {
    begin(op, line, record, device) {
      const call = spare.pop();
      return call === undefined
        ? newCall(op, line, record, device)
        : renew(call, op, line, record, device);
    },
    leave,
    hold(call) {
      call.isHeld = true;
      open++;
      held.push(call);
      isSorted &&= call.at >= lastAt;
      lastAt = call.at;
    },
    moveTo(call, at) {
      if (call === held[held.length - 1]) lastAt = at;
      else if (call.isHeld && call.at !== at) isSorted = false;
      call.at = at;
    },
    add(call) {
      forget(call);
      push(heap, call);
    },
    forget,
    dropOlderThan(line) {
      const old = held.filter((call) => call.isHeld && call.line < line);
      for (const call of old) forget(call);
      return old;
    },
    held: () => open,
    drain(batch) {
      if (heap.length === 0) return true;
      const until = frontier();
      while (heap.length > 0 && heap[0].at < until) {
        if (isFull(batch)) return false;
        // A call that was held back too long is late; the order of lines is kept all the same.
        const call = pop(heap);
        last = Math.max(last, call.at);
        write(batch, call, last);
        leave(call);
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
