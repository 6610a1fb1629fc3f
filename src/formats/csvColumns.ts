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
import { type DeviceNames, deviceNumber, MAX_NAME_BYTES } from '../events/names.js';
import { ADDRESS_LIMIT, MAX_NSLABS, parseMask, parseNumber, parseTime } from '../events/numbers.js';
import { startsWithAt } from './lines.js';

/** Reads a field into a row; says what is wrong with it, or undefined. */
export type ReadColumn = (bytes: Buffer, from: number, to: number, row: Row) => string | undefined;

/** One row while it is read. NaN stands for an empty field. */
export interface Row {
  time: number;
  cpu: number;
  device: number;
  op: number;
  origAddr: number;
  size: number;
  allocSize: number;
  allocAlignMask: number;
  dir: number;
  recorded: number;
  tlbAddr: number;
  flag: number;
  flagValue: number;
}

const FULL = Buffer.from('full');
const HANG = Buffer.from('hang');
const FLAGS = new Map<string, number>([
  ['transient', Flag.transient],
  ['transient_failed', Flag.transientFailed],
  ['areas', Flag.areas],
]);
const OPS = OP_NAMES.map((name) => Buffer.from(name));
const DIRS = DIR_NAMES.map((name) => Buffer.from(name));

/** Blank-separated flags of CONFIG_SWIOTLB_DYNAMIC; an event has one of them at most. */
const readFlags: ReadColumn = (bytes, from, to, row) => {
  if (from === to) return undefined;
  for (const pair of bytes.toString('latin1', from, to).split(' ')) {
    const [name, value] = pair.split('=');
    row.flag = FLAGS.get(name) ?? Flag.none;
    row.flagValue = parseMask(value ?? '');
    if (row.flag === Flag.none || !(row.flagValue < ADDRESS_LIMIT)) {
      return `is not one of ${[...FLAGS.keys()].join('=, ')}= with a number`;
    }
  }
  return undefined;
};

/** The number of the name among `names` that bytes[from, to) spell; -1 if none. */
function wordNumber(names: readonly Buffer[], bytes: Buffer, from: number, to: number): number {
  for (let n = 0; n < names.length; n++) {
    if (names[n].length === to - from && startsWithAt(bytes, from, names[n])) return n;
  }
  return -1;
}

/** How each column is read; a message comes back for what it cannot hold. */
export function columnReaders(names: DeviceNames): Record<string, ReadColumn> {
  const number =
    (
      field: 'origAddr' | 'size' | 'allocSize' | 'allocAlignMask' | 'cpu',
      limit: number,
      what: string,
    ): ReadColumn =>
    (bytes, from, to, row) => {
      if (from === to) return undefined;
      const value = parseNumber(bytes, from, to);
      row[field] = value;
      return value < limit ? undefined : `is not ${what}`;
    };
  const ignore: ReadColumn = () => undefined;
  return {
    time(bytes, from, to, row) {
      row.time = parseTime(bytes, from, to);
      return undefined;
    },
    attrs: ignore,
    flags: readFlags,
    cpu: number('cpu', 2 ** 20, 'a CPU number'),
    orig_addr: number('origAddr', ADDRESS_LIMIT, 'a physical address (below 2^52)'),
    size: number('size', ADDRESS_LIMIT, 'a size in bytes'),
    alloc_size: number('allocSize', ADDRESS_LIMIT, 'a size in bytes'),
    alloc_align_mask: number('allocAlignMask', 2 ** 32, 'a 32-bit mask'),
    dev(bytes, from, to, row) {
      if (from === to) return undefined;
      if (to - from > MAX_NAME_BYTES) return `is longer than ${MAX_NAME_BYTES} bytes`;
      row.device = deviceNumber(names, bytes, from, to);
      return undefined;
    },
    op(bytes, from, to, row) {
      row.op = wordNumber(OPS, bytes, from, to);
      return row.op < 0 ? `is not one of ${OP_NAMES.join(', ')}` : undefined;
    },
    dir(bytes, from, to, row) {
      if (from === to) return undefined;
      row.dir = wordNumber(DIRS, bytes, from, to);
      return row.dir < 0 ? `is not one of ${DIR_NAMES.join(', ')}` : undefined;
    },
    tlb_addr(bytes, from, to, row) {
      if (from === to) return undefined;
      if (to - from === 4 && startsWithAt(bytes, from, FULL)) {
        row.recorded = Recorded.full;
      } else if (to - from === 4 && startsWithAt(bytes, from, HANG)) {
        row.recorded = Recorded.hang;
      } else {
        row.recorded = Recorded.address;
        row.tlbAddr = parseNumber(bytes, from, to);
        if (!(row.tlbAddr < ADDRESS_LIMIT)) return 'is not an address (below 2^52), full or hang';
      }
      return undefined;
    },
  };
}
/** A row with room for every column. */
export function emptyRow(): Row {
  return {
    time: 0,
    cpu: 0,
    device: 0,
    op: 0,
    origAddr: 0,
    size: 0,
    allocSize: 0,
    allocAlignMask: 0,
    dir: 0,
    recorded: 0,
    tlbAddr: 0,
    flag: 0,
    flagValue: 0,
  };
}

