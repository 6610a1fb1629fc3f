import type { IommuKernelLine } from '../events/iommu.js';
import { parseMask } from '../events/numbers.js';
import { type Assumption, logProblem, type ProblemLog } from '../events/trace.js';
import { PAGE_SIZES } from '../kernel/constants.js';

/** What stands in a line and cannot be used; caught where lines are read. */
export class BadField extends Error {}

/** The `key=value` pairs of a directive. */
export type Pairs = ReadonlyMap<string, string>;

/** The pairs behind a directive's word; of a key that stands twice, the last. */
function pairsOf(text: string): Pairs {
  const pairs = new Map<string, string>();
  for (const pair of text.trim().split(/\s+/).slice(1)) {
    const equals = pair.indexOf('=');
    if (equals < 0) pairs.set(pair, '');
    else pairs.set(pair.slice(0, equals), pair.slice(equals + 1));
  }
  return pairs;
}

/** The value of a key that must be there. */
export function required(pairs: Pairs, key: string): string {
  const value = pairs.get(key);
  if (value === undefined) throw new BadField(`has no ${key}=`);
  return value;
}

/** Numbers below 2^53, which need no more care. */
const PLAIN_NUMBER = /^(?:0x[0-9a-f]{1,13}|[0-9]{1,15})$/;

/** A number of at most 64 bits; Infinity for low ones beyond 2^53. */
export function maskField(name: string, text: string): number {
  const value = PLAIN_NUMBER.test(text) ? Number(text) : parseMask(text);
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

/** The keys of `#kernel`. */
export const KERNEL_KEYS: readonly string[] = ['version', 'identical', 'page_size', 'cpus', 'hz'];

/** Reads `#kernel`; hz is always 1000. */
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

/** Reads the first line's directive, which names the version of its format. */
export function checkVersion(pairs: Pairs): void {
  const [version] = pairs.keys();
  if (version !== '1') throw new BadField(`version ${version} of the format is not known, only 1`);
}

/** A directive: the keys that are read, and who reads them. */
export interface Directive {
  keys: readonly string[];
  read: (pairs: Pairs) => void;
}

/** A reader of one kind of IOMMU trace: directives, the header, rows. */
export interface IommuTextFormat {
  directives: Readonly<Record<string, Directive>>;
  columns: readonly string[];
  row: (fields: readonly string[], line: number) => void;
  /** Opens a reader of rows that have the format's columns in their order; all is declared by then. */
  openPlainRows?: () => ReadPlainRow;
}

/**
 * Takes the row from `from` on, straight from its bytes.
 * @returns where the next line begins, or -1 for a line with anything unusual in it: readLine takes
 *   that with care, and has words for what is wrong
 */
export type ReadPlainRow = (bytes: Buffer, from: number, line: number) => number;

/** A trace that is being read. */
export interface TraceReader<T> {
  /** What its directives have told so far, and what could not be read. */
  trace: T;
  /** Takes the next line, without its newline. */
  readLine: (text: string, line: number) => void;
  /** The same for a line that is as recorders write rows; undefined where none is read like that. */
  readPlainRow?: ReadPlainRow;
}

/** What reading fills: a trace, besides its declarations. */
export interface ReadingLog {
  /** Lines that cannot be used. */
  problems: ProblemLog;
  /** Keys and columns that are not known and were not read. */
  assumptions: Assumption[];
}

/** Where the columns of a format stand in a header. */
interface Header {
  places: number[];
  width: number;
  /** They stand as the format has them. */
  isInOrder: boolean;
}

function readHeader(
  text: string,
  line: number,
  columns: readonly string[],
  log: ReadingLog,
): Header {
  const names = text.split(',');
  const places = columns.map((column) => names.indexOf(column));
  const missing = columns.filter((_, n) => places[n] < 0);
  if (missing.length > 0) throw new BadField(`the header has no column ${missing.join(', ')}`);
  for (const name of names) {
    if (columns.includes(name)) continue;
    log.assumptions.push({ line, message: `column ${name} is not known and was not read` });
  }
  return { places, width: names.length, isInOrder: places.every((place, n) => place === n) };
}

function readDirective(
  text: string,
  line: number,
  directives: IommuTextFormat['directives'],
  log: ReadingLog,
): void {
  const word = text.split(/\s/, 1)[0];
  // A comment.
  if (word === '#') return;
  if (!Object.hasOwn(directives, word)) {
    throw new BadField(`directive is none of ${Object.keys(directives).join(', ')}`);
  }
  const { keys, read } = directives[word];
  const pairs = pairsOf(text);
  read(pairs);
  for (const key of pairs.keys()) {
    if (keys.includes(key)) continue;
    log.assumptions.push({ line, message: `${key} of ${word} is not known and was not read` });
  }
}

const notPlain: ReadPlainRow = () => -1;

/** Takes the lines of a trace one by one; what cannot be used is logged. */
export function createLineReader<T extends ReadingLog>(
  format: IommuTextFormat,
  trace: T,
): TraceReader<T> {
  let header: Header | undefined;
  let hasRows = false;
  let readPlain: ReadPlainRow | undefined;
  function readLine(text: string, line: number): void {
    if (text.startsWith('#')) {
      if (hasRows && !/^#(\s|$)/.test(text)) {
        throw new BadField('directive stands behind the first row: declarations come first');
      }
      readDirective(text, line, format.directives, trace);
    } else if (header === undefined) {
      header = readHeader(text, line, format.columns, trace);
    } else {
      const fields = text.split(',');
      const { places, width, isInOrder } = header;
      if (fields.length !== width) {
        throw new BadField(`the row has ${fields.length} fields, not ${width} as the header`);
      }
      format.row(isInOrder ? fields : places.map((n) => fields[n]), line);
      hasRows = true;
    }
  }

  /** Rows are read plainly behind the first, which ends the declarations. */
  function openPlainRows({ isInOrder, width }: Header): ReadPlainRow {
    const isPlain = isInOrder && width === format.columns.length;
    return (isPlain && format.openPlainRows?.()) || notPlain;
  }

  return {
    trace,
    readLine(text, line) {
      if (text.trim() === '') return;
      try {
        readLine(text.trimEnd(), line);
      } catch (error) {
        if (!(error instanceof BadField)) throw error;
        logProblem(trace.problems, line, error.message, text);
      }
    },
    readPlainRow(bytes, from, line) {
      if (header === undefined || !hasRows) return -1;
      readPlain ??= openPlainRows(header);
      return readPlain(bytes, from, line);
    },
  };
}

/** Puts a declaration under its name; each name stands once. */
export function declare<T extends { name: string }>(
  declared: T[],
  numbers: Map<string, number>,
  one: T,
): void {
  if (numbers.has(one.name)) throw new BadField(`name=${one.name} stands twice`);
  numbers.set(one.name, declared.length);
  declared.push(one);
}
