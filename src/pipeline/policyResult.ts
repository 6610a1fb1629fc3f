import { shorten } from '../events/trace.js';
import { valueWords } from './policyShape.js';

/** The longest stride that a release of the table can have, in slots. */
const MAX_STRIDE = 2 ** 26;

/**
 * The members of a result, with the base's for those that it leaves out.
 * @throws RangeError for what is no such result; its message goes on behind the function's name
 */
export function readNumbers<T extends object>(result: unknown, base: T): T {
  if (typeof result !== 'object' || result === null) {
    throw new RangeError(
      `gave ${result === undefined ? 'nothing' : valueWords(result)}, not an object`,
    );
  }
  const known = Object.keys(base);
  for (const key of Object.keys(result)) {
    if (!known.includes(key)) {
      throw new RangeError(`gave ${shorten(key, 40)}, which is none of ${known.join(', ')}`);
    }
  }
  const read = { ...base };
  for (const key of known as (keyof T)[]) {
    const value = (result as T)[key];
    if (value === undefined) continue;
    if (typeof value !== typeof base[key]) {
      throw new RangeError(
        `gave ${String(key)} as ${valueWords(value)}, not as a ${typeof base[key]}`,
      );
    }
    read[key] = value;
  }
  return read;
}

/** @throws RangeError for what no search can step by */
export function asStride(value: number): number {
  if (Number.isInteger(value) && value >= 1 && value <= MAX_STRIDE) return value;
  throw new RangeError(`gave stride ${value}, not a whole number of slots from 1 to ${MAX_STRIDE}`);
}

/** @throws RangeError for a promise; what it comes to is nobody's any more */
export function refusePromise(result: unknown): void {
  if (typeof (result as PromiseLike<unknown> | undefined | null)?.then !== 'function') return;
  Promise.resolve(result).catch(() => {});
  throw new RangeError('gave a promise: a search does not wait, so it must not be async');
}

/**
 * A mask as int32. Bit operators give negative numbers for those with bit 31, and these are taken too.
 * @throws RangeError for what is none
 */
export function asMask(name: string, value: unknown): number {
  if (Number.isInteger(value) && (value as number) >= -(2 ** 31) && (value as number) < 2 ** 32) {
    return (value as number) | 0;
  }
  throw new RangeError(`gave ${name} ${valueWords(value)}, not a whole number of 32 bits`);
}

/** What was thrown, in a line, and where in the policy's file, as far as it says so. */
export function thrownWords(error: unknown, file: string | undefined): string {
  if (error === undefined) return 'undefined';
  try {
    const { name, message, stack } = error as Error;
    if (typeof message !== 'string') return valueWords(error);
    const base = file?.split(/[\\/]/).at(-1) ?? '';
    // Stacks name the file by its URL: the line stands behind its last part.
    const behind = base === '' ? '' : String(stack).split(`/${encodeURI(base)}:`)[1];
    const at = /^\d+/.exec(behind ?? '')?.[0];
    const words = shorten(`${name}: ${message.replace(/\s+/g, ' ')}`);
    return at === undefined ? words : `${words} (${base}:${at})`;
  } catch {
    return valueWords(error);
  }
}