/** Gives every column the default of a missing one. */
export function resetRow(row: Row): void {
  row.time = Number.NaN;
  row.cpu = 0;
  row.device = -1;
  row.op = -1;
  row.origAddr = Number.NaN;
  row.size = Number.NaN;
  row.allocSize = Number.NaN;
  row.allocAlignMask = 0;
  row.dir = BIDIRECTIONAL;
  row.recorded = Recorded.none;
  row.tlbAddr = Number.NaN;
  row.flag = Flag.none;
  row.flagValue = Number.NaN;
}

/** What an event of its kind needs and the row does not have, in words. */
export function missingField(row: Row): string | undefined {
  if (row.device < 0 && row.op !== Op.grow)
    return 'dev is empty: every event but grow has a device';
  switch (row.op) {
    case Op.grow:
      return impossiblePool(row);
    case Op.map:
      if (Number.isNaN(row.origAddr)) return 'a map needs its orig_addr';
      return row.size > 0 ? undefined : 'a map needs a size of 1 byte or more';
    case Op.alloc:
      return row.size > 0 ? undefined : 'an alloc needs a size of 1 byte or more';
    default:
      return row.recorded === Recorded.address
        ? undefined
        : 'an unmap, free or sync needs the tlb_addr that it is about';
  }
}

/** What makes a grown pool impossible, in words. */
function impossiblePool({ origAddr, size, flag, flagValue }: Row): string | undefined {
  if (!(origAddr % 2048 === 0))
    return 'a grow needs the base of its pool, a multiple of 2048, in orig_addr';
  if (!(size > 0 && size <= MAX_NSLABS)) return 'a grow needs the slots of its pool in size';
  if (flag === Flag.none) return undefined;
  const isPower = flag === Flag.areas && Number.isInteger(Math.log2(flagValue));
  return isPower && flagValue <= size
    ? undefined
    : 'a grow has areas=, a power of two of at most its slots';
}

/** Adds a row to a batch. */
export function pushRow(batch: EventBatch, line: number, row: Row): void {
  const n = batch.length++;
  batch.line[n] = line;
  batch.time[n] = row.time;
  batch.cpu[n] = row.cpu;
  batch.device[n] = row.device;
  batch.op[n] = row.op;
  batch.origAddr[n] = row.origAddr;
  batch.size[n] = row.size;
  batch.allocSize[n] = row.allocSize;
  batch.allocAlignMask[n] = row.allocAlignMask;
  batch.dir[n] = row.dir;
  batch.recorded[n] = row.recorded;
  batch.tlbAddr[n] = row.tlbAddr;
  batch.flag[n] = row.flag;
  batch.flagValue[n] = row.flagValue;
  batch.slack[n] = line;
  batch.look[n] = Look.whole;
}
