import { readPrefix, skipQuotes } from './prefix.js';
import { decodeQuotedPrintable, endsInSoftBreak } from './quotedPrintable.js';
import { WRAPPED_KINDS, type WrappedKind } from './wrapped.js';

/**
 * Gets each record.
 * @param text without its prefix, in one piece
 * @param line the number of its first line
 * @param raw its lines as they stand in the log, joined by newlines
 * @param time kernel seconds since boot, where its prefix tells
 */
export type DeliverRecord = (
  text: string,
  line: number,
  raw: string,
  time: number | undefined,
) => void;

/** Makes records of lines. */
export interface Unwrapper {
  /** Takes the next line, without its newline; `line` is its number. */
  take(raw: string, line: number): void;
  /** The log has ended: delivers what is held back. */
  end(): void;
}

/** A line of the mail or log, after quoted-printable. */
interface Part {
  /** Read as the beginning of a record. */
  text: string;
  /** Read as the rest of one. */
  rest: string;
  stamped: boolean;
  time: number | undefined;
  line: number;
  raw: string;
}

interface Joined {
  text: string;
  parts: number[];
}

const MOST_PARTS = 3;
const MOST_SOFT_BREAKS = 8;
/** Nobody wraps at such lengths; what is longer is one record. */
const LONGEST_PART = 4096;

/** A line of ftrace or perf: task, number, processor. Always the beginning of a record. */
const TASK = /[- ]\d{1,7}(?:\/\d{1,7})? {1,12}(?:\([ \d-]{1,7}\) )?\[\d{3,4}\] /;
const QUOTE_MARKS = /^(?:> ?)*/;

/**
 * Takes prefixes off, undoes quoted-printable, and joins the records that a mailer or terminal
 * wrapped over two or three lines. Lines are joined only where a record that is known comes out
 * whole; all others are delivered as they are, so what other programs print in between stays, behind
 * the record that it broke. Holds back at most a few lines.
 */
export function createUnwrapper(deliver: DeliverRecord): Unwrapper {
  const parts = createPartJoiner(deliver);
  let soft: { raw: string; line: number }[] = [];

  function flushSoft(): void {
    const lines = soft;
    soft = [];
    const text = withoutSoftBreaks(lines.map((each) => each.raw));
    if (text !== undefined) {
      parts.take(text, lines[0].line, lines.map((each) => each.raw).join('\n'));
    } else {
      for (const { raw, line } of lines) parts.take(raw, line, raw);
    }
  }

  return {
    take(withReturn, line) {
      const raw = withReturn.endsWith('\r') ? withReturn.slice(0, -1) : withReturn;
      if (soft.length > 0 && readPrefix(raw).stamped) flushSoft();
      if (soft.length > 0 || endsInSoftBreak(raw)) {
        soft.push({ raw, line });
        if (!endsInSoftBreak(raw) || soft.length > MOST_SOFT_BREAKS) flushSoft();
        return;
      }
      parts.take(raw.includes('=') ? (decodeQuotedPrintable(raw) ?? raw) : raw, line, raw);
    },
    end() {
      if (soft.length > 0) flushSoft();
      parts.end();
    },
  };
}

/** Undefined if the lines are not of quoted-printable after all. */
function withoutSoftBreaks(lines: string[]): string | undefined {
  if (lines.length < 2) return undefined;
  const marks = marksOf(lines[0]);
  const joined = lines
    .map((line, n) => {
      // Where an encoded mail was quoted as it stood, every line got the marks.
      const own = marksOf(line);
      return n > 0 && marks.startsWith(own) ? line.slice(own.length) : line;
    })
    .map((line) => (line.endsWith('=') ? line.slice(0, -1) : line))
    .join('');
  return decodeQuotedPrintable(joined);
}

function marksOf(line: string): string {
  return QUOTE_MARKS.exec(line)?.[0] ?? '';
}

interface PartJoiner {
  take(text: string, line: number, raw: string): void;
  end(): void;
}

function createPartJoiner(deliver: DeliverRecord): PartJoiner {
  let held: Part[] = [];
  let kind: WrappedKind | undefined;
  let joined: Joined | undefined;

  function takePart(part: Part): void {
    while (kind !== undefined && !mayContinue(part, kind)) flush();
    if (kind === undefined) {
      kind = part.text.length <= LONGEST_PART ? kindOf(part.text) : undefined;
      if (kind === undefined) deliver(part.text, part.line, part.raw, part.time);
      else held = [part];
      return;
    }
    held.push(part);
    joined = join(held, kind, joined === undefined) ?? joined;
    const isWhole = joined !== undefined && kind.closed.test(joined.text);
    if (isWhole || held.length === MOST_PARTS) flush();
  }

  /** Delivers the first record that is held, and takes the lines behind it anew. */
  function flush(): void {
    const all = held;
    const { text, parts } = joined ?? { text: all[0].text, parts: [0] };
    held = [];
    kind = undefined;
    joined = undefined;
    const raw = parts.map((n) => all[n].raw).join('\n');
    deliver(text, all[0].line, raw, all[0].time);
    for (const [n, part] of all.entries()) if (!parts.includes(n)) takePart(part);
  }

  return {
    take(text, line, raw) {
      const prefix = readPrefix(text);
      takePart({ ...prefix, rest: text.slice(skipQuotes(text)).trimEnd(), line, raw });
    },
    end() {
      while (held.length > 0) flush();
    },
  };
}

/** The kind that a text begins but may not have finished. */
function kindOf(text: string): WrappedKind | undefined {
  const kind = WRAPPED_KINDS.find(({ begins }) => begins.test(text));
  return kind?.closed.test(text) ? undefined : kind;
}

function mayContinue({ rest, stamped }: Part, kind: WrappedKind): boolean {
  if (stamped || rest === '' || rest.length > LONGEST_PART) return false;
  return !kind.begins.test(rest) && !TASK.test(rest.slice(0, 64));
}

/**
 * The record that the first part and later ones make, the last among them.
 * @param mayBeBetween whether the second of three may be of another program
 */
function join(held: readonly Part[], kind: WrappedKind, mayBeBetween: boolean): Joined | undefined {
  const ways = [[...held.keys()]];
  if (mayBeBetween && held.length === MOST_PARTS) ways.push([0, 2]);
  for (const parts of ways) {
    let texts = [held[0].text];
    for (const n of parts.slice(1)) {
      // Mailers wrap at a blank, which is gone; terminals anywhere.
      texts = texts.flatMap((text) => [`${text} ${held[n].rest}`, text + held[n].rest]);
    }
    const text = texts.find((candidate) => kind.whole.test(candidate));
    if (text !== undefined) return { text, parts };
  }
  return undefined;
}
