import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { harmless, harmlessJson, harmlessLines } from '../../src/render/harmless.js';

/** Whatever moves a cursor, changes colours, hides text, or turns its direction around. */
const DANGEROUS = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

/** Text that is full of such characters. */
const NASTY = fc
  .array(
    fc.oneof(
      fc.constantFrom('\x1b[31m', '\x1b]0;title\x07', '\r', '\n', '\t', '\0', '\x7f', '\x9b'),
      fc.constantFrom('\u202e', '\u2066', '\u200b', '\ufeff', '\u2028', '\u2029', '\u{e0041}'),
      fc.constantFrom('"', '\\', '\ud800', '\udc00', '\u{1f4be}', 'ü'),
      fc.string({ unit: 'binary', maxLength: 5 }),
    ),
  )
  .map((parts) => parts.join(''));

describe('text for a terminal', () => {
  test('shows dangerous characters by their number', () => {
    expect(harmless('\x1b[31mred\x07')).toBe('\\x1b[31mred\\x07');
    expect(harmless('a\tb\r\n\0\x7f\x9b')).toBe('a\\x09b\\x0d\\x0a\\x00\\x7f\\x9b');
    expect(harmless('user\u202etxt.exe\u200b\ufeff')).toBe('user\\u202etxt.exe\\u200b\\ufeff');
    expect(harmless('\u2028\u{e0041}')).toBe('\\u2028\\ue0041');
  });

  test('leaves other text as it is', () => {
    const text = 'virtio-pci 0000:00:07.0: "gerät", 設備 \u{1f4be} \\ 100 %';
    expect(harmless(text)).toBe(text);
  });

  test('holds no dangerous character, whatever comes in', () => {
    fc.assert(
      fc.property(NASTY, (text) => {
        expect(harmless(text)).not.toMatch(DANGEROUS);
        expect(harmlessLines(text).replaceAll('\n', '')).not.toMatch(DANGEROUS);
      }),
    );
  });

  test('of several lines keeps its line ends and nothing else', () => {
    expect(harmlessLines('one\ntwo\r\n\x1bthree\n')).toBe('one\ntwo\\x0d\n\\x1bthree\n');
  });
});

describe('JSON', () => {
  test('holds no dangerous character and means the same', () => {
    fc.assert(
      fc.property(NASTY, fc.jsonValue(), (text, value) => {
        const json = harmlessJson({ [text]: [text, value] });
        expect(json).not.toMatch(DANGEROUS);
        expect(JSON.parse(json)).toEqual(JSON.parse(JSON.stringify({ [text]: [text, value] })));
      }),
    );
  });

  test('escapes characters beyond 16 bits as two units', () => {
    expect(harmlessJson('\u{e0041}\x9b')).toBe('"\\udb40\\udc41\\u009b"');
  });
});
