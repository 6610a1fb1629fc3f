import { readDecimal, readHex } from '../../events/numbers.js';
import { NEWLINE } from '../lines.js';
import { words } from '../literals.js';
import { Field, type Fields, isBareHex, type Layout } from './fields.js';

/**
 * How the fields of one event are written, learned from a record: what stands between the values, in
 * words, and how each value is written. A record that is written in any other way is not plain.
 */
export interface Plan {
  /** Per field: its place among the values, and one of `Kind`. */
  field: Int32Array;
  kind: Uint8Array;
  /** Per field: bytes of the text before its value, and where its words begin. */
  length: Int32Array;
  firstWord: Int32Array;
  words: Int32Array;
}

const Kind = { hex: 0, decimal: 1, device: 2 } as const;

/** Layouts are learned from so many records at most: those of some traces are never the same. */
export const MOST_PLANS = 64;

/** Longer names are nobody's. */
const LONGEST_LITERAL = 64;

/** Bytes that are compared at once. */
const WORD = 4;

/** The hex digits of a mask of all 64 bits, and a word of them. */
const ALL_ONES_DIGITS = 16;
const [ONES] = words('ffff');

const BLANK = 0x20;
const QUOTE = 0x22;
const EQUALS = 0x3d;
const ZERO = 0x30;
const NINE = 0x39;
const LETTER_X = 0x78;
const CLOSE_ROUND = 0x29;

/** Where the place of the probe that begins at `from` ends, with its bracket; -1 for anything else in it. */
function endOfPlace(bytes: Uint8Array, from: number): number {
  let at = from;
  while (bytes[at] !== CLOSE_ROUND) {
    if (bytes[at] === EQUALS || bytes[at] === NEWLINE) return -1;
    at++;
  }
  return at + 1;
}

/**
 * The plan of a record's fields.
 * @param layout what the careful reader has learned of the event, from this record and others
 * @param end of the record's text
 * @returns undefined for a record that is not as plain as plans can say
 */
export function planOf(
  bytes: Buffer,
  bodyFrom: number,
  end: number,
  { names, fields }: Layout,
): Plan | undefined {
  let at = endOfPlace(bytes, bodyFrom);
  if (at < 0) return undefined;
  const literals: number[][] = [];
  const length: number[] = [];
  const kind: number[] = [];
  let before = ' ';
  for (const name of names) {
    const literal = before + name.toString('latin1');
    const value = at + literal.length;
    const isDevice = bytes[value] === QUOTE;
    const isHex = bytes[value] === ZERO && bytes[value + 1] === LETTER_X;
    if (!isDevice && !(bytes[value] >= ZERO && bytes[value] <= NINE)) return undefined;
    const whole = literal + (isDevice ? '"' : isHex ? '0x' : '');
    // One of less than a word, as of a field with a name of one letter, cannot be compared in words.
    if (whole.length < WORD) return undefined;
    if (whole.length > LONGEST_LITERAL || bytes.toString('latin1', at, at + whole.length) !== whole)
      return undefined;
    before = isDevice ? '" ' : ' ';
    literals.push(words(whole));
    length.push(whole.length);
    kind.push(isDevice ? Kind.device : isHex ? Kind.hex : Kind.decimal);
    at += whole.length;
    while (at < end && bytes[at] !== (isDevice ? QUOTE : BLANK)) at++;
  }
  const isAll = at === end && before === ' ';
  const isKnown = fields.every((field, n) => {
    if (kind[n] === Kind.decimal && isBareHex(field)) return false;
    return field >= 0 && (field === Field.dev) === (kind[n] === Kind.device);
  });
  if (!isAll || !isKnown || names.length === 0) return undefined;
  let first = 0;
  const firstWord = literals.map((literal) => {
    first += literal.length;
    return first - literal.length;
  });
  return {
    field: Int32Array.from(fields),
    kind: Uint8Array.from(kind),
    length: Int32Array.from(length),
    firstWord: Int32Array.from(firstWord),
    words: Int32Array.from(literals.flat()),
  };
}

/**
 * Reads all fields of a record that is written as the plan says, as scanFields() does. A hot loop
 * with a local cursor: every byte is looked at, what stands between the values four bytes at a time.
 * @param values of the event's layout
 * @returns the newline behind the record; -1 for one that differs, which the careful reader is to read
 */
export function readPlainFields(
  bytes: Uint8Array,
  view: DataView,
  bodyFrom: number,
  plan: Plan,
  values: Float64Array,
  fields: Fields,
): number {
  const limit = view.byteLength;
  const { field, kind, length, firstWord, words: literals } = plan;
  let at = endOfPlace(bytes, bodyFrom);
  if (at < 0) return -1;
  fields.values = values;
  fields.devFrom = fields.devTo = 0;
  fields.dirFrom = fields.dirTo = 0;
  for (let turn = 0; turn < field.length; turn++) {
    const last = at + length[turn] - 4;
    if (last + 4 > limit) return -1;
    let word = firstWord[turn];
    for (; at < last; at += 4) if (view.getInt32(at, true) !== literals[word++]) return -1;
    if (view.getInt32(last, true) !== literals[word]) return -1;
    at = last + 4;
    if (kind[turn] === Kind.device) {
      fields.devFrom = at;
      while (bytes[at] !== QUOTE) if (bytes[at++] === NEWLINE) return -1;
      fields.devTo = at;
      continue;
    }
    const number = field[turn];
    const end =
      kind[turn] === Kind.hex
        ? readHex(bytes, at, values, number)
        : readDecimal(bytes, at, values, number);
    if (end >= 0 && values[number] <= Number.MAX_SAFE_INTEGER) {
      at = end;
    } else if (kind[turn] === Kind.hex && isAllOnes(view, at)) {
      values[number] = Number.POSITIVE_INFINITY;
      at += ALL_ONES_DIGITS;
    } else {
      return -1;
    }
  }
  return bytes[at] === NEWLINE ? at : -1;
}

/** Whether the 16 bytes from `at` on are the digits of a mask of all 64 bits. */
function isAllOnes(view: DataView, at: number): boolean {
  if (at + ALL_ONES_DIGITS > view.byteLength) return false;
  for (let word = 0; word < ALL_ONES_DIGITS; word += 4) {
    if (view.getInt32(at + word, true) !== ONES) return false;
  }
  return true;
}
