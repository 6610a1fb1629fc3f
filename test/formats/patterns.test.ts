import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { PROJECT } from '../support/cli.js';

interface Pattern {
  source: string;
  flags: string;
  /** The module that has it. */
  file: string;
}

const PATTERNS: Pattern[] = JSON.parse(
  execFileSync(process.execPath, ['test/support/patterns.mjs'], { cwd: PROJECT, encoding: 'utf8' }),
);

/** What a hostile line repeats: what classes and escapes of patterns match, one after the other and in turns. */
const PUMPS = [
  ...['a', '0', ' ', '\t', '>', '[', '"', '=', '1.', '0:', 'a ', 'a: ', 'a=', '=3D', '> ', '<1>'],
  ...['[a]', 'a,', ' 1', 'a a=', '0x0', '-1', '\\', ': '],
];

/** Pieces of text that a pattern has as they are, in its order. */
function literalsOf(source: string): string[] {
  return source
    .replace(/\\([^\w\d])/g, '$1\u0000')
    .split(/\\[a-zA-Z](?:\{[^}]*\})?|[\^$.*+?()|[\]{}]/)
    .map((piece) => piece.replaceAll('\u0000', ''))
    .filter((piece) => piece.length > 1 && !/^\d*,?\d*$|^[<?:!=]/.test(piece));
}

/** A text much as a pattern wants it: one character for each class, alternatives one after the other. */
function sampleOf(source: string): string {
  return source
    .replace(/\\[bB]|\(\?(?:<?[=!]|:|<\w+>)|\{[^}]*\}|[\^$()|*+?]/g, '')
    .replace(/\[\^?\\?(.)[^\]]*\]/g, '$1')
    .replace(/\\p\{\w+\}|\\[wS]|\./g, 'a')
    .replace(/\\d/g, '1')
    .replace(/\\s/g, ' ')
    .replace(/\\(.)/g, '$1');
}

/** Lines that get as far into a pattern as its text leads, and then repeat something without an end. */
function* attacks(source: string): Generator<string[]> {
  const literals = literalsOf(source);
  const sample = sampleOf(source);
  const beginnings = [1, 2, 3, 4, 6, 8, 12, 16, 24].map((length) => sample.slice(0, length));
  const starts = new Set([
    '',
    literals[0] ?? '',
    literals.slice(0, 2).join('1 '),
    literals.join(''),
  ]);
  for (const start of starts) {
    for (const pump of new Set([...PUMPS, ...literals, ...beginnings, sample.slice(0, -1)])) {
      if (pump !== '') yield [start, pump];
    }
  }
}

/** A line that a pattern comes near to matching for a long time, and does not match in the end. */
function lineOf([start, pump]: string[], length: number): string {
  return `${start}${pump.repeat(Math.ceil(length / pump.length))}\u0001`;
}

/** Milliseconds that a search takes at best. */
function timeOf(pattern: RegExp, text: string, rounds: number): number {
  let best = Number.POSITIVE_INFINITY;
  for (let n = 0; n < rounds; n++) {
    pattern.lastIndex = 0;
    const start = performance.now();
    pattern.test(text);
    best = Math.min(best, performance.now() - start);
  }
  return best;
}

const SHORT = 1 << 12;

/** Below this a search of a short line is fast, whatever it does: a quadratic one takes eight million steps. */
const FAST_MS = 3;

/** What no search of a short line may take, so that one that is worse than quadratic ends too. */
const ENDLESS_MS = 1000;

/** What a line may cost that is four times as long: four times as much, where 16 times is quadratic. */
const MOST_GROWTH = 9;

/** What makes a pattern take far more time than a longer line should cost. */
function blowUp({ source, flags }: Pattern): string | undefined {
  const pattern = new RegExp(source, flags);
  for (const attack of attacks(source)) {
    const line = lineOf(attack, SHORT);
    const once = timeOf(pattern, line, 1);
    if (once < FAST_MS) continue;
    if (once > ENDLESS_MS && timeOf(pattern, line, 1) > ENDLESS_MS) return attack.join(' and ');
    const short = timeOf(pattern, line, 3);
    if (short < FAST_MS) continue;
    if (timeOf(pattern, lineOf(attack, 4 * SHORT), 2) / short > MOST_GROWTH) {
      return attack.join(' and ');
    }
  }
  return undefined;
}

describe('regular expressions', () => {
  test('are all found: written out, and made of strings', () => {
    const files = PATTERNS.map(({ file }) => file);
    expect(PATTERNS.length).toBeGreaterThan(150);
    expect(files).toContain('formats/prefix.js');
    expect(PATTERNS.some(({ source }) => source.includes('IO_PAGE_FAULT'))).toBe(true);
    expect(PATTERNS.some(({ source }) => source.includes('got slot'))).toBe(true);
  });

  test('that go back and forth in a line are told from those that do not', () => {
    const pattern = (source: string) => ({ source, flags: '', file: '' });
    expect(blowUp(pattern('(a+)$'))).toBeDefined();
    expect(blowUp(pattern('#\\d.*\\bsize'))).toBeDefined();
    expect(blowUp(pattern('\\s+$'))).toBeDefined();
    expect(blowUp(pattern('^a+$'))).toBeUndefined();
    expect(blowUp(pattern('size \\d{1,20} bytes'))).toBeUndefined();
  });

  test('take time in proportion to a line, whatever it holds', () => {
    const slow = PATTERNS.flatMap((pattern) => {
      const attack = blowUp(pattern);
      return attack === undefined ? [] : [`${pattern.file}: /${pattern.source}/ ${attack}`];
    });
    expect(slow).toEqual([]);
  });
});
