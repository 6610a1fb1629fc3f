import type { IommuKernelLine } from '../events/iommu.js';
import { parseMask } from '../events/numbers.js';
import { logProblem, type ProblemLog } from '../events/trace.js';
import { PAGE_SIZES } from '../kernel/constants.js';

/** What stands in a line and cannot be used; caught where lines are read. */
export class BadField extends Error {}

/** The `key=value` pairs of a directive. */
export type Pairs = ReadonlyMap<string, string>;

/** The pairs behind a directive's word; of a key that stands twice, the last. */
export function pairsOf(text: string): Pairs {
  const pairs = new Map<string, string>();
  for (const pair of text.trim().split(/\s+/).slice(1)) {
    const equals = pair.indexOf('=');
    if (equals > 0) pairs.set(pair.slice(0, equals), pair.slice(equals + 1));
  }
  return pairs;
}

/** The value of a key that must be there. */
export function required(pairs: Pairs, key: string): string {
  const value = pairs.get(key);
  if (value === undefined) throw new BadField(`has no ${key}=`);
  return value;
}

/** A number of at most 64 bits; Infinity for low ones beyond 2^53. */
export function maskField(name: string, text: string): number {
  const value = parseMask(text);
  if (Number.isNaN(value)) throw new BadField(`${name} ${text} is not a number`);
  return value;
}

/** A whole number below `limit`, decimal or hex. */
export function numberField(name: string, text: string, limit = 2 ** 53): number {
  const value = maskField(name, text);
  if (!(value < limit)) throw new BadField(`${name} ${text} is not below 0x${limit.toString(16)}`);
  return value;
}

/** A number that must be there in a directive. */
export function numberOf(pairs: Pairs, key: string, limit = 2 ** 53): number {
  return numberField(key, required(pairs, key), limit);
}

/** A flag of a directive: 1 or 0; missing is 0. */
export function flagOf(pairs: Pairs, key: string): boolean {
  return numberField(key, pairs.get(key) ?? '0', 2) === 1;
}

/** A last byte of a directive; 0 and missing stand for none, which is Infinity. */
export function lastByteOf(pairs: Pairs, key: string): number {
  const value = maskField(key, pairs.get(key) ?? '0');
  return value === 0 ? Number.POSITIVE_INFINITY : value;
}

const GRANULES = [4096, 16384, 65536];

/** A granule of a directive. */
export function granuleOf(pairs: Pairs): number {
  const granule = numberOf(pairs, 'granule');
  if (!GRANULES.includes(granule)) {
    throw new BadField(`granule=${granule} is none of ${GRANULES.join(', ')}`);
  }
  return granule;
}

/** CPUs beyond which a directive is not believed. */
const MAX_CPUS = 8192;

/** `#kernel version= identical= page_size= cpus=`. */
export function kernelOf(pairs: Pairs): IommuKernelLine {
  const pageSize = numberOf(pairs, 'page_size');
  if (!PAGE_SIZES.includes(pageSize)) {
    throw new BadField(`page_size=${pageSize} is none of ${PAGE_SIZES.join(', ')}`);
  }
  const cpus = numberField('cpus', pairs.get('cpus') ?? '1', MAX_CPUS + 1);
  if (cpus === 0) throw new BadField('cpus=0: a kernel runs on one CPU or more');
  const version = required(pairs, 'version');
  const identical = (pairs.get('identical') ?? version).split(',');
  return { version, identical, pageSize, cpus };
}

/** Milliseconds of a time in seconds, to the microsecond. */
export function timeField(text: string): number {
  if (!/^\d{1,12}(\.\d{1,9})?$/.test(text)) throw new BadField(`time ${text} is not in seconds`);
  return Math.round(Number(text) * 1e6) / 1e3;
}

/** One of a few words. */
export function wordField<T extends string>(name: string, words: readonly T[], text: string): T {
  const word = words.find((known) => known === text);
  if (word === undefined) throw new BadField(`${name} ${text} is not one of ${words.join(', ')}`);
  return word;
}

/** A reader of one kind of IOMMU trace: directives, the header, rows. */
export interface IommuTextFormat {
  directives: Readonly<Record<string, (pairs: Pairs) => void>>;
  columns: readonly string[];
  row: (fields: readonly string[], line: number) => void;
}

/** The fields of a row in the order of `columns`, where the header has another. */
function columnOrder(header: string, columns: readonly string[]): number[] {
  const names = header.split(',');
  const order = columns.map((column) => names.indexOf(column));
  const missing = columns.filter((_, n) => order[n] < 0);
  if (missing.length > 0) throw new BadField(`the header has no column ${missing.join(', ')}`);
  return order;
}

/** Takes the lines of a trace one by one; what cannot be used goes to `problems`. */
export function createLineReader(
  format: IommuTextFormat,
  problems: ProblemLog,
): (text: string, line: number) => void {
  let order: number[] | undefined;
  function readLine(text: string, line: number): void {
    if (text.startsWith('#')) {
      const word = text.split(/\s/, 1)[0];
      if (!Object.hasOwn(format.directives, word)) {
        throw new BadField(`directive is none of ${Object.keys(format.directives).join(', ')}`);
      }
      format.directives[word](pairsOf(text));
    } else if (order === undefined) {
      order = columnOrder(text, format.columns);
    } else {
      const fields = text.split(',');
      if (fields.length < format.columns.length) {
        throw new BadField(`the row has ${fields.length} fields, not ${format.columns.length}`);
      }
      format.row(
        order.map((n) => fields[n]),
        line,
      );
    }
  }
  return (text, line) => {
    if (text.trim() === '') return;
    try {
      readLine(text.trimEnd(), line);
    } catch (error) {
      if (!(error instanceof BadField)) throw error;
      logProblem(problems, line, error.message, text);
    }
  };
}
