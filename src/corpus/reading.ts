import { RULES } from '../check/rules.js';
import { UserError } from '../events/errors.js';
import { shorten } from '../events/trace.js';
import { BOUND_HELP, parseBound } from './bounds.js';
import { caseName, EXPECT_SCHEMA, type Expectation, type ExpectedCase } from './expectation.js';

/** Whether a value is as it should be; else what it should be, in words. */
type Reader = (value: unknown) => string | undefined;

/** Reads members of an object: each has a reader, and none may be there that has not. */
type Readers = Record<string, Reader>;

/**
 * Understands an expectation file.
 * @param path for messages
 * @throws UserError that names the place and what should stand there
 */
export function parseExpectation(path: string, text: string): Expectation {
  const data = parseJson(path, text);
  const wrong = (at: string, problem: string): never => {
    throw new UserError(`${path}: ${at}: ${problem}`);
  };
  if (!isObject(data)) return wrong('the file', 'is no object');
  if (data.schema !== EXPECT_SCHEMA) {
    return wrong('schema', `is ${show(data.schema)}, not "${EXPECT_SCHEMA}"`);
  }
  if (!Array.isArray(data.cases) || data.cases.length === 0) return wrong('cases', 'has no case');
  const names = new Set<string>();
  data.cases.forEach((each: unknown, n) => {
    const at = `cases[${n}]`;
    const problem = readObject(each, CASE, ['kernel']);
    if (problem !== undefined) wrong(at, problem);
    const name = caseName(each as ExpectedCase);
    if (names.has(name)) wrong(at, `is ${show(name)} once more`);
    names.add(name);
  });
  return data as unknown as Expectation;
}

function parseJson(path: string, text: string): unknown {
  try {
    // Editors on Windows begin a file with a mark.
    return JSON.parse(text.replace(/^\ufeff/, ''));
  } catch (error) {
    // V8 tells either a position or the text around it.
    const message = (error as Error).message.replace(/\s+/g, ' ');
    const position = /position (\d+)/.exec(message)?.[1];
    const line = position && text.slice(0, Number(position)).split('\n').length;
    throw new UserError(`${path}:${line ? ` line ${line}:` : ''} is no JSON: ${shorten(message)}`);
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function show(value: unknown): string {
  try {
    return shorten(JSON.stringify(value) ?? 'missing', 60);
  } catch {
    // JSON.parse knows no depth, JSON.stringify has the stack's.
    return 'what is nested too deeply to be shown';
  }
}

const text: Reader = (value) =>
  typeof value === 'string' && value !== '' ? undefined : 'is no text';

const count: Reader = (value) =>
  Number.isSafeInteger(value) && (value as number) > 0 ? undefined : 'is no number above 0';

const yes: Reader = (value) => (value === true ? undefined : 'is not true; leave it out instead');

const bound: Reader = (value) =>
  typeof value === 'string' && parseBound(value) !== undefined
    ? undefined
    : `is no bound: ${BOUND_HELP}`;

const rule: Reader = (value) =>
  typeof value === 'string' && Object.hasOwn(RULES, value)
    ? undefined
    : `is no rule; rules are ${Object.keys(RULES).join(', ')}`;

/** A result: see AddressEntry. */
const RESULT = new RegExp(
  '^(SEGMENT(;SEGMENT){0,7}|[0-9]{1,9} segments [0-9a-f]{32}|hang|failed: [a-z-]{1,40})$'.replaceAll(
    'SEGMENT',
    '0x[0-9a-f]{1,16}([+][0-9]{1,15})?( via 0x[0-9a-f]{1,16})?',
  ),
);

const address: Reader = (value) =>
  typeof value === 'string' && RESULT.test(value)
    ? undefined
    : 'is no result: lower-case hex with 0x, "hang", or "failed: CAUSE"';

const digest: Reader = (value) =>
  typeof value === 'string' && /^[0-9a-f]{32}$/.test(value) ? undefined : 'is no 32 hex digits';

/** Absolute paths differ from machine to machine. */
const besideTrace: Reader = (value) =>
  text(value) ??
  (/^([/\\]|[a-z]:)/i.test(value as string) ? "is not relative to the trace's folder" : undefined);

const OPTIONS: Readers = {
  pageSize: count,
  pools: listOf(text),
  devices: listOf(text),
  swiotlb: text,
  iommu: listOf(text),
  dmesg: besideTrace,
  inputFormat: text,
};

const CASE: Readers = {
  kernel: text,
  options: (value) => readObject(value, OPTIONS, []),
  incomplete: yes,
  bounds: listOf(bound),
  findings: listOf((value) =>
    readObject(value, { rule, line: count, count, folded: yes }, ['rule', 'line']),
  ),
  addresses: listOf((value) => readObject(value, { line: count, address }, ['line', 'address'])),
  addressBlocks: listOf((value) =>
    readObject(value, { line: count, count, digest }, ['line', 'count', 'digest']),
  ),
};

function listOf(reader: Reader): Reader {
  return (value) => {
    if (!Array.isArray(value)) return 'is no list';
    for (const [n, item] of value.entries()) {
      const problem = reader(item);
      if (problem !== undefined) return `entry ${n + 1}, ${show(item)}: ${problem}`;
    }
    return undefined;
  };
}

function readObject(value: unknown, readers: Readers, needed: string[]): string | undefined {
  if (!isObject(value)) return 'is no object';
  for (const [key, item] of Object.entries(value)) {
    if (!Object.hasOwn(readers, key)) {
      return `${show(key)} means nothing; known are ${Object.keys(readers).join(', ')}`;
    }
    const problem = readers[key](item);
    if (problem !== undefined) return `${key} ${show(item)}: ${problem}`;
  }
  const missing = needed.find((key) => !Object.hasOwn(value, key));
  return missing === undefined ? undefined : `has no ${missing}`;
}
