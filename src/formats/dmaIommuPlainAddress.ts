import type { DeviceAddressField } from '../events/iommu.js';
import { parseHex } from '../events/numbers.js';

const COMMA = 0x2c;
const ZERO = 0x30;
const SEMICOLON = 0x3b;
const LOWER_X = 0x78;
const NO_DIGIT = 0xff;

/** Hex digits of a result that a number holds. */
const RESULT_DIGITS = 13;

/** Hex digits that a 32-bit number holds without its sign. */
const HALF_DIGITS = 7;

const POWERS_OF_16 = Float64Array.from({ length: HALF_DIGITS }, (_, n) => 16 ** n);

/** What a byte is as a hex digit in lower case; NO_DIGIT for others. */
const DIGITS = new Uint8Array(256).fill(NO_DIGIT);
for (let digit = 0; digit < 16; digit++) DIGITS[digit.toString(16).charCodeAt(0)] = digit;

/**
 * Reads an address as hex() prints it, into `into[slot]`; a hot path.
 * @returns where it ends, the first byte that is no digit of it; -1 where there is none
 */
export function readPlainAddress(
  bytes: Buffer,
  from: number,
  into: Float64Array,
  slot: number,
): number {
  const start = from + 2;
  if (bytes[from] !== ZERO || bytes[from + 1] !== LOWER_X) return -1;
  let at = start;
  let high = 0;
  let digit = DIGITS[bytes[at]];
  for (; digit < 16 && at - start < HALF_DIGITS; digit = DIGITS[bytes[++at]]) {
    high = (high << 4) | digit;
  }
  let value = high;
  if (digit < 16) {
    let low = 0;
    const middle = at;
    for (; digit < 16 && at - start < RESULT_DIGITS; digit = DIGITS[bytes[++at]]) {
      low = (low << 4) | digit;
    }
    value = high * POWERS_OF_16[at - middle] + low;
  }
  if (at === start || digit < 16 || (bytes[start] === ZERO && at - start > 1)) return -1;
  into[slot] = value;
  return at;
}

/** Hex digits of an address's low 12 bits, and of all of it. */
const LOW_DIGITS = 3;
const MOST_DIGITS = 16;

/** An address that was read. */
const whole = new Float64Array(1);

/** Reads a device address of up to 64 bits; where it ends, -1 for none. */
export function readDeviceAddress(bytes: Buffer, from: number, into: DeviceAddressField): number {
  const at = readPlainAddress(bytes, from, whole, 0);
  if (at < 0) return readLongAddress(bytes, from, into);
  const page = Math.floor(whole[0] / 4096);
  into.page = page;
  into.low = whole[0] - page * 4096;
  return at;
}

/** The same of one that is not as hex() prints it, or has too many digits for a number. */
function readLongAddress(bytes: Buffer, from: number, into: DeviceAddressField): number {
  const start = from + 2;
  if (bytes[from] !== ZERO || bytes[from + 1] !== LOWER_X) return -1;
  let end = start;
  while (bytes[end] > COMMA && bytes[end] !== SEMICOLON) end++;
  if (end - start > MOST_DIGITS) return -1;
  const middle = Math.max(start, end - LOW_DIGITS);
  into.page = middle > start ? parseHex(bytes, start, middle) : 0;
  into.low = parseHex(bytes, middle, end);
  return Number.isNaN(into.page) || Number.isNaN(into.low) ? -1 : end;
}
