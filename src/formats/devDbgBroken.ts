import { endOfText, NEWLINE } from './lines.js';
import { createUnwrapper, type Unwrapper } from './unwrap.js';

/** What one more line makes of a record that broke off: it is `missing` if none of it will come. */
export type Rest = 'awaited' | 'found' | 'missing';

/** A line that broke off, while the lines that may be the rest of it are read. */
export interface BrokenLine {
  /** Its number. */
  line: number;
  /** Where it differs from a whole one, for the message if there is no rest. */
  missing: string;
  /** As it stands in the trace. */
  raw: Buffer;
  /** Lines behind it after which more were awaited. */
  taken: number;
  /** Lines of the record, once it is found. */
  lines: number;
  /** The record in one piece, once it is found. */
  text: Buffer;
  unwrapper: Unwrapper;
}

/** More is never part of a record, nor needed for a message. */
const LONGEST = 8192;

/** Begins with bytes[from, end), the text of line number `line`. */
export function breakOff(
  bytes: Buffer,
  from: number,
  end: number,
  line: number,
  missing: string,
): BrokenLine {
  const broken: BrokenLine = {
    line,
    missing,
    raw: Buffer.from(bytes.subarray(from, Math.min(end, from + LONGEST))),
    taken: 0,
    lines: 0,
    text: Buffer.alloc(0),
    unwrapper: createUnwrapper((text, _line, raw) => {
      if (broken.lines > 0) return;
      broken.text = Buffer.from(text);
      broken.lines = raw.split('\n').length;
    }),
  };
  broken.unwrapper.take(broken.raw.toString(), line);
  return broken;
}

/** Takes the line at `at`, which ends at `newline`, unless the rest is missing. */
export function takeRest(broken: BrokenLine, bytes: Buffer, at: number, newline: number): Rest {
  if (broken.lines === 0) {
    const end = Math.min(endOfText(bytes, at, newline), at + LONGEST);
    broken.unwrapper.take(bytes.toString('utf8', at, end), broken.line + broken.taken + 1);
  }
  // Of the records that came out, the first was kept; of one line, it is what broke off.
  if (broken.lines === 1) return 'missing';
  if (broken.lines > 1) return 'found';
  broken.taken++;
  return 'awaited';
}

/** What the lines from `from` on make of a record that breaks off in the first of them. */
export function joinLines(bytes: Buffer, from: number): { rest: Rest; text: Buffer } {
  let newline = bytes.indexOf(NEWLINE, from);
  const broken = breakOff(bytes, from, endOfText(bytes, from, newline), 0, '');
  for (let at = newline + 1; at < bytes.length; at = newline + 1) {
    newline = bytes.indexOf(NEWLINE, at);
    const rest = takeRest(broken, bytes, at, newline);
    if (rest !== 'awaited') return { rest, text: broken.text };
  }
  return { rest: 'awaited', text: broken.text };
}
