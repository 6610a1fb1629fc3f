const ZERO = 0x30;
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
