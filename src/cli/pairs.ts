import { InvalidArgumentError, Option } from 'commander';
import { parseMask } from '../events/numbers.js';

/** Options of `KEY=VALUE,...` and what their values may be. All throw InvalidArgumentError, with advice. */

/** An option that may stand several times: all its values, in order. */
export function repeatable<T>(
  flags: string,
  description: string,
  parse: (text: string) => T,
): Option {
  return new Option(flags, `${description}; repeatable`)
    .argParser((text: string, previous: T[]) => [...previous, parse(text)])
    .default([], 'none');
}

/** `a=1,b=2` as pairs; every key must be among the readers'. */
export function readPairs<T>(
  text: string,
  readers: Record<string, (value: string, into: T) => void>,
  into: T,
): T {
  for (const pair of text.split(',')) {
    const equals = pair.indexOf('=');
    const key = pair.slice(0, Math.max(0, equals));
    if (!Object.hasOwn(readers, key)) {
      throw new InvalidArgumentError(
        `"${pair}" is not KEY=VALUE with a KEY of ${Object.keys(readers).join(', ')}.`,
      );
    }
    readers[key](pair.slice(equals + 1), into);
  }
  return into;
}

/** A number below a limit, decimal or hex. */
export function numberBelow(limit: number, text: string): number {
  const value = parseMask(text);
  if (!(value < limit)) {
    throw new InvalidArgumentError(`"${text}" is not a number below 0x${limit.toString(16)}.`);
  }
  return value;
}

/** @throws InvalidArgumentError for anything but 0 and 1 */
export function flagOf(key: string, text: string): boolean {
  if (text !== '0' && text !== '1') {
    throw new InvalidArgumentError(`"${key}=${text}" is neither ${key}=0 nor ${key}=1.`);
  }
  return text === '1';
}

/** A mask of up to 64 bits; Infinity for low ones beyond 2^53. */
export function maskOf(text: string): number {
  const value = parseMask(text);
  if (Number.isNaN(value)) throw new InvalidArgumentError(`"${text}" is not a mask.`);
  return value;
}
