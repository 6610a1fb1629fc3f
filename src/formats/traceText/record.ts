import { startsWithAt } from '../lines.js';

/*
 * One record of a trace as text. The task's name may hold anything, so the line is taken apart from
 * `[CPU] ... TIME:` on:
 *
 *     kworker/0:1H-48      [000] d.Z.     3.955176: map: (swiotlb_tbl_map_single+0x5/0x460) dev=...   tracefs
 *     kworker/0:1H-38      [000]     5.560309: map:                  (ffffffffa1144ff0) dev=...       trace-cmd report
 *      kworker/0:1H-kb    38 [000]    44.599442:                 swl:map: (ffffffffa1144ff0) dev=...  perf script
 */

/** Which program wrote a record. */
export type RecordShape = 'ftrace' | 'trace-cmd' | 'perf-script';

/** Where the parts of a record are. Reused, never kept. */
export interface TraceRecord {
  /** The bracket before the CPU. */
  open: number;
  pid: number;
  cpu: number;
  /** Seconds, or a count of events. */
  time: number;
  /** The hardirq/softirq column of the flags; 0 where there are no flags. */
  level: number;
  /** Whether flags stand between CPU and time. */
  hasFlags: boolean;
  /** The task and its number are joined by a dash; perf leaves a blank. */
  hasDash: boolean;
  /** The event's name, without the group before it and the colon behind it. */
  nameFrom: number;
  nameTo: number;
  /** Whether blanks pad the name. */
  isPadded: boolean;
  bodyFrom: number;
  bodyTo: number;
}

const BLANK = 0x20;
const OPEN = 0x5b;
const CLOSE = 0x5d;
const COLON = 0x3a;
const DASH = 0x2d;
const SLASH = 0x2f;
const DOT = 0x2e;
const CLOSE_ROUND = 0x29;
const OPEN_ROUND = 0x28;

/** record-tgid prints `( 1234)`, seven digits at the least; the number of a task has no more of them. */
const LONGEST_TGID = 12;

/** A record to be filled. */
export function emptyRecord(): TraceRecord {
  return {
    open: 0,
    pid: 0,
    cpu: 0,
    time: 0,
    level: 0,
    hasFlags: false,
    hasDash: false,
    nameFrom: 0,
    nameTo: 0,
    isPadded: false,
    bodyFrom: 0,
    bodyTo: 0,
  };
}

const PROBE_PLACE = Buffer.from('__probe_');

/** Whether a record's body begins with the place where a probe was hit, as no stock event's does. */
export function isProbeBody(bytes: Uint8Array, bodyFrom: number): boolean {
  return bytes[bodyFrom] === OPEN_ROUND || startsWithAt(bytes, bodyFrom, PROBE_PLACE);
}

/** Who wrote a record, as its shape tells. */
export function shapeOf(record: TraceRecord): RecordShape {
  if (!record.hasDash) return 'perf-script';
  return record.hasFlags && !record.isPadded ? 'ftrace' : 'trace-cmd';
}

/**
 * Takes bytes[from, end), one line without its end, apart. A hot loop: plain, without strings.
 * @returns false where the line is no record
 */
export function scanRecord(
  bytes: Uint8Array,
  from: number,
  end: number,
  record: TraceRecord,
): boolean {
  for (let open = from; open < end; open++) {
    if (bytes[open] !== OPEN) continue;
    let at = open + 1;
    let cpu = 0;
    while (at < end && isDigit(bytes[at])) cpu = cpu * 10 + bytes[at++] - 0x30;
    if (at === open + 1 || at > open + 6 || bytes[at] !== CLOSE || bytes[at + 1] !== BLANK)
      continue;
    if (!scanTimeAndName(bytes, at + 2, end, record)) continue;
    if (!scanTask(bytes, from, open, record)) continue;
    record.open = open;
    record.cpu = cpu;
    return true;
  }
  return false;
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

function skipBlanks(bytes: Uint8Array, from: number, end: number): number {
  let at = from;
  while (at < end && bytes[at] === BLANK) at++;
  return at;
}

/** Flags or none, the time with a colon behind it, the event's name, and the rest. */
function scanTimeAndName(
  bytes: Uint8Array,
  from: number,
  end: number,
  record: TraceRecord,
): boolean {
  let at = skipBlanks(bytes, from, end);
  let timeEnd = scanTime(bytes, at, end, record);
  record.hasFlags = timeEnd < 0;
  record.level = 0;
  if (timeEnd < 0) {
    const flags = at;
    while (at < end && bytes[at] !== BLANK) at++;
    const columns = at - flags;
    if (columns < 4 || columns > 8) return false;
    // With seven columns, need-resched has a second one before the interrupts'.
    record.level = bytes[flags + (columns > 5 ? 3 : 2)];
    at = skipBlanks(bytes, at, end);
    timeEnd = scanTime(bytes, at, end, record);
    if (timeEnd < 0) return false;
  }
  at = skipBlanks(bytes, timeEnd, end);
  record.nameFrom = at;
  // A group is told by the colon right behind it; the name's own has a blank, or the end, behind.
  while (at < end && bytes[at] !== BLANK) {
    if (bytes[at] === COLON) {
      if (at + 1 === end || bytes[at + 1] === BLANK) break;
      record.nameFrom = at + 1;
    }
    at++;
  }
  if (at >= end || bytes[at] !== COLON) return false;
  record.nameTo = at;
  record.bodyFrom = skipBlanks(bytes, at + 1, end);
  record.isPadded = record.bodyFrom > at + 2 || !record.hasFlags;
  record.bodyTo = end;
  return true;
}

/** `12.345678:` or `1234:`; the position behind the colon, or -1. */
function scanTime(bytes: Uint8Array, from: number, end: number, record: TraceRecord): number {
  let at = from;
  let whole = 0;
  while (at < end && isDigit(bytes[at])) whole = whole * 10 + bytes[at++] - 0x30;
  if (at === from) return -1;
  let part = 0;
  let scale = 1;
  if (bytes[at] === DOT) {
    at++;
    while (at < end && isDigit(bytes[at])) {
      part = part * 10 + bytes[at++] - 0x30;
      scale *= 10;
    }
  }
  if (at >= end || bytes[at] !== COLON) return -1;
  record.time = whole + part / scale;
  return at + 1;
}

/** The task's number before bytes[open]: `-123`, `-123 (  45)`, `123` or `123/124`. */
function scanTask(bytes: Uint8Array, from: number, open: number, record: TraceRecord): boolean {
  let at = open - 1;
  while (at >= from && bytes[at] === BLANK) at--;
  if (at >= from && bytes[at] === CLOSE_ROUND) {
    const first = Math.max(from, at - LONGEST_TGID);
    while (at >= first && bytes[at] !== OPEN_ROUND) at--;
    if (at < first) return false;
    at--;
    while (at >= from && bytes[at] === BLANK) at--;
  }
  let pid = 0;
  let scale = 1;
  const last = at;
  while (at >= from && isDigit(bytes[at])) {
    pid += (bytes[at--] - 0x30) * scale;
    scale *= 10;
  }
  if (at === last || at < from) return false;
  record.pid = pid;
  record.hasDash = bytes[at] === DASH;
  return record.hasDash || bytes[at] === BLANK || bytes[at] === SLASH;
}
