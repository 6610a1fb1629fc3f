/** Numbers as traces write them: decimal, or hex behind `0x`. */

/** Addresses from here on are no physical addresses (a 64-bit kernel has at most 52 bits of them). */
export const ADDRESS_LIMIT = 2 ** 52;

/**
 * Slots of the largest pool that is believed, 32 GiB: no kernel sets up as much, and a number in a
 * hostile line must not make the replay take the machine's memory.
 */
export const MAX_NSLABS = 2 ** 24;

const NO_DIGIT = 0xff;

/** Hex digits that a 32-bit number holds without its sign. */
const HALF_DIGITS = 7;

const POWERS_OF_16 = Float64Array.from({ length: HALF_DIGITS + 1 }, (_, n) => 16 ** n);

/**
 * Reads a whole field as a number. A hot loop over bytes: no string is made.
 * @returns the number, or NaN for what is no number or not below 2^53
 */
export function parseNumber(bytes: Uint8Array, from: number, to: number): number {
  if (to - from > 2 && bytes[from] === 0x30 && (bytes[from + 1] | 0x20) === 0x78) {
    return parseHex(bytes, from + 2, to);
  }
  return parseDecimal(bytes, from, to);
}

/** Reads bytes[from, to) as decimal digits; NaN for anything else, and from 2^53 on. */
export function parseDecimal(bytes: Uint8Array, from: number, to: number): number {
  let value = 0;
  for (let i = from; i < to; i++) {
    const digit = bytes[i] - 0x30;
    if (digit < 0 || digit > 9) return Number.NaN;
    value = value * 10 + digit;
  }
  return from < to && value <= Number.MAX_SAFE_INTEGER ? value : Number.NaN;
}

/** Reads bytes[from, to) as hex digits without `0x`; NaN for anything else, and from 2^53 on. */
export function parseHex(bytes: Uint8Array, from: number, to: number): number {
  let value = 0;
  for (let i = from; i < to; i++) {
    const digit = hexDigit(bytes[i]);
    if (digit < 0) return Number.NaN;
    value = value * 16 + digit;
  }
  return from < to && value <= Number.MAX_SAFE_INTEGER ? value : Number.NaN;
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}

/** What a byte is as a digit, decimal or hex; NO_DIGIT for others. */
const DIGITS = Uint8Array.from({ length: 256 }, (_, byte) => {
  const digit = hexDigit(byte);
  return digit < 0 ? NO_DIGIT : digit;
});

/**
 * Reads the number that begins at `at` into `into[slot]`, and ends at the first byte that is no digit
 * of it. The hot loop of the parsers: digits are gathered in 32-bit numbers, two at most, and only
 * these make a double.
 * @returns where it ends; -1 for no number, and for one of more digits than the two hold (15 decimal,
 *   14 hex), which may be a good one
 */
export function readNumber(
  bytes: Uint8Array,
  at: number,
  into: Float64Array,
  slot: number,
): number {
  const isHex = bytes[at] === 0x30 && (bytes[at + 1] | 0x20) === 0x78;
  return isHex ? readHex(bytes, at + 2, into, slot) : readDecimal(bytes, at, into, slot);
}

/** The same for hex digits without `0x`. */
export function readHex(bytes: Uint8Array, from: number, into: Float64Array, slot: number): number {
  let at = from;
  let value = 0;
  for (let digit = DIGITS[bytes[at]]; digit < 16; digit = DIGITS[bytes[++at]]) {
    if (at - from === HALF_DIGITS) return readHexRest(bytes, from, value, into, slot);
    value = (value << 4) | digit;
  }
  into[slot] = value;
  return at > from ? at : -1;
}

function readHexRest(
  bytes: Uint8Array,
  from: number,
  high: number,
  into: Float64Array,
  slot: number,
): number {
  let at = from + HALF_DIGITS;
  let low = 0;
  for (let digit = DIGITS[bytes[at]]; digit < 16; digit = DIGITS[bytes[++at]]) {
    if (at - from === 2 * HALF_DIGITS) return -1;
    low = (low << 4) | digit;
  }
  into[slot] = high * POWERS_OF_16[at - from - HALF_DIGITS] + low;
  return at;
}

/** The same for decimal digits. */
export function readDecimal(
  bytes: Uint8Array,
  from: number,
  into: Float64Array,
  slot: number,
): number {
  let at = from;
  let value = 0;
  for (let digit = DIGITS[bytes[at]]; digit < 10; digit = DIGITS[bytes[++at]]) {
    if (at - from === 9) return readDecimalRest(bytes, from, value, into, slot);
    value = value * 10 + digit;
  }
  into[slot] = value;
  return at > from ? at : -1;
}
function readDecimalRest(
  bytes: Uint8Array,
  from: number,
  high: number,
  into: Float64Array,
  slot: number,
): number {
  let at = from + 9;
  let value = high;
  for (let digit = DIGITS[bytes[at]]; digit < 10; digit = DIGITS[bytes[++at]]) {
    if (at - from === 15) return -1;
    value = value * 10 + digit;
  }
  into[slot] = value;
  return at;
}

/** Powers of ten that divide a time exactly; a time has at most nine digits behind its point. */
const POWERS_OF_10 = Float64Array.from({ length: 10 }, (_, n) => 10 ** n);

/**
 * Reads bytes[from, to) as a time: decimal seconds, up to nanoseconds, or a counter.
 * @returns the nearest number; NaN for anything else
 */
export function parseTime(bytes: Uint8Array, from: number, to: number): number {
  let value = 0;
  let point = to;
  for (let at = from; at < to; at++) {
    const digit = bytes[at] - 0x30;
    if (digit === -2 && point === to && at > from) {
      point = at;
      continue;
    }
    if (digit < 0 || digit > 9) return Number.NaN;
    value = value * 10 + digit;
  }
  const decimals = point === to ? 0 : to - point - 1;
  if (from === to || value > Number.MAX_SAFE_INTEGER || decimals > 9) return Number.NaN;
  return value / POWERS_OF_10[decimals];
}

/**
 * A mask from text: decimal or hex, up to 64 bits.
 * @returns Infinity for low ones beyond 2^53, which no address goes beyond; NaN for other masks there, and for no number
 */
export function parseMask(text: string): number {
  if (!/^(0x[0-9a-f]{1,16}|[0-9]{1,20})$/i.test(text)) return Number.NaN;
  const value = BigInt(text);
  if (value <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(value);
  const isLowOnes = (value & (value + 1n)) === 0n;
  return isLowOnes && value < 2n ** 64n ? Number.POSITIVE_INFINITY : Number.NaN;
}

/** Whether a mask can be a seg_boundary_mask: low ones from a slot up, or Infinity for none. */
export function isSegBoundary(mask: number): boolean {
  return (
    mask === Number.POSITIVE_INFINITY || (mask >= 0x7ff && Number.isInteger(Math.log2(mask + 1)))
  );
}

/** Lower-case hex with `0x`, as reports print addresses and masks. */
export function hex(value: number): string {
  return `0x${value.toString(16)}`;
}

/** As hex() for a number of granules and the bytes behind them, exact up to 64 bits. */
export function hexAddress(granules: number, granule: number, bytes: number): string {
  const address = granules * granule + bytes;
  if (address <= Number.MAX_SAFE_INTEGER) return hex(address);
  return `0x${(BigInt(granules) * BigInt(granule) + BigInt(bytes)).toString(16)}`;
}
