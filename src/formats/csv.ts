import { parse as parseCsv } from 'csv-parse/sync';
import {
  BIDIRECTIONAL,
  DIR_NAMES,
  type EventBatch,
  isFull,
  OP_NAMES,
  Op,
  Recorded,
} from '../events/batch.js';
import { UserError } from '../events/errors.js';
import {
  createDeviceNames,
  type DeviceNames,
  deviceNumber,
  MAX_NAME_BYTES,
} from '../events/names.js';
import { ADDRESS_LIMIT, parseNumber } from '../events/numbers.js';
import { logProblem } from '../events/trace.js';
import { createDirectiveReader, isDirective } from './csvDirectives.js';
import type { LineParser, ParseContext, TraceFormat } from './format.js';
import { endOfText, isBlank, NEWLINE, startsWithAt, textOf } from './lines.js';

/** Columns that a canonical trace may have; `undefined` ones are read over. */
type ReadColumn = (bytes: Buffer, from: number, to: number, row: Row) => string | undefined;

/** One row while it is read. NaN stands for an empty field. */
interface Row {
  cpu: number;
  device: number;
  op: number;
  origAddr: number;
  size: number;
  allocSize: number;
  allocAlignMask: number;
  dir: number;
  recorded: number;
  tlbAddr: number;
}

const HASH = 0x23;
const COMMA = 0x2c;
const QUOTE = 0x22;
const BOM = Buffer.from('\ufeff');
const FULL = Buffer.from('full');
const HANG = Buffer.from('hang');
const OPS = OP_NAMES.map((name) => Buffer.from(name));
const DIRS = DIR_NAMES.map((name) => Buffer.from(name));

/**
 * One line with quoted fields. As Latin-1 every byte stays what it is, and a carriage return within
 * the line does not end it.
 */
const QUOTED_ROW = {
  encoding: 'latin1',
  record_delimiter: '\n',
  relax_column_count: true,
} as const;

/** A header names at least these; without them a row means nothing. */
const REQUIRED_COLUMNS = ['dev', 'op'] as const;

export const csv: TraceFormat = {
  name: 'csv',
  endsInNewline: true,
  recognises(lines) {
    const head = lines
      .subarray(0, 1 << 16)
      .toString('latin1')
      .replace(/^\u00ef\u00bb\u00bf/, '');
    // The header may be in a later block than the directives, which must not be lost.
    const telling = head
      .split('\n')
      .find((line) => line.trim() !== '' && (line[0] !== '#' || isDirective(line)));
    return telling !== undefined && (telling[0] === '#' || isHeader(splitHeader(telling)));
  },
  open,
};

function isHeader(columns: readonly string[]): boolean {
  return REQUIRED_COLUMNS.every((column) => columns.includes(column));
}

function splitHeader(text: string): string[] {
  return text
    .trim()
    .split(',')
    .map((name) => name.trim().replace(/^"(.*)"$/, '$1'));
}

/** The number of the name among `names` that bytes[from, to) spell; -1 if none. */
function wordNumber(names: readonly Buffer[], bytes: Buffer, from: number, to: number): number {
  for (let n = 0; n < names.length; n++) {
    if (names[n].length === to - from && startsWithAt(bytes, from, names[n])) return n;
  }
  return -1;
}

