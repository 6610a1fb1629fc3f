import { parse as parseCsv } from 'csv-parse/sync';
import { type EventBatch, isFull } from '../events/batch.js';
import { UserError } from '../events/errors.js';
import { createDeviceNames } from '../events/names.js';
import { logProblem, shorten } from '../events/trace.js';
import {
  columnReaders,
  emptyRow,
  missingField,
  pushRow,
  type ReadColumn,
  type Row,
  resetRow,
} from './csvColumns.js';
import { createDirectiveReader, isDirective } from './csvDirectives.js';
import { plainRowReader, type ReadPlainRow } from './csvPlainRow.js';
import type { LineParser, ParseContext, TraceFormat } from './format.js';
import { endOfText, isBlank, NEWLINE, startsWithAt, textOf } from './lines.js';
import { viewOf } from './literals.js';

const HASH = 0x23;
const COMMA = 0x2c;
const QUOTE = 0x22;
const BOM = Buffer.from('\ufeff');

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
function open(context: ParseContext): LineParser {
  const { info } = context;
  const names = createDeviceNames(info.devices);
  const readers = columnReaders(names);
  const readDirective = createDirectiveReader(info, names);
  const row: Row = emptyRow();
  let columns: string[] = [];
  let columnReader: ReadColumn[] = [];
  let readRow: ReadPlainRow = () => -1;
  let line = context.linesBefore;

  const problem = (message: string, bytes: Buffer, from: number, to: number): void =>
    logProblem(info.problems, line, message, textOf(bytes, from, to));

  function readHeader(text: string): void {
    columns = splitHeader(text);
    if (!isHeader(columns)) {
      throw new UserError(
        `${context.name}: line ${line}: the CSV header has no column ${REQUIRED_COLUMNS.filter((c) => !columns.includes(c)).join(' and no column ')}: ${shorten(text)}`,
      );
    }
    const twice = columns.find((column, i) => columns.indexOf(column) < i);
    if (twice !== undefined) {
      throw new UserError(
        `${context.name}: line ${line}: the CSV header names column ${twice} twice: ${shorten(text)}`,
      );
    }
    const ignored = columns.filter((column) => !Object.hasOwn(readers, column));
    for (const column of ignored) {
      info.assumptions.push({ line, message: `column ${column} is not known and was not read` });
    }
    columnReader = columns.map((column) =>
      ignored.includes(column) ? readers.attrs : readers[column],
    );
    readRow = plainRowReader(columns, names);
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
      else readDirective(bytes.toString('utf8', from, end), line);
    } else if (columns.length === 0) {
      readHeader(bytes.toString('utf8', from, end));
    } else {
      parseRow(bytes, from, end, batch);
    }
  }

  return {
    parse(bytes, from, end, batch) {
      const view = viewOf(bytes);
      let at = from;
      while (at < end) {
        if (isFull(batch)) return at;
        line++;
        const next = readRow(bytes, view, at, line, batch);
        if (next > 0) {
          at = next;
          continue;
        }
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
