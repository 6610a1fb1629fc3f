import { readDecimal, readHex } from '../events/numbers.js';
import { NEWLINE } from './lines.js';
import { isTwo, words } from './literals.js';

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

/** The literals of a line in words; where a length is no multiple of 4 the last one overlaps. */
const [ORIG, ADDR, NUMBER] = words('orig_addr 0x');
const [ALLOC_1, ALLOC_2, ALLOC_3, ALLOC_4] = words(' alloc_size 0x');
const [ALIGN_1, ALIGN_2, ALIGN_3, ALIGN_4, ALIGN_5, ALIGN_6] = words(', iotlb_align_mask 0x');
const [STRIDE_1, STRIDE_2, STRIDE_3] = words(' stride 0x');
const [GOT_1, GOT_2, GOT_3] = words(': got slot ');
const [ADDRESS] = words(' (0x');

/** No line that is read here is longer, from `orig_addr` on. */
const LONGEST = 256;

const LOWER_O = 0x6f;
const CARRIAGE_RETURN = 0x0d;
const DASH = 0x2d;
const SLASH = 0x2f;
const CLOSE = 0x29;

/** The number that was read last. */
const read = new Float64Array(1);

function isHit(view: DataView, at: number): boolean {
  return isTwo(view, at, ORIG, ADDR) && view.getInt32(at + 8, true) === NUMBER;
}

/** The first `orig_addr 0x` from `at` on, wherever it is; -1 for none. */
export function nextHit(lines: Buffer, at: number): number {
  let rare = lines.indexOf(RARE_PART, at);
  while (rare >= 0) {
    const hit = rare - RARE_FROM;
    if (hit >= at && lines.compare(ORIG_ADDR, 0, ORIG_ADDR.length, hit, hit + 12) === 0) return hit;
    rare = lines.indexOf(RARE_PART, rare + 1);
  }
  return -1;
}

/** The first `orig_addr 0x` in the line from `lineStart` on; -1 for none, or near the end of the view. */
export function hitInLine(lines: Buffer, view: DataView, lineStart: number): number {
  const last = view.byteLength - LONGEST;
  for (let at = lineStart; at < last; at++) {
    const byte = lines[at];
    if (byte === NEWLINE) return -1;
    if (byte === LOWER_O && isHit(view, at)) return at;
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
  if (hit + LONGEST > view.byteLength) return -1;
  let at = readHex(lines, hit + 12, read, 0);
  if (at < 0 || !isTwo(view, at, ALLOC_1, ALLOC_2)) return -1;
  if (view.getInt32(at + 8, true) !== ALLOC_3 || view.getInt32(at + 10, true) !== ALLOC_4)
    return -1;
  fields.origAddr = read[0];
  at = readHex(lines, at + 14, read, 0);
  if (at < 0 || !isTwo(view, at, ALIGN_1, ALIGN_2) || !isTwo(view, at + 8, ALIGN_3, ALIGN_4)) {
    return -1;
  }
  if (view.getInt32(at + 16, true) !== ALIGN_5 || view.getInt32(at + 17, true) !== ALIGN_6) {
    return -1;
  }
  fields.allocSize = read[0];
  at = readHex(lines, at + 21, read, 0);
  if (at < 0 || !isTwo(view, at, STRIDE_1, STRIDE_2)) return -1;
  if (view.getInt32(at + 6, true) !== STRIDE_3) return -1;
  fields.alignMask = read[0];
  at = readHex(lines, at + 10, read, 0);
  if (at < 0 || !isTwo(view, at, GOT_1, GOT_2)) return -1;
  if (view.getInt32(at + 7, true) !== GOT_3) return -1;
  at = readDecimal(lines, at + 11, read, 0);
  if (lines[at] !== DASH) return -1;
  fields.firstSlot = read[0];
  at = readDecimal(lines, at + 1, read, 0);
  if (lines[at] !== SLASH) return -1;
  fields.endSlot = read[0];
  at = readDecimal(lines, at + 1, read, 0);
  if (at < 0 || view.getInt32(at, true) !== ADDRESS) return -1;
  fields.nslabs = read[0];
  at = readHex(lines, at + 4, read, 0);
  if (lines[at++] !== CLOSE) return -1;
  fields.tlbAddr = read[0];
  if (lines[at] === CARRIAGE_RETURN) at++;
  return lines[at] === NEWLINE ? at + 1 : -1;
}
