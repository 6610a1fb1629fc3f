import { NEWLINE } from '../lines.js';
import type { TraceRecord } from './record.js';

/**
 * The starts of records that a trace has had lately, up to the CPU's bracket: `  kworker/0:1H-40      `.
 * They stand in columns, so that the bracket is mostly where it was before.
 */
export interface RecentStarts {
  /** Bytes before the bracket of the last record that was remembered. */
  open: number;
  /** Per place: length of the start, 0 for an empty place; the task's number; whether a dash is before it. */
  length: Int32Array;
  pid: Float64Array;
  hasDash: Uint8Array;
  /** Per place: the start in words, the last of them overlapping the one before. */
  words: Int32Array;
}

const PLACES = 64;
const PLACE_SHIFT = 26;
const WORDS = 16;

/** Longer and shorter starts are left to the careful reader. */
const LONGEST = WORDS * 4;
const SHORTEST = 8;

/** The most digits of a CPU, and of either part of a time, that are read here. */
const CPU_DIGITS = 5;
const TIME_DIGITS = 9;

const POWERS_OF_10 = Float64Array.from({ length: TIME_DIGITS + 1 }, (_, n) => 10 ** n);

const BLANK = 0x20;
const OPEN = 0x5b;
const CLOSE = 0x5d;
const COLON = 0x3a;
const DOT = 0x2e;
const ZERO = 0x30;
const OPEN_ROUND = 0x28;

/** No starts yet. */
export function createRecentStarts(): RecentStarts {
  return {
    open: 0,
    length: new Int32Array(PLACES),
    pid: new Float64Array(PLACES),
    hasDash: new Uint8Array(PLACES),
    words: new Int32Array(PLACES * WORDS),
  };
}

/** In tracefs the last eight bytes hold the task's number. */
function placeOf(view: DataView, open: number): number {
  const mixed = view.getInt32(open - 8, true) ^ Math.imul(view.getInt32(open - 4, true), 31);
  return Math.imul(mixed, 0x9e3779b1) >>> PLACE_SHIFT;
}

/** Remembers the start of a record that the careful reader has read, from `from` on. */
export function rememberStart(
  starts: RecentStarts,
  bytes: Buffer,
  view: DataView,
  from: number,
  { open, pid, hasDash }: TraceRecord,
): void {
  const length = open - from;
  if (length < SHORTEST || length > LONGEST || bytes.indexOf(OPEN, from) !== open) return;
  starts.open = length;
  const place = placeOf(view, open);
  starts.length[place] = length;
  starts.pid[place] = pid;
  starts.hasDash[place] = hasDash ? 1 : 0;
  let word = place * WORDS;
  for (let at = from; at < open - 4; at += 4) starts.words[word++] = view.getInt32(at, true);
  starts.words[word] = view.getInt32(open - 4, true);
}

/** The place of the start bytes[from, open); -1 where it is not remembered. */
function recentStart(starts: RecentStarts, view: DataView, from: number, open: number): number {
  const place = placeOf(view, open);
  if (starts.length[place] !== open - from) return -1;
  const { words } = starts;
  let word = place * WORDS;
  for (let at = from; at < open - 4; at += 4) {
    if (words[word++] !== view.getInt32(at, true)) return -1;
  }
  return words[word] === view.getInt32(open - 4, true) ? place : -1;
}

/**
 * Takes the line from `from` on apart, up to the place where a probe was hit, as scanRecord() does. A
 * hot loop with a local cursor; lines are whole, so that each loop ends at a newline at the latest.
 * @param view of the same bytes
 * @returns where the body begins; -1 for a line that is no probe's, or differs from what was seen
 *   before, which the careful reader is to read
 */
export function readPlainStart(
  bytes: Uint8Array,
  view: DataView,
  from: number,
  starts: RecentStarts,
  record: TraceRecord,
): number {
  const open = from + starts.open;
  if (starts.open === 0 || open >= view.byteLength || bytes[open] !== OPEN) return -1;
  const place = recentStart(starts, view, from, open);
  if (place < 0) return -1;

  let at = open + 1;
  let cpu = 0;
  let digit = bytes[at] - ZERO;
  while (digit >= 0 && digit <= 9) {
    cpu = cpu * 10 + digit;
    digit = bytes[++at] - ZERO;
    if (at > open + 1 + CPU_DIGITS) return -1;
  }
  if (at === open + 1 || bytes[at] !== CLOSE || bytes[at + 1] !== BLANK) return -1;
  at += 2;
  while (bytes[at] === BLANK) at++;

  // Flags, or none and the time at once.
  let level = 0;
  const flags = at;
  const hasFlags = bytes[at] - ZERO > 9 || bytes[at] < ZERO;
  if (hasFlags) {
    while (bytes[at] > BLANK) at++;
    const columns = at - flags;
    if (columns < 4 || columns > 8) return -1;
    level = bytes[flags + (columns > 5 ? 3 : 2)];
    while (bytes[at] === BLANK) at++;
  }

  const wholeFrom = at;
  let whole = 0;
  digit = bytes[at] - ZERO;
  while (digit >= 0 && digit <= 9) {
    whole = whole * 10 + digit;
    digit = bytes[++at] - ZERO;
  }
  if (at === wholeFrom || at - wholeFrom > TIME_DIGITS) return -1;
  let part = 0;
  let decimals = 0;
  if (bytes[at] === DOT) {
    const partFrom = ++at;
    digit = bytes[at] - ZERO;
    while (digit >= 0 && digit <= 9) {
      part = part * 10 + digit;
      digit = bytes[++at] - ZERO;
    }
    decimals = at - partFrom;
    if (decimals > TIME_DIGITS) return -1;
  }
  if (bytes[at] !== COLON) return -1;

  at++;
  while (bytes[at] === BLANK) at++;
  let nameFrom = at;
  while (bytes[at] > BLANK) {
    if (bytes[at] === COLON) {
      if (bytes[at + 1] <= BLANK) break;
      nameFrom = at + 1;
    }
    at++;
  }
  const nameTo = at;
  if (bytes[at] !== COLON || bytes[at + 1] === NEWLINE) return -1;
  at++;
  while (bytes[at] === BLANK) at++;
  if (bytes[at] !== OPEN_ROUND) return -1;

  record.open = open;
  record.pid = starts.pid[place];
  record.hasDash = starts.hasDash[place] === 1;
  record.cpu = cpu;
  record.hasFlags = hasFlags;
  record.level = level;
  record.time = whole + part / POWERS_OF_10[decimals];
  record.nameFrom = nameFrom;
  record.nameTo = nameTo;
  record.bodyFrom = at;
  record.isPadded = at > nameTo + 2 || !hasFlags;
  return at;
}
