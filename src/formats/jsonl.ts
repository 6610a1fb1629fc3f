import { isFull } from '../events/batch.js';
import { UserError } from '../events/errors.js';
import { createDeviceNames } from '../events/names.js';
import { logProblem } from '../events/trace.js';
import { columnReaders, emptyRow, missingField, pushRow, resetRow } from './csvColumns.js';
import { createDeclarationReader } from './csvDirectives.js';
import type { LineParser, ParseContext, TraceFormat } from './format.js';
import { endOfText, isBlank, NEWLINE, textOf } from './lines.js';

const BRACE = 0x7b;

type JsonObject = Readonly<Record<string, unknown>>;

/** Keys of objects that declare something, each with the directive of a canonical trace that it mirrors. */
const DECLARATIONS: Readonly<Record<string, string>> = {
  trace: '#swiotlb-trace',
  kernel: '#kernel',
  pool: '#pool',
  device: '#device',
  expect: '#expect',
};

/** Unknown keys that are told of, each once. */
const TOLD_KEYS = 20;

/** A value that the canonical trace has no place for; caught in this file. */
class BadValue extends Error {}

/** The canonical trace as JSON lines: an object per event, its columns as keys. */
export const jsonl: TraceFormat = {
  name: 'jsonl',
  endsInNewline: true,
  recognises(lines) {
    const from = lines.findIndex((byte) => byte > 0x20);
    if (lines[from] !== BRACE) return false;
    const object = parseObject(lines.toString('utf8', from, lines.indexOf(NEWLINE, from)));
    return object !== undefined && (isEvent(object) || isDeclaration(object) || isMemveil(object));
  },
  open,
};

function parseObject(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? (value as JsonObject) : undefined;
  } catch {
    return undefined;
  }
}

function isEvent(object: JsonObject): boolean {
  return Object.hasOwn(object, 'op');
}

function isDeclaration(object: JsonObject): boolean {
  return Object.keys(object).some((key) => Object.hasOwn(DECLARATIONS, key));
}

/** What the memveil tool writes about bounces. */
function isMemveil(object: JsonObject): boolean {
  return ['schema_version', 'session_id', 'kind'].every((key) => Object.hasOwn(object, key));
}

function open(context: ParseContext): LineParser {
  const { info } = context;
  const names = createDeviceNames(info.devices);
  const readers = columnReaders(names);
  const declare = createDeclarationReader(info, names);
  const row = emptyRow();
  const unknown = new Set<string>();
  let line = context.linesBefore;

  function tellUnknown(key: string): void {
    if (unknown.has(key) || unknown.size === TOLD_KEYS) return;
    unknown.add(key);
    info.assumptions.push({ line, message: `key ${key} is not known and was not read` });
  }

  /** Reads an event into the row; says what is wrong with it, or undefined. */
  function readEvent(object: JsonObject): string | undefined {
    resetRow(row);
    for (const [key, value] of Object.entries(object)) {
      if (!Object.hasOwn(readers, key)) {
        tellUnknown(key);
        continue;
      }
      // What is not read may be anything.
      if (key === 'attrs') continue;
      const bytes = Buffer.from(wordOf(key, value));
      const message = readers[key](bytes, 0, bytes.length, row);
      if (message !== undefined) return `${key} ${message}`;
    }
    return missingField(row);
  }

  function readDeclarations(object: JsonObject, text: string): void {
    for (const [key, value] of Object.entries(object)) {
      if (Object.hasOwn(DECLARATIONS, key)) {
        declare(DECLARATIONS[key], valuesOf(key, value), line, text);
      } else {
        tellUnknown(key);
      }
    }
  }

  /** Reads an object; true if it is an event. */
  function readObject(bytes: Buffer, from: number, end: number): boolean {
    const object = parseObject(bytes.toString('utf8', from, end).trim());
    if (object === undefined) throw new BadValue('is no JSON object');
    if (isMemveil(object)) {
      throw new UserError(
        `${context.name}: line ${line}: is memveil's record, which has the sizes and the order of bounces but no` +
          ' addresses: there is nothing to replay; record the calls themselves',
      );
    }
    if (isEvent(object)) {
      const message = readEvent(object);
      if (message !== undefined) throw new BadValue(message);
      return true;
    }
    if (!isDeclaration(object)) {
      throw new BadValue(
        `is neither an event, with an op, nor one of ${Object.keys(DECLARATIONS).join(', ')}`,
      );
    }
    readDeclarations(object, textOf(bytes, from, end));
    return false;
  }

  return {
    parse(bytes, from, end, batch) {
      let at = from;
      while (at < end) {
        if (isFull(batch)) return at;
        line++;
        const newline = bytes.indexOf(NEWLINE, at);
        const to = endOfText(bytes, at, newline);
        if (isBlank(bytes, at, to)) {
          info.otherLines++;
        } else {
          try {
            if (readObject(bytes, at, to)) pushRow(batch, line, row);
          } catch (error) {
            if (!(error instanceof BadValue)) throw error;
            logProblem(info.problems, line, error.message, textOf(bytes, at, to));
          }
        }
        at = newline + 1;
      }
      return end;
    },
    lines: () => line,
  };
}

/** A JSON value as the word that the canonical trace has for it; null is an empty field. */
function wordOf(key: string, value: unknown): string {
  if (value === null) return '';
  if (typeof value === 'string') return value;
  if (typeof value !== 'number') throw new BadValue(`${key} is neither a number nor a string`);
  if (Math.abs(value) > Number.MAX_SAFE_INTEGER) {
    throw new BadValue(`${key} is beyond what a number in JSON holds: write it as a string`);
  }
  return String(value);
}

/** The keys and values of a declaration, as its directive would have them. */
function valuesOf(name: string, value: unknown): Map<string, string> {
  if (name === 'trace') return new Map([[wordOf(name, value), '']]);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new BadValue(`${name} is not an object`);
  }
  const values = new Map<string, string>();
  for (const [key, each] of Object.entries(value)) {
    if (each === null) continue;
    values.set(key, declaredWord(`${name}.${key}`, each));
  }
  return values;
}

/** A word of a declaration: flags may be true or false, start indexes a list. */
function declaredWord(key: string, value: unknown): string {
  if (typeof value === 'boolean') return value ? '1' : '0';
  if (Array.isArray(value)) return value.map((each) => wordOf(key, each)).join(':');
  return wordOf(key, value);
}
