import { gzipSync } from 'node:zlib';

/** What stands at the edges of what a field can hold, or is meant for somebody who prints it. */
const TOKENS = [
  '',
  '0',
  '1',
  '-1',
  '2048',
  '262144',
  '4294967295',
  '4294967296',
  '9007199254740993',
  '0x0',
  '0xfffffffffffff',
  '0x10000000000000',
  '0xffffffffffffffff',
  '18446744073709551616',
  '1e309',
  'NaN',
  '.5',
  '08',
  'full',
  'hang',
  'none',
  'map',
  'unmap',
  'alloc',
  'free',
  'grow',
  'transient=0x1000',
  'areas=3',
  'force',
  '=cmd|1',
  '@SUM(1)',
  '<script>alert(1)</script>',
  '"',
  '""',
  "'",
  '\\',
  ',',
  ',,',
  '#',
  '#pool',
  ' ',
  '\t',
  '\r',
  '\0',
  '\u001b[31m',
  '\u001b]0;x\u0007',
  '\u009b31m',
  '\u202e',
  '\u2066',
  '\ufeff',
  '\u0085',
  '\u2028',
  '__proto__',
  'constructor',
  'toString',
  '../../x',
  '[',
  ']',
  '{',
  '}',
];

const FIELD = /[\w.:-]+/g;
const NUMBER = /0x[0-9a-fA-F]+|\d+/g;

function at(random, bytes) {
  return random.below(bytes.length + 1);
}

function span(random, bytes, limit = 256) {
  const from = at(random, bytes);
  return [from, Math.min(bytes.length, from + random.size(limit))];
}

function replaced(bytes, from, to, by) {
  return Buffer.concat([bytes.subarray(0, from), Buffer.from(by), bytes.subarray(to)]);
}

/** Puts something else in the place of one match of a pattern, near a random position. */
function replaceMatch(random, bytes, pattern, change) {
  const from = at(random, bytes);
  const text = bytes.toString('latin1', from, from + 400);
  const matches = [...text.matchAll(pattern)];
  if (matches.length === 0) return bytes;
  const { 0: word, index } = random.pick(matches);
  return replaced(bytes, from + index, from + index + word.length, change(word));
}

function tweakNumber(random, word) {
  const value = BigInt(word);
  const bit = 1n << BigInt(random.below(64));
  const next = random.pick([
    value + 1n,
    value - 1n,
    value * 2n,
    value ^ bit,
    value | bit,
    bit,
    bit - 1n,
  ]);
  const positive = next < 0n ? 0n : next;
  return word.startsWith('0x') ? `0x${positive.toString(16)}` : `${positive}`;
}

function linesOf(bytes) {
  const lines = [];
  for (let from = 0; from < bytes.length; ) {
    const newline = bytes.indexOf(0x0a, from);
    const to = newline < 0 ? bytes.length : newline + 1;
    lines.push(bytes.subarray(from, to));
    from = to;
  }
  return lines;
}

function withLines(bytes, change) {
  const lines = linesOf(bytes);
  if (lines.length === 0) return bytes;
  change(lines);
  return Buffer.concat(lines);
}

const PREFIXES = [
  '> ',
  '[    1.000000] ',
  '<6>',
  'Jan  1 00:00:00 host kernel: ',
  '\t',
  '| ',
  '=3D',
];

/** What can be done to a trace; each gives new bytes. */
const OPERATORS = [
  (random, bytes) => replaced(bytes, ...span(random, bytes, 1), Buffer.from([random.below(256)])),
  (random, bytes) => replaced(bytes, ...span(random, bytes), ''),
  (random, bytes) => {
    const from = at(random, bytes);
    return replaced(bytes, from, from, bytes.subarray(...span(random, bytes, 4096)));
  },
  (random, bytes) => bytes.subarray(0, at(random, bytes)),
  (random, bytes) => bytes.subarray(at(random, bytes)),
  (random, bytes, other) =>
    replaced(bytes, ...span(random, bytes), other.subarray(...span(random, other, 4096))),
  (random, bytes) => replaceMatch(random, bytes, FIELD, () => random.pick(TOKENS)),
  (random, bytes) => replaceMatch(random, bytes, FIELD, (word) => word + random.pick(TOKENS)),
  (random, bytes) => replaceMatch(random, bytes, NUMBER, (word) => tweakNumber(random, word)),
  (random, bytes) => replaceMatch(random, bytes, NUMBER, (word) => tweakNumber(random, word)),
  (random, bytes) =>
    withLines(bytes, (lines) => lines.splice(random.below(lines.length), random.size(16))),
  (random, bytes) =>
    withLines(bytes, (lines) => {
      const line = random.pick(lines);
      lines.splice(random.below(lines.length), 0, ...Array(random.size(300)).fill(line));
    }),
  (random, bytes) =>
    withLines(bytes, (lines) => {
      const [a, b] = [random.below(lines.length), random.below(lines.length)];
      [lines[a], lines[b]] = [lines[b], lines[a]];
    }),
  (random, bytes, other) =>
    withLines(bytes, (lines) => {
      const others = linesOf(other);
      if (others.length > 0) lines.splice(random.below(lines.length), 0, random.pick(others));
    }),
  (random, bytes) => {
    const prefix = Buffer.from(random.pick(PREFIXES));
    return Buffer.concat(linesOf(bytes).flatMap((line) => [prefix, line]));
  },
];

/** Rare ones, which make large or odd files. */
const RARE = [
  (random, bytes) =>
    Buffer.from(
      bytes.toString('latin1').replaceAll('\n', random.pick(['\r\n', '\r', '\n\n'])),
      'latin1',
    ),
  (random, bytes) =>
    replaced(
      bytes,
      at(random, bytes),
      bytes.length,
      random.pick(['a', '0', ' ', '\0', '"', '[', 'é']).repeat(1 << random.below(20)),
    ),
  (random, bytes) => Buffer.concat(Array(random.size(8)).fill(bytes)),
  (random, bytes) =>
    Buffer.from(
      `${random.pick(['[', '{"a":', '{"op":[', '<'])}`.repeat(random.size(20_000)) +
        bytes.toString('latin1'),
      'latin1',
    ),
  (_random, bytes) => Buffer.from(bytes.toString('latin1'), 'utf16le'),
  (_random, bytes) => gzipSync(bytes),
  (random, bytes) => {
    const packed = gzipSync(bytes);
    return replaced(packed, ...span(random, packed, 16), '');
  },
  (random) => gzipSync(Buffer.alloc(random.size(1 << 24), random.pick(['\0', 'a\n', '1,']))),
];

/** A trace made of one of the corpus, or left as it is now and then. */
export function mutate(random, corpus) {
  let bytes = random.pick(corpus);
  const steps = random.below(8);
  for (let n = 0; n < steps; n++)
    bytes = random.pick(OPERATORS)(random, bytes, random.pick(corpus));
  if (random.chance(4)) bytes = random.pick(RARE)(random, bytes, random.pick(corpus));
  return bytes;
}
