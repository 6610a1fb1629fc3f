import { parseHex, parseNumber } from '../../events/numbers.js';
import { isField, words } from '../literals.js';
import type { Plan } from './plainFields.js';
import { createWordTable, wordNumber } from './words.js';

/** The fields that are read, by their place in `values`; several names may mean the same. */
const FIELD_NAMES = [
  'dev',
  'orig_addr',
  'size',
  'alloc_size',
  'align_mask',
  'dir',
  'attrs',
  'min_align',
  'seg_mask',
  'dma_mask',
  'ret',
  'base',
  'nslabs',
  'tlb_addr',
  'target',
  'pool',
  'nareas',
  'transient',
  'area',
  'index',
  'idx',
  'used',
  'mem_start',
  'mem_nslabs',
  'page',
  'start',
  'dma_addr',
  'phys_addr',
  'dev_addr',
  'force',
  'idx0',
  'used0',
  'idx1',
  'used1',
  'idx2',
  'used2',
  'idx3',
  'used3',
  'limit_pfn',
  'flush',
  'granule',
  'start_pfn',
  'dma_32bit_pfn',
  'max32_alloc_size',
  'size_aligned',
  'pfn',
  'pfn_lo',
] as const;

/** The place of a field's value in `values`. */
export const Field = Object.fromEntries(FIELD_NAMES.map((name, number) => [name, number])) as {
  [name in (typeof FIELD_NAMES)[number]]: number;
};

/** Other names for the same: trace-cmd's raw form, and the stock events. */
const OTHER_NAMES: Record<string, (typeof FIELD_NAMES)[number]> = {
  device: 'dev',
  dev_name: 'dev',
  addr: 'dma_addr',
};

const fieldNames = createWordTable([...FIELD_NAMES, ...Object.keys(OTHER_NAMES)]);
const numberOfName: readonly number[] = [
  ...FIELD_NAMES.keys(),
  ...Object.values(OTHER_NAMES).map((name) => Field[name]),
];

/** Fields that the stock events print in hex without `0x`. */
const BARE_HEX = new Uint8Array(FIELD_NAMES.length);
for (const name of ['dma_mask', 'dma_addr', 'phys_addr', 'dev_addr'] as const) {
  BARE_HEX[Field[name]] = 1;
}

/** Whether digits without `0x` are hex in this field. */
export function isBareHex(field: number): boolean {
  return BARE_HEX[field] === 1;
}

/** Names that one event may have; ours have twenty. */
const MAX_NAMES = 64;

/** The value of each hex digit; 255 for other bytes. */
const HEX_DIGITS = new Uint8Array(256).fill(255);
for (let digit = 0; digit < 16; digit++) {
  HEX_DIGITS[digit.toString(16).charCodeAt(0)] = digit;
  HEX_DIGITS[digit.toString(16).toUpperCase().charCodeAt(0)] = digit;
}

/** The fields of one record. Reused, never kept. */
export interface Fields {
  /** NaN where missing; Infinity for low ones from 2^53 on, up to all 64 bits, which are no address. */
  values: Float64Array;
  /** Where the device's name is; empty where missing. */
  devFrom: number;
  devTo: number;
  /** The word behind `dir=`, where it is a word. */
  dirFrom: number;
  dirTo: number;
}

/**
 * What the records of one event look like. They all have the same names in the same order, so that a
 * name is compared with the one that stood there last time, and looked up only where it differs.
 */
export interface Layout {
  /** Each name with its equals sign. */
  names: Buffer[];
  /** The same in words; empty for names that are too short for them. */
  words: (readonly number[])[];
  /** The field of each name; -1 for those that are not read. */
  fields: number[];
  /** The values of the last record: a record that fits the layout sets each of them again. */
  values: Float64Array;
  /** The device's own pool is among the fields: each record may tell of another. */
  showsOwnPool: boolean;
  /** How plain records are written that have all the names; undefined where none was seen. */
  plan: Plan | undefined;
  /** Records that were looked at for a plan. */
  planned: number;
}

const BLANK = 0x20;
const EQUALS = 0x3d;
const QUOTE = 0x22;
const ZERO = 0x30;
const LETTER_X = 0x78;

/** Fields to be filled. */
export function emptyFields(): Fields {
  return { values: emptyValues(), devFrom: 0, devTo: 0, dirFrom: 0, dirTo: 0 };
}

/** A layout to be learned from the first record. */
export function emptyLayout(): Layout {
  return {
    names: [],
    words: [],
    fields: [],
    values: emptyValues(),
    showsOwnPool: false,
    plan: undefined,
    planned: 0,
  };
}

function emptyValues(): Float64Array {
  return new Float64Array(FIELD_NAMES.length).fill(Number.NaN);
}

/**
 * Reads `name=value` after `name=value`; unknown names are passed over. A hot loop: it sees every
 * byte of a big trace once (bench/README.md).
 * @param view of the same bytes
 * @param last the field behind which nothing is wanted; -1 to read all
 */
