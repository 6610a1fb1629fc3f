import {
  ADDRESS_LIMIT,
  hex,
  MAX_NSLABS,
  parseDecimal,
  parseHex,
  parseTime,
} from '../events/numbers.js';
import { IO_TLB_SIZE } from '../kernel/constants.js';
import { type Fields, ORIG_ADDR } from './devDbgPlainLine.js';
import { startsWithAt } from './lines.js';

export const ALLOC_SIZE = Buffer.from(' alloc_size 0x');
export const GOT_SLOT = Buffer.from(': got slot ');
const ALIGN_MASK = Buffer.from(' iotlb_align_mask 0x');
const STRIDE = Buffer.from(' stride 0x');
const ADDRESS = Buffer.from(' (0x');
const NULL_DEVICE = Buffer.from('(NULL device *)');

const SPACE = 0x20;
const COMMA = 0x2c;
const DASH = 0x2d;
const DOT = 0x2e;
const SLASH = 0x2f;
const COLON = 0x3a;
const CLOSE = 0x29;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

/**
 * Reads the fields from `orig_addr 0x` at `at` on.
 * @returns undefined, or the name of the field where the line is not as it should be
 */
export function readFields(
  bytes: Buffer,
  at: number,
  end: number,
  fields: Fields,
): string | undefined {
  let from = at + ORIG_ADDR.length;
  let to = until(bytes, from, end, SPACE);
  fields.origAddr = parseHex(bytes, from, to);
  if (!startsWithAt(bytes, to, ALLOC_SIZE)) return 'alloc_size';

  from = to + ALLOC_SIZE.length;
  to = until(bytes, from, end, SPACE);
  fields.allocSize = parseHex(bytes, from, bytes[to - 1] === COMMA ? to - 1 : to);
  if (!startsWithAt(bytes, to, ALIGN_MASK)) return 'iotlb_align_mask';

  from = to + ALIGN_MASK.length;
  to = until(bytes, from, end, SPACE);
  fields.alignMask = parseHex(bytes, from, to);
  if (!startsWithAt(bytes, to, STRIDE)) return 'stride';

  from = to + STRIDE.length;
  to = until(bytes, from, end, COLON);
  if (!startsWithAt(bytes, to, GOT_SLOT)) return 'got slot';

  from = to + GOT_SLOT.length;
  to = until(bytes, from, end, DASH);
  fields.firstSlot = parseDecimal(bytes, from, to);
  from = to + 1;
  to = until(bytes, from, end, SLASH);
  fields.endSlot = parseDecimal(bytes, from, to);
  from = to + 1;
  to = until(bytes, from, end, SPACE);
  fields.nslabs = parseDecimal(bytes, from, to);
  if (!startsWithAt(bytes, to, ADDRESS)) return 'the slot range';

  from = to + ADDRESS.length;
  to = until(bytes, from, end, CLOSE);
  fields.tlbAddr = parseHex(bytes, from, to);
  return to < end ? undefined : 'the address';
}

function until(bytes: Uint8Array, from: number, end: number, stop: number): number {
  let at = from;
  while (at < end && bytes[at] !== stop) at++;
  return at;
}

/** Where the device name begins that ends in `: ` right before `at`; -1 where there is none. */
export function deviceNameStart(bytes: Buffer, lineStart: number, at: number): number {
  const end = at - 2;
  if (end <= lineStart || bytes[end] !== COLON || bytes[end + 1] !== SPACE) return -1;
  const nullDevice = end - NULL_DEVICE.length;
  if (nullDevice >= lineStart && startsWithAt(bytes, nullDevice, NULL_DEVICE)) return nullDevice;
  let from = end;
  while (from > lineStart && bytes[from - 1] !== SPACE && bytes[from - 1] !== 0x09) from--;
  return from < end ? from : -1;
}

/** What makes a line's numbers impossible, in words; undefined if nothing does. */
export function impossibleField(fields: Fields): string | undefined {
  const { origAddr, allocSize, alignMask, firstSlot, endSlot, nslabs, tlbAddr } = fields;
  if (!(origAddr < ADDRESS_LIMIT)) return 'orig_addr is not a physical address (below 2^52)';
  if (!(allocSize > 0 && allocSize < ADDRESS_LIMIT))
    return 'alloc_size is not a size of 1 byte or more';
  if (!(alignMask <= 0xffff_ffff)) return 'iotlb_align_mask is not a 32-bit mask';
  if (!(nslabs > 0 && nslabs <= MAX_NSLABS))
    return `the pool does not have 1 to ${MAX_NSLABS} slots`;
  if (!(firstSlot < endSlot)) return 'the slot range is empty or not a number';
  if (!(endSlot <= nslabs)) return `slot ${endSlot - 1} is beyond the pool's ${nslabs} slots`;
  if (!(tlbAddr < ADDRESS_LIMIT)) return 'the address is not a physical address (below 2^52)';
  if (tlbAddr < firstSlot * IO_TLB_SIZE) {
    return `address ${hex(tlbAddr)} is too low for slot ${firstSlot}: the pool would start below 0`;
  }
  return undefined;
}

/** The kernel's seconds in `[   12.345678] ` in front of a line's text; NaN where nothing there is one. */
export function kernelTime(bytes: Buffer, from: number, to: number): number {
  for (let at = from; at < to; at++) {
    if (bytes[at] !== OPEN_BRACKET) continue;
    let start = at + 1;
    while (bytes[start] === SPACE) start++;
    // Without a point it is the number of a thread.
    let hasPoint = false;
    for (at = start; at < to && bytes[at] !== CLOSE_BRACKET; at++) hasPoint ||= bytes[at] === DOT;
    const time = hasPoint && at < to ? parseTime(bytes, start, at) : Number.NaN;
    if (!Number.isNaN(time)) return time;
  }
  return Number.NaN;
}
