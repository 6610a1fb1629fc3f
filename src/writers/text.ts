import { Flag } from '../events/batch.js';

/** Above this, numbers are no small integers and their digits cost ten times as much. */
const SMALL = 2 ** 30;

const LOW_DIGITS = 7;
const LOW = 16 ** LOW_DIGITS;

/** Seconds from which on nanoseconds do not fit a number exactly. */
const MAX_NANOS = 2 ** 53 / 1e9;

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
 * A time with the decimals that it needs: none for a whole number, as of an event counter, 6 for
 * microseconds, else 9, as far as a reader has room for them; nothing where the time is not known.
 */
export function timeText(time: number): string {
  if (Number.isNaN(time)) return '';
  if (Number.isInteger(time)) return `${time}`;
  const micros = Math.round(time * 1e6);
  if (micros / 1e6 !== time) return time.toFixed(time < MAX_NANOS ? 9 : 6);
  const whole = Math.floor(micros / 1e6);
  return `${whole}.${(1e6 + micros - whole * 1e6).toString().slice(1)}`;
}

/** A mask; all ones in 64 bits where it is Infinity: no boundary, or no limit. */
export function maskText(mask: number): string {
  return Number.isFinite(mask) ? hexOf(mask) : '0xffffffffffffffff';
}

/** The `flags` of an event; nothing for what the canonical trace has no flag for. */
export function flagText(flag: number, value: number, look: number): string {
  const looked = LOOKS[look];
  switch (flag) {
    case Flag.transient:
      return `transient=${hexOf(value)}${looked && ` ${looked}`}`;
    case Flag.transientFailed:
      return `transient_failed=${hexOf(value)}${looked && ` ${looked}`}`;
    case Flag.areas:
      return `areas=${value}`;
    default:
      return looked;
  }
}

/** By the values of Look. */
const LOOKS: readonly string[] = ['', 'look=last-area', 'look=as-recorded'];
