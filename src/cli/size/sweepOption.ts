import { InvalidArgumentError } from 'commander';
import { MAX_NSLABS } from '../../events/numbers.js';
import { numberBelow, readPairs } from '../pairs.js';

/** What a sweep varies; what is undefined stays as it is, or for areas takes each number that there can be. */
export interface SweepRange {
  nslabs?: number[];
  areas?: number[];
  kernel?: string[];
}

/** Values of one key, and points of a sweep. */
export const MAX_POINTS = 10_000;

/** `nslabs=1024..65536*2,areas=1|4,kernel=v6.8|v6.12`. */
export function parseSweep(text: string): SweepRange {
  const range = readPairs<SweepRange>(
    text,
    {
      nslabs: (value, into) => {
        into.nslabs = numbersOf(value, MAX_NSLABS + 1);
      },
      areas: (value, into) => {
        into.areas = numbersOf(value, 4097);
      },
      kernel: (value, into) => {
        into.kernel = value.split('|');
      },
    },
    {},
  );
  if (range.nslabs === undefined) {
    throw new InvalidArgumentError('It says which sizes: nslabs=1024..65536*2 or nslabs=512|1024.');
  }
  return range;
}

/** `a|b|c`, each a number or a range `a..b`, `a..b*2`, `a..b+128`. */
function numbersOf(text: string, limit: number): number[] {
  const numbers = text.split('|').flatMap((part) => rangeOf(part, limit));
  return [...new Set(numbers)];
}

function rangeOf(text: string, limit: number): number[] {
  const parts = /^(\w{1,12})\.\.(\w{1,12})(?:([*+])(\w{1,12}))?$/.exec(text);
  if (parts === null) return [positive(text, limit)];
  const [from, to] = [positive(parts[1], limit), positive(parts[2], limit)];
  const isSum = parts[3] === '+';
  const by = parts[4] === undefined ? 2 : numberBelow(limit, parts[4]);
  if (from > to || by < (isSum ? 1 : 2)) {
    throw new InvalidArgumentError(
      `"${text}" is no range: FROM..TO with TO the larger, then *2 or more, or +1 or more.`,
    );
  }
  const numbers: number[] = [];
  for (let at = from; at <= to; at = isSum ? at + by : at * by) {
    numbers.push(at);
    if (numbers.length > MAX_POINTS) {
      throw new InvalidArgumentError(`"${text}" has more than ${MAX_POINTS} values.`);
    }
  }
  return numbers;
}

function positive(text: string, limit: number): number {
  const number = numberBelow(limit, text);
  if (number === 0) throw new InvalidArgumentError('0 is no size and no number of areas.');
  return number;
}
