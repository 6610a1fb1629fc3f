import {
  type CopyCount,
  type DeviceRange,
  DMA_OPS,
  type DmaIommuTrace,
  type DmaRow,
  type PhysPiece,
} from '../events/iommu.js';
import { ADDRESS_LIMIT, readDecimal, readHex, readNumber } from '../events/numbers.js';
import { readDeviceAddress, readPlainAddress } from './dmaIommuPlainAddress.js';
import { DMA_NEEDS, problemOfDmaRow } from './iommuRows.js';
import type { ReadPlainRow } from './iommuText.js';
import { NEWLINE, startsWithAt } from './lines.js';
import { createWordTable, wordNumber } from './traceText/words.js';

/*
 * The rows of a dma-iommu trace as recorders write them, read in one pass over the bytes:
 *
 *     0.029,0,usb,map_page,7,0x4038090c,1024,1,0x0,0xfffff000,0x41014000,1,4,0,1:1024,0:0,,0,
 *
 * A hot path (bench/README.md): a cursor that functions hand on, an array for the numbers, one row for
 * all, no string but for odd results. Each function gives where its field ends; -1, which the others hand on, for what
 * is left to the careful reader. None looks beyond the line's newline: every field ends there.
 */

const COMMA = 0x2c;
const CARRIAGE_RETURN = 0x0d;
const COLON = 0x3a;
const SEMICOLON = 0x3b;
const PLUS = 0x2b;
const DOT = 0x2e;
const ZERO = 0x30;
const LAST_ASCII = 0x7e;
const UPPER_C = 0x43;
const UPPER_D = 0x44;

/** Devices beyond the table's room are left to the careful reader. */
const MOST_NAMES = 120;

const SAFE_LIMIT = 2 ** 53;

/** What numbers are read to: one of a row's own fields, or a part of another. */
const Slot = {
  time: 0,
  cpu: 1,
  id: 2,
  size: 3,
  dir: 4,
  attrs: 5,
  granules: 6,
  slots: 7,
  leaked: 8,
  warn: 9,
  crc: 10,
  part: 11,
  length: 12,
} as const;

const numbers = new Float64Array(13);

const ERROR = Buffer.from('error');
const ops = createWordTable(DMA_OPS);

const NONE: readonly never[] = [];

type Sync = DmaRow['arch'][number];

/** Lists of one, which nearly all are: used again for every row. */
const loneRange: DeviceRange = { page: 0, low: 0, length: Number.NaN };
const loneDma = [loneRange];
const lonePiece: PhysPiece = { phys: 0, length: Number.NaN };
const lonePhys = [lonePiece];
const loneSync: Sync = { for: 'device', phys: 0, length: 0 };
const loneArch = [loneSync];

/** The one row that all are read to. */
const row: DmaRow = {
  line: 0,
  time: 0,
  cpu: 0,
  device: 0,
  op: 'map_page',
  id: 0,
  phys: NONE,
  size: 0,
  dir: 0,
  attrs: 0,
  dma: NONE,
  failed: false,
  result: '',
  granules: 0,
  slots: 0,
  leaked: 0,
  toBounce: { copies: 0, bytes: 0 },
  fromBounce: { copies: 0, bytes: 0 },
  arch: NONE,
  warn: 0,
  crc: 0,
};

/** Behind the comma that ends a field. */
function next(bytes: Buffer, at: number): number {
  return at >= 0 && bytes[at] === COMMA ? at + 1 : -1;
}

/** Decimal digits that a 32-bit number holds. */
const SHORT_DIGITS = 9;

/** A number below a limit; NaN for an empty field. */
function readField(bytes: Buffer, from: number, slot: number, limit: number): number {
  if (from < 0) return -1;
  // Nearly all are short decimal numbers.
  let value = bytes[from] - ZERO;
  let end = from + 1;
  if (value > 0 && value <= 9) {
    for (let digit = bytes[end] - ZERO; digit >= 0 && digit <= 9; digit = bytes[++end] - ZERO) {
      if (end - from === SHORT_DIGITS) return readAnyField(bytes, from, slot, limit);
      value = value * 10 + digit;
    }
  } else if (value !== 0 || (bytes[end] !== COMMA && bytes[end] !== COLON)) {
    return readAnyField(bytes, from, slot, limit);
  }
  numbers[slot] = value;
  return value < limit ? end : -1;
}

function readAnyField(bytes: Buffer, from: number, slot: number, limit: number): number {
  numbers[slot] = Number.NaN;
  if (bytes[from] <= COMMA) return from;
  const at = readNumber(bytes, from, numbers, slot);
  return numbers[slot] < limit ? at : -1;
}