/** How each column is read; a message comes back for what it cannot hold. */
function columnReaders(names: DeviceNames): Record<string, ReadColumn> {
  const number =
    (
      field: 'origAddr' | 'size' | 'allocSize' | 'allocAlignMask' | 'cpu',
      limit: number,
      what: string,
    ): ReadColumn =>
    (bytes, from, to, row) => {
      if (from === to) return undefined;
      const value = parseNumber(bytes, from, to);
      row[field] = value;
      return value < limit ? undefined : `is not ${what}`;
    };
  const ignore: ReadColumn = () => undefined;
  return {
    time: ignore,
    attrs: ignore,
    flags: ignore,
    cpu: number('cpu', 2 ** 20, 'a CPU number'),
    orig_addr: number('origAddr', ADDRESS_LIMIT, 'a physical address (below 2^52)'),
    size: number('size', ADDRESS_LIMIT, 'a size in bytes'),
    alloc_size: number('allocSize', ADDRESS_LIMIT, 'a size in bytes'),
    alloc_align_mask: number('allocAlignMask', 2 ** 32, 'a 32-bit mask'),
    dev(bytes, from, to, row) {
      if (from === to) return 'is empty: every event has a device';
      if (to - from > MAX_NAME_BYTES) return `is longer than ${MAX_NAME_BYTES} bytes`;
      row.device = deviceNumber(names, bytes, from, to);
      return undefined;
    },
    op(bytes, from, to, row) {
      row.op = wordNumber(OPS, bytes, from, to);
      return row.op < 0 ? `is not one of ${OP_NAMES.join(', ')}` : undefined;
    },
    dir(bytes, from, to, row) {
      if (from === to) return undefined;
      row.dir = wordNumber(DIRS, bytes, from, to);
      return row.dir < 0 ? `is not one of ${DIR_NAMES.join(', ')}` : undefined;
    },
    tlb_addr(bytes, from, to, row) {
      if (from === to) return undefined;
      if (to - from === 4 && startsWithAt(bytes, from, FULL)) {
        row.recorded = Recorded.full;
      } else if (to - from === 4 && startsWithAt(bytes, from, HANG)) {
        row.recorded = Recorded.hang;
      } else {
        row.recorded = Recorded.address;
        row.tlbAddr = parseNumber(bytes, from, to);
        if (!(row.tlbAddr < ADDRESS_LIMIT)) return 'is not an address (below 2^52), full or hang';
      }
      return undefined;
    },
  };
}

function open(context: ParseContext): LineParser {
  const { info } = context;
  const names = createDeviceNames(info.devices);
  const readers = columnReaders(names);
  const readDirective = createDirectiveReader(info, names);
  const row: Row = emptyRow();
  let columns: string[] = [];
  let columnReader: ReadColumn[] = [];
  let line = context.linesBefore;

  const problem = (message: string, bytes: Buffer, from: number, to: number): void =>
    logProblem(info.problems, line, message, textOf(bytes, from, to));

  function readHeader(text: string): void {
    columns = splitHeader(text);
    if (!isHeader(columns)) {
      throw new UserError(
        `${context.name}: line ${line}: the CSV header has no column ${REQUIRED_COLUMNS.filter((c) => !columns.includes(c)).join(' and no column ')}: ${text}`,
      );
    }
    const twice = columns.find((column, i) => columns.indexOf(column) < i);
    if (twice !== undefined) {
      throw new UserError(
        `${context.name}: line ${line}: the CSV header names column ${twice} twice: ${text}`,
      );
    }
    const ignored = columns.filter((column) => !Object.hasOwn(readers, column));
    for (const column of ignored) {
      info.assumptions.push({ line, message: `column ${column} is not known and was not read` });
    }
    columnReader = columns.map((column) =>
      ignored.includes(column) ? readers.time : readers[column],
    );
  }

  /** Reads the fields between commas; the plain row, without a string made. */
  function readPlainRow(bytes: Buffer, from: number, end: number): boolean {
    let start = from;
    let column = 0;
    for (let at = from; at <= end; at++) {
      if (at < end && bytes[at] !== COMMA) continue;
      if (column === columns.length) return wrongCount(bytes, from, end);
      if (!readField(bytes, start, at, column)) return false;
      column++;
      start = at + 1;
    }
    return column === columns.length || wrongCount(bytes, from, end);
  }

  function readQuotedRow(bytes: Buffer, from: number, end: number): boolean {
    let fields: string[];
    try {
      fields = parseCsv(bytes.subarray(from, end), QUOTED_ROW)[0] ?? [];
    } catch {
      problem('a quoted field is not closed in its line, or has text behind it', bytes, from, end);
      return false;
    }
    if (fields.length !== columns.length) return wrongCount(bytes, from, end);
    return fields.every((field, column) => {
      const text = Buffer.from(field, QUOTED_ROW.encoding);
      return readField(text, 0, text.length, column);
    });
  }

  function wrongCount(bytes: Buffer, from: number, end: number): boolean {
    problem(`the row has not the header's ${columns.length} fields`, bytes, from, end);
    return false;
  }

  function readField(bytes: Buffer, from: number, to: number, column: number): boolean {
    const message = columnReader[column](bytes, from, to, row);
    if (message !== undefined) problem(`${columns[column]} ${message}`, bytes, from, to);
    return message === undefined;
  }

  function parseRow(bytes: Buffer, from: number, end: number, batch: EventBatch): void {
    resetRow(row);
    const quote = bytes.subarray(from, end).includes(QUOTE);
    if (!(quote ? readQuotedRow(bytes, from, end) : readPlainRow(bytes, from, end))) return;
    const missing = missingField(row);
    if (missing !== undefined) problem(missing, bytes, from, end);
    else pushRow(batch, line, row);
  }

  function parseLine(bytes: Buffer, from: number, end: number, batch: EventBatch): void {
    if (isBlank(bytes, from, end)) {
      info.otherLines++;
    } else if (bytes[from] === HASH) {
      const isComment = bytes[from + 1] === 0x20 || from + 1 === end;
      if (isComment) info.otherLines++;
      else readDirective(textOf(bytes, from, end), line);
    } else if (columns.length === 0) {
      readHeader(textOf(bytes, from, end));
    } else {
      parseRow(bytes, from, end, batch);
    }
  }

  return {
    parse(bytes, from, end, batch) {
      let at = from;
      while (at < end) {
        if (isFull(batch)) return at;
        line++;
        const newline = bytes.indexOf(NEWLINE, at);
        const start = line === 1 && startsWithAt(bytes, at, BOM) ? at + BOM.length : at;
        parseLine(bytes, start, endOfText(bytes, start, newline), batch);
        at = newline + 1;
      }
      return end;
    },
    lines: () => line,
  };
}

