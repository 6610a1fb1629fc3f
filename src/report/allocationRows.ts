import { OP_NAMES, Recorded } from '../events/batch.js';
import { hex } from '../events/numbers.js';
import type { Observer, Outcome } from '../replay/outcome.js';
import type { Session } from '../replay/session.js';

/** One map or alloc as reports show it. */
export interface AllocationRow {
  line: number;
  op: string;
  device: string;
  /** Hex; `0x0` for an alloc, which has none. */
  origAddr: string;
  /** Bytes asked for. */
  size: number;
  /** Bytes to allocate, in releases that are told. */
  allocSize: number;
  /** First slot, padding included; null where the request failed. */
  slot: number | null;
  /** Slots taken, or needed where the request failed. */
  nslots: number;
  /** Hex; null where the request failed. */
  tlbAddr: string | null;
  /** Hex, `full` or `hang`; null where the trace does not tell. */
  recorded: string | null;
  /** Why it failed. */
  cause?: string;
}

/** The rows of a replay: all of them, or the first and the last. */
export interface AllocationRows {
  /** Rows that there were. */
  total: number;
  /** Rows between the kept first and last ones that were not kept. */
  omitted: number;
  /** The kept rows, in order. */
  rows(): Iterable<AllocationRow>;
}

/** How many rows to keep when not all are wanted. */
export interface KeepRows {
  first: number;
  last: number;
}

/** Collects rows. */
export interface AllocationRecorder extends Observer, AllocationRows {}

/** Number columns, one entry per kept row; they grow, so that a million rows need no million objects. */
const COLUMNS = [
  'line',
  'op',
  'device',
  'origAddr',
  'size',
  'allocSize',
  'slot',
  'nslots',
  'tlbAddr',
  'recorded',
  'recordedAddr',
  'cause',
] as const;

type Column = (typeof COLUMNS)[number];

/**
 * Records the allocations of a session.
 * @param keep undefined keeps every row
 */
export function recordAllocations(session: Session, keep?: KeepRows): AllocationRecorder {
  const columns = Object.fromEntries(COLUMNS.map((name) => [name, new Float64Array(64)])) as Record<
    Column,
    Float64Array
  >;
  const causes: string[] = [];
  const first = keep?.first ?? Number.POSITIVE_INFINITY;
  const last = keep?.last ?? 0;
  const { totals } = session;
  const before = totals.maps;

  /** Where row `n` is kept: the first ones in place, the last ones in a ring behind them. */
  const placeOf = (n: number): number => (n < first ? n : first + ((n - first) % last));

  function grow(capacity: number): void {
    for (const name of COLUMNS) {
      const larger = new Float64Array(capacity);
      larger.set(columns[name]);
      columns[name] = larger;
    }
  }

  function causeNumber(cause: string | undefined): number {
    if (cause === undefined) return -1;
    const known = causes.indexOf(cause);
    return known >= 0 ? known : causes.push(cause) - 1;
  }

  function rowAt(at: number): AllocationRow {
    const value = (name: Column): number => columns[name][at];
    const failed = value('slot') < 0;
    const row: AllocationRow = {
      line: value('line'),
      op: OP_NAMES[value('op')],
      device: session.device(value('device')).name,
      origAddr: hex(value('origAddr')),
      size: value('size'),
      allocSize: value('allocSize'),
      slot: failed ? null : value('slot'),
      nslots: value('nslots'),
      tlbAddr: failed ? null : hex(value('tlbAddr')),
      recorded: recordedWord(value('recorded'), value('recordedAddr')),
    };
    if (value('cause') >= 0) row.cause = causes[value('cause')];
    return row;
  }

  return {
    get total() {
      return totals.maps - before;
    },
    get omitted() {
      return Math.max(0, this.total - first - last);
    },
    *rows() {
      const { total } = this;
      const head = Math.min(total, first);
      for (let n = 0; n < head; n++) yield rowAt(n);
      for (let n = Math.max(head, total - last); n < total; n++) yield rowAt(placeOf(n));
    },
    ...(first + last > 0 && { onRequest: record }),
  };

  function record(outcome: Outcome): void {
    const n = totals.maps - before - 1;
    if (n >= first && last === 0) return;
    const at = placeOf(n);
    if (at >= columns.line.length) grow(columns.line.length * 2);
    const { answer } = outcome;
    columns.line[at] = outcome.line;
    columns.op[at] = outcome.op;
    columns.device[at] = outcome.deviceNumber;
    columns.origAddr[at] = outcome.origAddr;
    columns.size[at] = outcome.size;
    columns.allocSize[at] = outcome.allocSize;
    columns.slot[at] = answer.slot;
    columns.nslots[at] = answer.plan.nslots;
    columns.tlbAddr[at] = answer.address;
    columns.recorded[at] = outcome.recorded;
    columns.recordedAddr[at] = outcome.recordedAddr;
    columns.cause[at] = causeNumber(outcome.cause);
  }
}

function recordedWord(recorded: number, address: number): string | null {
  if (recorded === Recorded.none) return null;
  if (recorded === Recorded.address) return hex(address);
  return recorded === Recorded.full ? 'full' : 'hang';
}