/** Digits behind the point of a time that come out exact. */
const MICROS = 6;

/** What the digits behind the point count, by how many there are. */
const MICROS_OF_LAST = Float64Array.from({ length: MICROS + 1 }, (_, n) => 10 ** (MICROS - n));

/** Milliseconds of a time in seconds. */
function readTime(bytes: Buffer, from: number): number {
  let at = readDecimal(bytes, from, numbers, Slot.time);
  if (at < 0 || at - from > 9) return -1;
  let micros = 0;
  if (bytes[at] === DOT) {
    const start = at + 1;
    at = readDecimal(bytes, start, numbers, Slot.part);
    if (at < 0 || at - start > MICROS) return -1;
    micros = numbers[Slot.part] * MICROS_OF_LAST[at - start];
  }
  numbers[Slot.time] = (numbers[Slot.time] * 1e6 + micros) / 1e3;
  return at;
}

/** Where the field from `from` on ends: before the first byte that is no plain text. */
function endOfField(bytes: Buffer, from: number): number {
  if (from < 0) return -1;
  let at = from;
  while (bytes[at] > COMMA) at++;
  return at;
}

/** The length behind an address; NaN for none. */
function readLength(bytes: Buffer, from: number): number {
  numbers[Slot.length] = Number.NaN;
  if (from < 0 || bytes[from] !== PLUS) return from;
  const at = readField(bytes, from + 1, Slot.length, SAFE_LIMIT);
  return at > from + 1 ? at : -1;
}

/** `0xaddr+len`, or an address alone. */
function readPiece(bytes: Buffer, from: number): number {
  const at = readNumber(bytes, from, numbers, Slot.part);
  return numbers[Slot.part] < ADDRESS_LIMIT ? readLength(bytes, at) : -1;
}

function readPhys(bytes: Buffer, from: number): number {
  row.phys = NONE;
  if (from < 0 || bytes[from] <= COMMA) return from;
  let at = readPiece(bytes, from);
  if (at < 0) return -1;
  const isAlone = bytes[at] !== SEMICOLON && Number.isNaN(numbers[Slot.length]);
  if (isAlone) {
    lonePiece.phys = numbers[Slot.part];
    row.phys = lonePhys;
    return at;
  }
  // A mapped list keeps its pieces.
  const pieces = [{ phys: numbers[Slot.part], length: numbers[Slot.length] }];
  row.phys = pieces;
  while (bytes[at] === SEMICOLON) {
    at = readPiece(bytes, at + 1);
    if (at < 0) return -1;
    pieces.push({ phys: numbers[Slot.part], length: numbers[Slot.length] });
  }
  return at;
}

/** A device address of up to 64 bits, and its length. */
function readDeviceRange(bytes: Buffer, from: number, into: DeviceRange): number {
  const at = readDeviceAddress(bytes, from, into);
  if (at < 0) return -1;
  const end = readLength(bytes, at);
  into.length = numbers[Slot.length];
  return end;
}

function readDma(bytes: Buffer, from: number): number {
  row.dma = NONE;
  row.failed = false;
  if (from < 0 || bytes[from] <= COMMA) return from;
  if (startsWithAt(bytes, from, ERROR)) {
    row.failed = true;
    return from + ERROR.length;
  }
  let at = readDeviceRange(bytes, from, loneRange);
  row.dma = loneDma;
  if (at < 0 || bytes[at] !== SEMICOLON) return at;
  const ranges = [{ ...loneRange }];
  row.dma = ranges;
  while (bytes[at] === SEMICOLON) {
    const range = { page: 0, low: 0, length: Number.NaN };
    at = readDeviceRange(bytes, at + 1, range);
    if (at < 0) return -1;
    ranges.push(range);
  }
  return at;
}

function readResult(bytes: Buffer, from: number): number {
  row.result = '';
  if (from < 0 || bytes[from] <= COMMA) return from;
  const at = readPlainAddress(bytes, from, numbers, Slot.part);
  if (at >= 0 && bytes[at] <= COMMA) {
    row.result = numbers[Slot.part];
    return at;
  }
  let end = from;
  for (; bytes[end] > COMMA; end++) if (bytes[end] > LAST_ASCII) return -1;
  row.result = bytes.toString('latin1', from, end);
  return end;
}

/** `copies:bytes`; NaN for an empty field. */
function readCount(bytes: Buffer, from: number, into: CopyCount): number {
  if (from < 0 || bytes[from] <= COMMA) {
    into.copies = Number.NaN;
    into.bytes = Number.NaN;
    return from;
  }
  let at = readField(bytes, from, Slot.part, SAFE_LIMIT);
  if (at < 0 || bytes[at] !== COLON || bytes[at + 1] <= COMMA) return -1;
  into.copies = numbers[Slot.part];
  at = readField(bytes, at + 1, Slot.part, SAFE_LIMIT);
  into.bytes = numbers[Slot.part];
  return at;
}