function emptyRow(): Row {
  return {
    cpu: 0,
    device: 0,
    op: 0,
    origAddr: 0,
    size: 0,
    allocSize: 0,
    allocAlignMask: 0,
    dir: 0,
    recorded: 0,
    tlbAddr: 0,
  };
}

function resetRow(row: Row): void {
  row.cpu = 0;
  row.device = -1;
  row.op = -1;
  row.origAddr = Number.NaN;
  row.size = Number.NaN;
  row.allocSize = Number.NaN;
  row.allocAlignMask = 0;
  row.dir = BIDIRECTIONAL;
  row.recorded = Recorded.none;
  row.tlbAddr = Number.NaN;
}

/** What an event of its kind needs and the row does not have, in words. */
function missingField(row: Row): string | undefined {
  switch (row.op) {
    case Op.map:
      if (Number.isNaN(row.origAddr)) return 'a map needs its orig_addr';
      return row.size > 0 ? undefined : 'a map needs a size of 1 byte or more';
    case Op.alloc:
      return row.size > 0 ? undefined : 'an alloc needs a size of 1 byte or more';
    default:
      return row.recorded === Recorded.address
        ? undefined
        : 'an unmap, free or sync needs the tlb_addr that it is about';
  }
}

function pushRow(batch: EventBatch, line: number, row: Row): void {
  const n = batch.length++;
  batch.line[n] = line;
  batch.cpu[n] = row.cpu;
  batch.device[n] = row.device;
  batch.op[n] = row.op;
  batch.origAddr[n] = row.origAddr;
  batch.size[n] = row.size;
  batch.allocSize[n] = row.allocSize;
  batch.allocAlignMask[n] = row.allocAlignMask;
  batch.dir[n] = row.dir;
  batch.recorded[n] = row.recorded;
  batch.tlbAddr[n] = row.tlbAddr;
}