export function scanFields(
  bytes: Uint8Array,
  view: DataView,
  from: number,
  end: number,
  layout: Layout,
  last: number,
  fields: Fields,
): void {
  fields.values = layout.values;
  fields.devFrom = fields.devTo = 0;
  fields.dirFrom = fields.dirTo = 0;
  const { names } = layout;
  let turn = 0;
  let at = from;
  while (at < end) {
    while (bytes[at] === BLANK) at++;
    if (at >= end) break;
    let matched = turn < names.length ? names[turn].length : 0;
    if (matched === 0 || at + matched > end || !isName(bytes, view, at, layout, turn)) {
      const nameFrom = at;
      while (at < end && bytes[at] !== EQUALS && bytes[at] !== BLANK) at++;
      if (at >= end || bytes[at] !== EQUALS) continue;
      matched = at + 1 - nameFrom;
      at = nameFrom;
      turn = learn(layout, turn, bytes, at, at + matched);
    }
    const field = layout.fields[turn++];
    at = readValue(bytes, at + matched, end, field, fields);
    if (field === last && last >= 0) return;
  }
  // What the last record had behind this one's end is not this one's.
  while (turn < names.length) forget(layout, turn++);
}

/** Whether the name of a layout's turn stands at `at`, with room for it before the line's end. */
function isName(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  { names, words: inWords }: Layout,
  turn: number,
): boolean {
  const name = names[turn];
  if (inWords[turn].length > 0) return isField(view, at, at + name.length, inWords[turn]);
  for (let i = 0; i < name.length; i++) if (bytes[at + i] !== name[i]) return false;
  return true;
}

/** A name that is not where the layout has it: what is missing is forgotten, what is new is learned. */
function learn(layout: Layout, turn: number, bytes: Uint8Array, from: number, to: number): number {
  const name = Buffer.from(bytes.subarray(from, to));
  const later = layout.names.findIndex((known, i) => i > turn && known.equals(name));
  if (later >= 0) {
    for (let missing = turn; missing < later; missing++) forget(layout, missing);
    return later;
  }
  layout.plan = undefined;
  if (layout.names.length < MAX_NAMES) {
    const number = wordNumber(fieldNames, bytes, from, to - 1);
    layout.names.splice(turn, 0, name);
    layout.words.splice(turn, 0, name.length < 4 ? [] : words(name.toString('latin1')));
    const field = number < 0 ? -1 : numberOfName[number];
    layout.fields.splice(turn, 0, field);
    layout.showsOwnPool ||= field === Field.mem_start;
    return turn;
  }
  // A hostile line, of which nothing is kept: the records behind it are learned anew.
  layout.names.length = 0;
  layout.words.length = 0;
  layout.fields.length = 0;
  layout.values.fill(Number.NaN);
  return learn(layout, 0, bytes, from, to);
}

/** A name with an earlier place, in records of another order, has its value from there. */
function forget(layout: Layout, turn: number): void {
  const field = layout.fields[turn];
  if (field >= 0 && layout.fields.indexOf(field) === turn) layout.values[field] = Number.NaN;
}

/** @returns the end of the value */
function readValue(
  bytes: Uint8Array,
  from: number,
  end: number,
  field: number,
  fields: Fields,
): number {
  let at = from;
  if (bytes[at] === QUOTE) {
    while (++at < end) {
      if (bytes[at] === QUOTE && (at + 1 === end || bytes[at + 1] === BLANK)) break;
    }
    if (field === Field.dev) {
      fields.devFrom = from + 1;
      fields.devTo = at;
    } else if (field >= 0) {
      fields.values[field] = Number.NaN;
    }
    return at + 1;
  }
  if (field <= Field.dev || (field === Field.dir && bytes[at] >= 0x41)) {
    while (at < end && bytes[at] !== BLANK) at++;
    if (field === Field.dev) {
      fields.devFrom = from;
      fields.devTo = at;
    } else if (field === Field.dir) {
      fields.dirFrom = from;
      fields.dirTo = at;
      fields.values[field] = Number.NaN;
    }
    return at;
  }
  return readNumber(bytes, from, end, field, fields);
}

function readNumber(
  bytes: Uint8Array,
  from: number,
  end: number,
  field: number,
  fields: Fields,
): number {
  let at = from;
  let value = 0;
  if (bytes[at] === ZERO && bytes[at + 1] === LETTER_X) at += 2;
  const digits = at;
  if (at > from || BARE_HEX[field] === 1) {
    for (; at < end && bytes[at] !== BLANK; at++) {
      const digit = HEX_DIGITS[bytes[at]];
      if (digit > 15) break;
      value = value * 16 + digit;
    }
  } else {
    for (; at < end; at++) {
      const digit = bytes[at] - ZERO;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
    }
  }
  const isWhole = at > digits && (at >= end || bytes[at] === BLANK);
  if (isWhole && value <= Number.MAX_SAFE_INTEGER) {
    fields.values[field] = value;
    return at;
  }
  while (at < end && bytes[at] !== BLANK) at++;
  fields.values[field] = oddNumber(bytes, from, at, field);
  return at;
}

/** What is no number below 2^53: -1, low ones up to 64 bits, or a kernel pointer, of which the low 48 bits tell enough. */
function oddNumber(bytes: Uint8Array, from: number, to: number, field: number): number {
  if (bytes[from] === 0x2d) return -parseNumber(bytes, from + 1, to);
  const first = bytes[from] === ZERO && bytes[from + 1] === LETTER_X ? from + 2 : from;
  const count = to - first;
  if (count < 14 || count > 16) return Number.NaN;
  if (isLowOnes(bytes, first, to)) return Number.POSITIVE_INFINITY;
  return field === Field.page ? parseHex(bytes, to - 12, to) : Number.NaN;
}

function isLowOnes(bytes: Uint8Array, from: number, to: number): boolean {
  const top = HEX_DIGITS[bytes[from]];
  if (top > 15 || (top & (top + 1)) !== 0) return false;
  for (let at = from + 1; at < to; at++) if (HEX_DIGITS[bytes[at]] !== 15) return false;
  return true;
}
