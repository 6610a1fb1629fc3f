import {
  BIDIRECTIONAL,
  DIR_NAMES,
  type EventBatch,
  Flag,
  Look,
  OP_NAMES,
  Op,
  Recorded,
} from '../events/batch.js';
import { type DeviceNames, MAX_NAME_BYTES } from '../events/names.js';
import { ADDRESS_LIMIT, parseTime, readNumber } from '../events/numbers.js';
import { createRecentNames, recentDeviceNumber } from '../events/recentNames.js';
import { NEWLINE, startsWithAt } from './lines.js';
import { isField, words } from './literals.js';

/**
 * Reads the row from `from` on straight into a batch.
 * @param view of the same bytes
 * @returns where the next row begins, or -1 for a row with anything unusual in it: csv.ts reads it
 *   with care, and has words for what is wrong
 */
export type ReadPlainRow = (
  bytes: Buffer,
  view: DataView,
  from: number,
  line: number,
  batch: EventBatch,
) => number;

/** What a column holds; numbers come first, by their place in `numbers`. */
const Kind = {
  origAddr: 0,
  size: 1,
  allocSize: 2,
  allocAlignMask: 3,
  cpu: 4,
  tlbAddr: 5,
  dev: 6,
  op: 7,
  dir: 8,
  ignored: 9,
  /** Nearly always empty, and not read here otherwise. */
  flags: 10,
  time: 11,
} as const;

const KINDS: Readonly<Record<string, number>> = {
  orig_addr: Kind.origAddr,
  size: Kind.size,
  alloc_size: Kind.allocSize,
  alloc_align_mask: Kind.allocAlignMask,
  cpu: Kind.cpu,
  tlb_addr: Kind.tlbAddr,
  dev: Kind.dev,
  op: Kind.op,
  dir: Kind.dir,
  flags: Kind.flags,
  time: Kind.time,
};

/** Values of empty and missing number columns. */
const DEFAULTS = [Number.NaN, Number.NaN, Number.NaN, 0, 0, Number.NaN];

/** Values from here on are not what the column can hold. */
const LIMITS = [ADDRESS_LIMIT, ADDRESS_LIMIT, ADDRESS_LIMIT, 2 ** 32, 2 ** 20, ADDRESS_LIMIT];

const COMMA = 0x2c;
const CARRIAGE_RETURN = 0x0d;
const LOWER_F = 0x66;
const LOWER_U = 0x75;
const FULL = Buffer.from('full');

/** The operations and directions by their length, which tells them apart but for unmap and alloc. */
const OP_OF_LENGTH = byLength(OP_NAMES);
const DIR_OF_LENGTH = byLength(DIR_NAMES);
const OP_WORDS = OP_NAMES.map((name) => (name.length < 4 ? [] : words(name)));
const DIR_WORDS = DIR_NAMES.map((name) => words(name));
const MAP_COMMA = words('map,')[0];
const UNMAP = 'unmap';

function byLength(names: readonly string[]): Int8Array {
  const numbers = new Int8Array(32).fill(-1);
  names.forEach((name, number) => {
    numbers[name.length] = number;
  });
  return numbers;
}

/** Where the field from `at` on ends: before the first byte that is no plain text. Stops at newlines. */
function endOfField(bytes: Buffer, at: number): number {
  let end = at;
  while (bytes[end] > COMMA) end++;
  return end;
}

/** Whether the byte at `at` ends a field: a name that goes on must not be taken for a shorter one. */
function endsField(bytes: Buffer, at: number): boolean {
  if (bytes[at] === CARRIAGE_RETURN) return bytes[at + 1] === NEWLINE;
  return bytes[at] === COMMA || bytes[at] === NEWLINE;
}

/** The operation that a field spells; -1 for none, and for a map that ends its line. */
function opNumber(bytes: Buffer, view: DataView, from: number, to: number): number {
  const length = to - from;
  if (length === 3) return view.getInt32(from, true) === MAP_COMMA ? Op.map : -1;
  let op = length < OP_OF_LENGTH.length ? OP_OF_LENGTH[length] : -1;
  if (length === UNMAP.length && bytes[from] === LOWER_U) op = Op.unmap;
  return op >= 0 && isField(view, from, to, OP_WORDS[op]) ? op : -1;
}

