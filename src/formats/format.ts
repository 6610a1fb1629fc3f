import type { EventBatch } from '../events/batch.js';
import type { TraceInfo } from '../events/trace.js';

/** One trace format: a row of the table in table.ts. */
export interface TraceFormat {
  /** As `--input-format` takes it. */
  name: string;
  /** Whether these whole lines hold the format. Told by content, never by file name. */
  recognises(lines: Buffer): boolean;
  /** Writers of the format end every line with a newline, so a last line without one may be cut. */
  endsInNewline: boolean;
  /** A parser for one trace. */
  open(context: ParseContext): LineParser;
}

/** What a parser fills and what it may rely on. */
export interface ParseContext {
  /** The trace's name, for messages. */
  name: string;
  /** The trace's declarations, problems and assumptions; the parser adds to them. */
  info: TraceInfo;
  /** PAGE_SIZE in bytes, for formats that must tell page bits from other bits of a mask. */
  pageSize: number;
  /** Lines before the first that the parser will see. */
  linesBefore: number;
}

/** Parses whole lines into events; keeps its own line count. */
export interface LineParser {
  /**
   * Parses lines of bytes[from, end) until they end or the batch is full.
   * @returns where it stopped: `end`, or the start of the first line not parsed
   */
  parse(bytes: Buffer, from: number, end: number, batch: EventBatch): number;
  /** Called before a batch is handed on: fills what only several lines together can tell. */
  settle?(batch: EventBatch): void;
  /** Called once, when the trace has ended: reports what still waited for a line. */
  finish?(): void;
  /** Lines seen so far, those before the parser included. */
  lines(): number;
}
