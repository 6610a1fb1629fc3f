/*
 * What logs, mails and terminals put in front of a kernel line. Every pattern is sticky and every
 * repetition in it is bounded, so a line costs time in proportion to its length, whatever it holds.
 */

/** One line without what was put in front of it. */
export interface Unprefixed {
  /** The line's own text, without blanks around it and without colours. */
  text: string;
  /** Kernel seconds since boot, where the prefix tells. */
  time: number | undefined;
}

/** The same, with what only the joining of wrapped records needs to know. */
export interface Prefix extends Unprefixed {
  /** Whether a time, level or log name stands in front: then a record begins here. */
  stamped: boolean;
}

const ESCAPE = '\u001b';
const COLOURS = new RegExp(`${ESCAPE}\\[[\\d;]{0,32}[A-Za-z]`, 'g');

const MAIL_QUOTE = /(?:> ?|\| )/y;
const DRESSING = /(?:`{1,3}|[-*+•·:] |=> )/y;

const BRACKETED = /\[([^[\]]{1,64})\]/y;
const KERNEL_TIME = /^ {0,12}(\d{1,10}\.\d{1,9})(?: ?<[ +\d.]{1,24}>)?$/;
const TIME_SINCE_LAST = /^ {0,12}\+\d{1,10}\.\d{1,9}$/;
const CALLER_ID = /^ {0,12}[TC]\d{1,10}$/;
const WALL_CLOCK =
  /^[^<>=()]{0,40}(?<![\d:.])\d{1,2}:\d\d:\d\d(?:[.,]\d{3,9})?(?![\d:.])[^<>=()]{0,16}$/;
/** What dmesg -e prints once a minute. */
const DATE_AND_MINUTE = /^[\p{L}\d]{1,12}\.? {0,2}\d{1,2} \d\d:\d\d$/u;

/** Dates, clocks and names of logs, in no brackets. */
const STAMPS = [
  // 2025-08-08T12:17:06.728+00:00, Thu 2025-08-08 12:17:06 UTC, 08-08 12:17:06.728
  /(?:\p{L}{2,9}\.? \d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?: [A-Z]{2,5}| [+-]\d\d)?|(?:\d{4}[-/])?\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z| ?[+-]\d\d:?\d\d| UTC)?):? /uy,
  // Aug  8 12:17:06, Fri Aug  8 12:17:06 2025, in any language
  /(?:\p{L}{1,9}\.?,? )?(?:\p{L}{2,9}|\d{1,2}月)\.? {1,2}\d{1,2} \d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?: \d{4})? /uy,
  // 12:17:06.728; "00:41:00.1 " is a part of a PCI address
  /\d\d:\d\d:\d\d(?:[.,]\d{3,9})?(?: ->|:)? /y,
  // seconds since 1970 of journalctl -o short-unix
  /\d{9,10}\.\d{6} (?=\S{1,64} kernel: )/y,
  // process and thread of logcat
  /(?:\w{1,16} {1,6})?\d{1,7} {1,6}\d{1,7} [VDIWEFS] kernel {0,8}: /y,
  // facility and level of dmesg -x
  /(?:kern|user|daemon|syslog|auth|local\d) {0,6}: ?(?:emerg|alert|crit|err|warn|notice|info|debug) {0,6}: /y,
  /<\d{1,3}>(?:1 (?=\d{4}-))?/y,
  /kernel(?:\[\d{1,7}\])?:(?: |(?=[[<]))/y,
];

/** Only behind a time: anywhere else these are words. */
const HOST = /\S{1,64} kernel(?:\[\d{1,7}\])?(?:: |:(?=[[<])| - - - )/y;
const CUT_TIME = /\d{1,10}\.\d{3,9}\] /y;
const HYPERVISOR = /\((?:XEN|d\d{1,5}(?:v\d{1,4})?)\) /y;

/*
 * Dynamic debug: "[tid] " or "<intr> ", then module:function:file:line, each ended by a colon. A
 * device without a driver in front looks alike ("soc:gpu: "): hence the underscore that the names of
 * functions have, and a line number, or a device, behind it.
 */
const THREAD = /(?:\[\d{1,7}\]|<intr>) (?=\S{1,160}: |\S{1,64} \S{1,64}: )/y;
const MODULE = '[A-Za-z_][\\w-]{0,63}:';
const FUNCTION = '[A-Za-z_]\\w{0,63}_\\w{1,63}:';
const LINE = '(?:[\\w./-]{1,96}\\.[ch]:)?\\d{1,6}:';
const DEVICE_BEHIND = '(?=\\S{1,64} \\S{1,64}: |\\(NULL device)';
const CALL_SITE = new RegExp(
  `(?:${MODULE}${FUNCTION}${LINE} |(?:${MODULE}${FUNCTION}|${FUNCTION}${LINE}) ${DEVICE_BEHIND})`,
  'y',
);

/**
 * Takes off, in the order in which they are put on, what stands in front of a line: mail quotes and
 * other marks, wall clocks, names of logs and hosts, levels, kernel times, caller ids, `(XEN)`, and
 * the call site of dynamic debug. Colours go everywhere. A line without a prefix stays as it is but
 * for blanks around it.
 */
export function stripPrefix(line: string): Unprefixed {
  const { text, time } = readPrefix(line);
  return { text, time };
}

/** As stripPrefix(), and says whether the prefix begins a record. */
export function readPrefix(line: string): Prefix {
  const plain = (line.includes(ESCAPE) ? line.replace(COLOURS, '') : line).trimEnd();
  const dressed = skipQuotes(plain);
  const from = skipAll(plain, dressed, [MAIL_QUOTE, DRESSING]);
  const ticks = plain.slice(dressed, from).includes('`');
  const stamps = skipStamps(plain, from);
  const text = plain.slice(skipCallSite(plain, stamps.at));
  return { text: ticks ? withoutTicks(text) : text, time: stamps.time, stamped: stamps.at > from };
}

