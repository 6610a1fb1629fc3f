const ZERO = 0x30;
const NINE = 0x39;
const LOWER_A = 0x61;
const LOWER_F = 0x66;
const LOWER_X = 0x78;

/** Hex digits of a result that a number holds. */
const RESULT_DIGITS = 13;

/** Whether a field is an address as hex() prints it. */
export function isPlainAddress(bytes: Buffer, from: number, to: number): boolean {
  const start = from + 2;
  const digits = to - start;
  if (bytes[from] !== ZERO || bytes[from + 1] !== LOWER_X) return false;
  if (digits < 1 || digits > RESULT_DIGITS || (bytes[start] === ZERO && digits > 1)) return false;
  for (let at = start; at < to; at++) {
    const byte = bytes[at];
    if (byte < ZERO || byte > LOWER_F || (byte > NINE && byte < LOWER_A)) return false;
  }
  return true;
}
