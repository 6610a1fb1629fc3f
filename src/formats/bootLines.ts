import type { TraceInfo } from '../events/trace.js';
import { createBootLog } from './bootLog.js';
import { readCaptureLine } from './captureHeader.js';
import { endOfText, NEWLINE, textOf } from './lines.js';
import { stripPrefix } from './prefix.js';

/** Reads lines that are no events for what the kernel said about itself, its pools and devices. */
export interface BootReader {
  /** @returns whether the line told something */
  readLine(text: string, line: number): boolean;
  /** Reads whole lines of bytes[from, end). @returns the number of the last line */
  readLines(bytes: Buffer, from: number, end: number, linesBefore: number): number;
}

/** What our recording scripts write around a trace. */
const CAPTURE = '# capture: ';

/** A reader that fills `info`. */
export function createBootReader(info: TraceInfo): BootReader {
  const log = createBootLog(info);
  const readLine = (text: string, line: number): boolean =>
    text.startsWith(CAPTURE)
      ? readCaptureLine(text, line, info)
      : log.read(stripPrefix(text).text, line);
  return {
    readLine,
    readLines(bytes, from, end, linesBefore) {
      let line = linesBefore;
      for (let at = from; at < end; ) {
        line++;
        const newline = bytes.indexOf(NEWLINE, at);
        readLine(textOf(bytes, at, endOfText(bytes, at, newline)), line);
        at = newline + 1;
      }
      return line;
    },
  };
}
