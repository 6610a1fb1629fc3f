import { parseHex, parseNumber } from '../../events/numbers.js';
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
] as const;

/** The place of a field's value in `values`. */
export const Field = Object.fromEntries(FIELD_NAMES.map((name, number) => [name, number])) as {
  [name in (typeof FIELD_NAMES)[number]]: number;
};

/** Other names for the same: trace-cmd's raw form, and the stock events. */
const OTHER_NAMES: Record<string, (typeof FIELD_NAMES)[number]> = {
  device: 'dev',
  dev_name: 'dev',
};

const names = createWordTable([...FIELD_NAMES, ...Object.keys(OTHER_NAMES)]);
const numberOfName: readonly number[] = [
  ...FIELD_NAMES.keys(),
  ...Object.values(OTHER_NAMES).map((name) => Field[name]),
];

/** Fields that the stock events print in hex without `0x`. */
const BARE_HEX = new Uint8Array(FIELD_NAMES.length);
for (const name of ['dma_mask', 'dma_addr', 'phys_addr', 'dev_addr'] as const) {
  BARE_HEX[Field[name]] = 1;
}

/** The fields of one record. Reused, never kept. */
export interface Fields {
  /** NaN where missing; Infinity for all 64 bits set, which is no address. */
  values: Float64Array;
  /** Where the device's name is; empty where missing. */
  devFrom: number;
  devTo: number;
  /** The word behind `dir=`, where it is a word. */
  dirFrom: number;
  dirTo: number;
}

const BLANK = 0x20;
const EQUALS = 0x3d;
const QUOTE = 0x22;

/** Fields to be filled. */
export function emptyFields(): Fields {
  return {
    values: new Float64Array(FIELD_NAMES.length),
    devFrom: 0,
    devTo: 0,
    dirFrom: 0,
    dirTo: 0,
  };
}

/**
 * Reads `name=value` after `name=value`; unknown names are passed over. A hot loop: it sees every
 * byte of a big trace once.
 */
export function scanFields(bytes: Uint8Array, from: number, end: number, fields: Fields): void {
  const { values } = fields;
  values.fill(Number.NaN);
  fields.devFrom = fields.devTo = 0;
  fields.dirFrom = fields.dirTo = 0;
  let at = from;
  while (at < end) {
    while (at < end && bytes[at] === BLANK) at++;
    const nameFrom = at;
    while (at < end && bytes[at] !== EQUALS && bytes[at] !== BLANK) at++;
    if (at >= end || bytes[at] !== EQUALS) continue;
    const name = wordNumber(names, bytes, nameFrom, at);
    at++;
    const isQuoted = bytes[at] === QUOTE;
    const valueFrom = isQuoted ? ++at : at;
    if (isQuoted) {
      while (at < end && !(bytes[at] === QUOTE && (at + 1 === end || bytes[at + 1] === BLANK)))
        at++;
    } else {
      while (at < end && bytes[at] !== BLANK) at++;
    }
    if (name >= 0) keep(bytes, valueFrom, at, numberOfName[name], fields);
    if (isQuoted) at++;
  }
}

function keep(bytes: Uint8Array, from: number, to: number, field: number, fields: Fields): void {
  if (field === Field.dev) {
    fields.devFrom = from;
    fields.devTo = to;
    return;
  }
  if (field === Field.dir && bytes[from] >= 0x41) {
    fields.dirFrom = from;
    fields.dirTo = to;
    return;
  }
  const value = BARE_HEX[field] === 1 ? bareHex(bytes, from, to) : parseNumber(bytes, from, to);
  fields.values[field] = Number.isNaN(value) ? oddNumber(bytes, from, to, field) : value;
}

function bareHex(bytes: Uint8Array, from: number, to: number): number {
  const prefixed = to - from > 2 && bytes[from] === 0x30 && (bytes[from + 1] | 0x20) === 0x78;
  return parseHex(bytes, prefixed ? from + 2 : from, to);
}

const ALL_ONES = Buffer.from('ffffffffffffffff');

/** What is no number below 2^53: -1, all ones, or a kernel pointer, of which the low 48 bits tell enough. */
function oddNumber(bytes: Uint8Array, from: number, to: number, field: number): number {
  if (bytes[from] === 0x2d) return -parseNumber(bytes, from + 1, to);
  const digits = to - ALL_ONES.length;
  if (digits < from) return Number.NaN;
  let ones = 0;
  while (ones < ALL_ONES.length && (bytes[digits + ones] | 0x20) === ALL_ONES[ones]) ones++;
  if (ones === ALL_ONES.length) return Number.POSITIVE_INFINITY;
  return field === Field.page ? parseHex(bytes, to - 12, to) : Number.NaN;
}