function dirNumber(view: DataView, from: number, to: number): number {
  const length = to - from;
  const dir = length < DIR_OF_LENGTH.length ? DIR_OF_LENGTH[length] : -1;
  return dir >= 0 && isField(view, from, to, DIR_WORDS[dir]) ? dir : -1;
}

/** A reader of rows with these columns. */
export function plainRowReader(columns: readonly string[], names: DeviceNames): ReadPlainRow {
  const kinds = Uint8Array.from(columns, (name) =>
    Object.hasOwn(KINDS, name) ? KINDS[name] : Kind.ignored,
  );
  const numbers = Float64Array.from(DEFAULTS);
  const recent = createRecentNames(names);

  /** Whether the row has what an event of its kind needs; one that grows a pool is not plain. */
  function isComplete(op: number, recorded: number): boolean {
    if (op === Op.map) return numbers[Kind.origAddr] >= 0 && numbers[Kind.size] > 0;
    if (op === Op.alloc) return numbers[Kind.size] > 0;
    return op !== Op.grow && recorded === Recorded.address;
  }

  // The hot loop of the format: a cursor in a local variable, one pass over the bytes, no string,
  // object or closure for a field (bench/README.md).
  return (bytes, view, from, line, batch) => {
    let at = from;
    let device = -1;
    let op = -1;
    let dir = BIDIRECTIONAL;
    let recorded: number = Recorded.none;
    let time = Number.NaN;
    for (let column = 0; column < kinds.length; column++) {
      if (column > 0 && bytes[at++] !== COMMA) return -1;
      const kind = kinds[column];
      const start = at;
      if (kind <= Kind.tlbAddr) {
        numbers[kind] = DEFAULTS[kind];
        if (bytes[at] <= COMMA) continue;
        if (kind === Kind.tlbAddr) {
          recorded = Recorded.address;
          if (bytes[at] === LOWER_F && startsWithAt(bytes, at, FULL)) {
            recorded = Recorded.full;
            at += FULL.length;
            continue;
          }
        }
        at = readNumber(bytes, at, numbers, kind);
        if (at < 0 || numbers[kind] >= LIMITS[kind]) return -1;
        continue;
      }
      at = endOfField(bytes, at);
      if (kind === Kind.dev) {
        if (at === start || at - start > MAX_NAME_BYTES || !endsField(bytes, at)) return -1;
        device = recentDeviceNumber(recent, bytes, view, start, at);
      } else if (kind === Kind.op) {
        op = opNumber(bytes, view, start, at);
        if (op < 0) return -1;
      } else if (kind === Kind.dir) {
        if (at > start) dir = dirNumber(view, start, at);
        if (dir < 0) return -1;
      } else if (kind === Kind.time) {
        time = parseTime(bytes, start, at);
      } else if (kind === Kind.flags && at > start) {
        return -1;
      }
    }
    if (bytes[at] === CARRIAGE_RETURN) at++;
    if (bytes[at] !== NEWLINE || !isComplete(op, recorded)) return -1;
    const n = batch.length++;
    batch.line[n] = line;
    batch.time[n] = time;
    batch.cpu[n] = numbers[Kind.cpu];
    batch.device[n] = device;
    batch.op[n] = op;
    batch.origAddr[n] = numbers[Kind.origAddr];
    batch.size[n] = numbers[Kind.size];
    batch.allocSize[n] = numbers[Kind.allocSize];
    batch.allocAlignMask[n] = numbers[Kind.allocAlignMask];
    batch.dir[n] = dir;
    batch.recorded[n] = recorded;
    batch.tlbAddr[n] = numbers[Kind.tlbAddr];
    batch.flag[n] = Flag.none;
    batch.flagValue[n] = Number.NaN;
    batch.slack[n] = line;
    batch.look[n] = Look.whole;
    return at + 1;
  };
}
