import type { EventBatch } from '../events/batch.js';
import type { IommuRecord } from '../events/iommuRecords.js';
import type { PoolPlace, TraceInfo } from '../events/trace.js';
import type { BootReader } from './bootLines.js';

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
  /** Pools that the user knows of, for formats that tell bounce buffers by their addresses. */
  pools: readonly PoolPlace[];
  /** Lines before the first that the parser will see. */
  linesBefore: number;
  /** For lines that are no events: what a kernel said while it booted may stand in the same file. */
  boot: BootReader;
  /** Wants what the trace says about an IOMMU's page tables. */
  onIommu?: (record: IommuRecord) => void;
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
  /**
   * Called after the last line: hands on what was held back, until the batch is full.
   * @returns whether that was all; if not, it is called again with an empty batch
   */
  finish?(batch: EventBatch): boolean;
  /** Why a trace of this format held no events, and what to do; undefined where that is plain. */
  nothing?(): string | undefined;
  /** Lines seen so far, those before the parser included. */
  lines(): number;
}
