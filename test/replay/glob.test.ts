import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { globMatcher } from '../../src/replay/geometry.js';

/** The same by trying all ways. */
function matches(pattern: string, name: string): boolean {
  if (pattern === '') return name === '';
  const [head, rest] = [pattern[0], pattern.slice(1)];
  if (head === '*') return matches(rest, name) || (name !== '' && matches(pattern, name.slice(1)));
  return name !== '' && (head === '?' || head === name[0]) && matches(rest, name.slice(1));
}

describe('a pattern for device names', () => {
  test('matches what it matches if all ways are tried', () => {
    const letters = (...all: string[]) =>
      fc.array(fc.constantFrom(...all), { maxLength: 9 }).map((each) => each.join(''));
    fc.assert(
      fc.property(
        letters('a', 'b', '*', '*', '?', '.', '1'),
        letters('a', 'b', '.', '1', '\n'),
        (pattern, name) => {
          expect(globMatcher(pattern)(name)).toBe(matches(pattern, name));
        },
      ),
      { numRuns: 5000 },
    );
  });

  test.each([
    ['0000:*:1f.?', '0000:00:1f.2', true],
    ['0000:*:1f.?', '0000:00:1fx2', false],
    ['[a]$^\\', '[a]$^\\', true],
    ['*', '', true],
    ['', 'a', false],
  ])('%j of %j: %s', (pattern, name, expected) => {
    expect(globMatcher(pattern)(name)).toBe(expected);
  });

  test('ends soon, however many pieces it has', () => {
    expect(globMatcher(`${'*a'.repeat(60)}*b`)('a'.repeat(250))).toBe(false);
    expect(globMatcher(`${'*a'.repeat(60)}*b`)(`${'a'.repeat(250)}b`)).toBe(true);
  });
});