/** Where the quote marks of a mail, and blanks, end: what else stands there may be text. */
export function skipQuotes(line: string): number {
  return skipAll(line, 0, [MAIL_QUOTE]);
}

function skipStamps(line: string, from: number): { at: number; time: number | undefined } {
  let at = from;
  let time: number | undefined;
  for (;;) {
    const bracketed = line[at] === '[' ? readBracketed(line, at) : undefined;
    if (bracketed !== undefined) time = bracketed.time ?? time;
    const next = bracketed?.end ?? endOfStamp(line, at, at > from);
    if (next < 0) return { at, time };
    at = skipBlanks(line, next);
  }
}

/** The end of the stamp at `at`, -1 where there is none. */
function endOfStamp(line: string, at: number, stamped: boolean): number {
  for (const stamp of STAMPS) {
    const end = endOf(stamp, line, at);
    if (end >= 0) return end;
  }
  const end = endOf(stamped ? HOST : CUT_TIME, line, at);
  return end >= 0 ? end : endOf(HYPERVISOR, line, at);
}

function readBracketed(
  line: string,
  at: number,
): { end: number; time: number | undefined } | undefined {
  BRACKETED.lastIndex = at;
  const inside = BRACKETED.exec(line)?.[1];
  if (inside === undefined) return undefined;
  const end = at + inside.length + 2;
  const time = KERNEL_TIME.exec(inside);
  if (time !== null) return { end, time: Number(time[1]) };
  const isStamp = [WALL_CLOCK, DATE_AND_MINUTE, TIME_SINCE_LAST, CALLER_ID].some((stamp) =>
    stamp.test(inside),
  );
  return isStamp ? { end, time: undefined } : undefined;
}

function skipCallSite(line: string, from: number): number {
  const at = Math.max(from, endOf(THREAD, line, from));
  return skipBlanks(line, Math.max(at, endOf(CALL_SITE, line, at)));
}

function skipAll(line: string, from: number, patterns: readonly RegExp[]): number {
  let at = skipBlanks(line, from);
  for (;;) {
    const before = at;
    for (const pattern of patterns) at = skipBlanks(line, Math.max(at, endOf(pattern, line, at)));
    if (at === before) return at;
  }
}

function skipBlanks(line: string, from: number): number {
  let at = from;
  while (at < line.length && (line[at] === ' ' || line[at] === '\t' || line[at] === '\u00a0')) at++;
  return at;
}

function withoutTicks(text: string): string {
  let end = text.length;
  while (end > 0 && text[end - 1] === '`') end--;
  return text.slice(0, end).trimEnd();
}

/** Where a sticky pattern's match at `at` ends, -1 where it does not match. */
function endOf(pattern: RegExp, line: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(line) ? pattern.lastIndex : -1;
}
