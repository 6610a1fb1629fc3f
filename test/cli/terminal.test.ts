import { describe, expect, test } from 'vitest';
import { showsBlocks } from '../../src/cli/terminal.js';

const WIDE = { isTTY: true, columns: 120 };
const UTF8 = { TERM: 'xterm-256color', LANG: 'de_DE.UTF-8' };

describe('block characters', () => {
  test('are for a wide terminal in a UTF-8 locale', () => {
    expect(showsBlocks(WIDE, UTF8)).toBe(true);
    expect(showsBlocks(WIDE, { TERM: 'screen', LANG: 'C.utf8' })).toBe(true);
    expect(showsBlocks(WIDE, { TERM: 'foot', LC_CTYPE: 'ca_ES.UTF-8@valencia' })).toBe(true);
  });

  test.each([
    ['a pipe or a file', { columns: 120 }, UTF8],
    ['a narrow terminal', { isTTY: true, columns: 79 }, UTF8],
    ['a terminal of no known width', { isTTY: true }, UTF8],
    ['a dumb terminal', WIDE, { ...UTF8, TERM: 'dumb' }],
    ['a terminal of no name', WIDE, { LANG: 'C.UTF-8' }],
    ["the kernel's console, whose font has few", WIDE, { ...UTF8, TERM: 'linux' }],
    ['another locale', WIDE, { TERM: 'xterm', LANG: 'C' }],
    ['no locale', WIDE, { TERM: 'xterm' }],
    ['a locale that LC_ALL overrides', WIDE, { ...UTF8, LC_ALL: 'POSIX' }],
    ['a locale that LC_CTYPE overrides', WIDE, { ...UTF8, LC_CTYPE: 'de_DE.ISO-8859-1' }],
  ])('are not for %s', (_, terminal, env) => {
    expect(showsBlocks(terminal, env)).toBe(false);
  });

  test('go by LANG where LC_ALL is empty', () => {
    expect(showsBlocks(WIDE, { ...UTF8, LC_ALL: '' })).toBe(true);
  });
});
