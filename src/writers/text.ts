/** Above this, numbers are no small integers and their digits cost ten times as much. */
const SMALL = 2 ** 30;

const LOW_DIGITS = 7;
const LOW = 16 ** LOW_DIGITS;

/** As hex() for a whole number below 2^53, fast enough for every row of a large trace. */
export function hexOf(value: number): string {
  if (value < SMALL) return `0x${value.toString(16)}`;
  const high = Math.floor(value / LOW);
  const low = value - high * LOW;
  // A one in front keeps the zeros.
  return `0x${hexDigits(high)}${(LOW + low).toString(16).slice(1)}`;
}

function hexDigits(value: number): string {
  return value < SMALL ? value.toString(16) : hexOf(value).slice(2);
}

/**
 * Seconds with the decimals that they need: none for a whole number, as of an event counter, 6 for
 * microseconds, else 9; nothing where the time is not known.
 */
export function timeText(seconds: number): string {
  if (Number.isNaN(seconds)) return '';
  const micros = Math.round(seconds * 1e6);
  if (micros / 1e6 !== seconds) return seconds.toFixed(9);
  const whole = Math.floor(micros / 1e6);
  const rest = micros - whole * 1e6;
  return rest === 0 ? `${whole}` : `${whole}.${(1e6 + rest).toString().slice(1)}`;
}