function readSync(bytes: Buffer, from: number, into: Sync): number {
  const letter = bytes[from];
  if (letter !== UPPER_D && letter !== UPPER_C) return -1;
  const at = readPiece(bytes, from + 1);
  into.for = letter === UPPER_D ? 'device' : 'cpu';
  into.phys = numbers[Slot.part];
  into.length = numbers[Slot.length];
  return at;
}

/** `D0xaddr+len;C0xaddr+len`. */
function readArch(bytes: Buffer, from: number): number {
  row.arch = NONE;
  if (from < 0 || bytes[from] <= COMMA) return from;
  let at = readSync(bytes, from, loneSync);
  row.arch = loneArch;
  if (at < 0 || bytes[at] !== SEMICOLON) return at;
  const syncs = [{ ...loneSync }];
  row.arch = syncs;
  while (bytes[at] === SEMICOLON) {
    at = readSync(bytes, at + 1, loneSync);
    if (at < 0) return -1;
    syncs.push({ ...loneSync });
  }
  return at;
}

/** Eight hex digits; NaN for an empty field. */
function readCrc(bytes: Buffer, from: number): number {
  numbers[Slot.crc] = Number.NaN;
  if (from < 0 || bytes[from] <= COMMA) return from;
  const end = readHex(bytes, from, numbers, Slot.crc);
  return end - from === 8 ? end : -1;
}

/**
 * A reader of the rows of a trace whose devices are all declared.
 * @param onRow given each row; the object is used again for the next one
 */
export function createPlainDmaRowReader(
  { devices, kernel: { cpus } }: DmaIommuTrace,
  onRow: (row: DmaRow) => void,
): ReadPlainRow {
  const names = createWordTable(devices.slice(0, MOST_NAMES).map(({ name }) => name));
  return (bytes, from, line) => {
    let at = next(bytes, readTime(bytes, from));
    at = next(bytes, readField(bytes, at, Slot.cpu, cpus));
    const dev = at;
    const devEnd = endOfField(bytes, dev);
    const op = next(bytes, devEnd);
    const opEnd = endOfField(bytes, op);
    at = next(bytes, opEnd);
    at = next(bytes, readField(bytes, at, Slot.id, SAFE_LIMIT));
    at = next(bytes, readPhys(bytes, at));
    at = next(bytes, readField(bytes, at, Slot.size, SAFE_LIMIT));
    at = next(bytes, readField(bytes, at, Slot.dir, 3));
    at = next(bytes, readField(bytes, at, Slot.attrs, 2 ** 32));
    at = next(bytes, readDma(bytes, at));
    at = next(bytes, readResult(bytes, at));
    at = next(bytes, readField(bytes, at, Slot.granules, SAFE_LIMIT));
    at = next(bytes, readField(bytes, at, Slot.slots, SAFE_LIMIT));
    at = next(bytes, readField(bytes, at, Slot.leaked, SAFE_LIMIT));
    at = next(bytes, readCount(bytes, at, row.toBounce));
    at = next(bytes, readCount(bytes, at, row.fromBounce));
    at = next(bytes, readArch(bytes, at));
    at = next(bytes, readField(bytes, at, Slot.warn, SAFE_LIMIT));
    at = readCrc(bytes, at);
    if (at < 0 || Number.isNaN(numbers[Slot.cpu])) return -1;
    if (bytes[at] === CARRIAGE_RETURN) at++;
    const device = wordNumber(names, bytes, dev, devEnd);
    const opNumber = wordNumber(ops, bytes, op, opEnd);
    if (bytes[at] !== NEWLINE || device < 0 || opNumber < 0) return -1;
    row.line = line;
    row.time = numbers[Slot.time];
    row.cpu = numbers[Slot.cpu];
    row.device = device;
    row.op = DMA_OPS[opNumber];
    row.id = numbers[Slot.id];
    row.size = numbers[Slot.size];
    row.dir = numbers[Slot.dir];
    row.attrs = numbers[Slot.attrs];
    row.granules = numbers[Slot.granules];
    row.slots = numbers[Slot.slots];
    row.leaked = numbers[Slot.leaked];
    row.warn = numbers[Slot.warn];
    row.crc = numbers[Slot.crc];
    if (problemOfDmaRow(row, DMA_NEEDS[opNumber]) !== undefined) return -1;
    onRow(row);
    return at + 1;
  };
}
