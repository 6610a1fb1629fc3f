import { readDecimal, readHex } from '../events/numbers.js';
import { NEWLINE } from './lines.js';
import { isAt, literal } from './literals.js';

/** The fields of one line; the same object for every line. */
export interface Fields {
  origAddr: number;
  allocSize: number;
  alignMask: number;
  firstSlot: number;
  endSlot: number;
  nslabs: number;
  tlbAddr: number;
}

/** Where the fields of a line begin. */
export const ORIG_ADDR = Buffer.from('orig_addr 0x');

/** The part of it that is searched for: its first byte is rarer in logs, and three times as fast to find. */
const RARE_FROM = 4;
const RARE_PART = ORIG_ADDR.subarray(RARE_FROM, -1);

const ORIG = literal('orig_addr 0x');
const ALLOC_SIZE = literal(' alloc_size 0x');
const ALIGN_MASK = literal(', iotlb_align_mask 0x');
const STRIDE = literal(' stride 0x');
const GOT_SLOT = literal(': got slot ');
const ADDRESS = literal(' (0x');

const LOWER_O = 0x6f;
const CARRIAGE_RETURN = 0x0d;
const DASH = 0x2d;
const SLASH = 0x2f;
const CLOSE = 0x29;

/** The number that was read last. */
const read = new Float64Array(1);

/** The first `orig_addr 0x` from `at` on, wherever it is; -1 for none. */
export function nextHit(lines: Buffer, view: DataView, at: number): number {
  let rare = lines.indexOf(RARE_PART, at);
  while (rare >= 0) {
    const hit = rare - RARE_FROM;
    if (hit >= at && isAt(view, hit, ORIG)) return hit;
    rare = lines.indexOf(RARE_PART, rare + 1);
  }
  return -1;
}

/** The first `orig_addr 0x` in the line from `lineStart` on; -1 for none. */
export function hitInLine(lines: Buffer, view: DataView, lineStart: number): number {
  for (let at = lineStart; lines[at] !== NEWLINE; at++) {
    if (lines[at] === LOWER_O && isAt(view, at, ORIG)) return at;
  }
  return -1;
}

/**
 * Reads the fields of a line that is just what the kernel prints, from `orig_addr 0x` at `hit` on. A
 * hot loop: every byte is looked at, literals four at a time.
 * @returns where the next line begins, or -1 for a line that differs, which the careful reader is to read
 */
export function readPlainFields(
  lines: Buffer,
  view: DataView,
  hit: number,
  fields: Fields,
): number {
  let at = readHex(lines, hit + ORIG.length, read, 0);
  if (!isAt(view, at, ALLOC_SIZE)) return -1;
  fields.origAddr = read[0];
  at = readHex(lines, at + ALLOC_SIZE.length, read, 0);
  if (!isAt(view, at, ALIGN_MASK)) return -1;
  fields.allocSize = read[0];
  at = readHex(lines, at + ALIGN_MASK.length, read, 0);
  if (!isAt(view, at, STRIDE)) return -1;
  fields.alignMask = read[0];
  at = readHex(lines, at + STRIDE.length, read, 0);
  if (!isAt(view, at, GOT_SLOT)) return -1;
  at = readDecimal(lines, at + GOT_SLOT.length, read, 0);
  if (lines[at] !== DASH) return -1;
  fields.firstSlot = read[0];
  at = readDecimal(lines, at + 1, read, 0);
  if (lines[at] !== SLASH) return -1;
  fields.endSlot = read[0];
  at = readDecimal(lines, at + 1, read, 0);
  if (!isAt(view, at, ADDRESS)) return -1;
  fields.nslabs = read[0];
  at = readHex(lines, at + ADDRESS.length, read, 0);
  if (lines[at++] !== CLOSE) return -1;
  fields.tlbAddr = read[0];
  if (lines[at] === CARRIAGE_RETURN) at++;
  return lines[at] === NEWLINE ? at + 1 : -1;
}
