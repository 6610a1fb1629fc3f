import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  hex,
  parseDecimal,
  parseHex,
  parseMask,
  parseNumber,
  readNumber,
} from '../../src/events/numbers.js';

type Parse = (bytes: Uint8Array, from: number, to: number) => number;

/** Parses text that stands between other bytes, which must not be read. */
function within(parse: Parse, text: string): number {
  const bytes = Buffer.from(`7${text}7`);
  return parse(bytes, 1, bytes.length - 1);
}

/** What a number of any length must be read as: itself below 2^53, else nothing. */
function expected(value: bigint): number {
  return value < 2n ** 53n ? Number(value) : Number.NaN;
}

const JUNK = ['', ' ', '-1', '+1', '1.5', ' 1', '1 ', '1\r', 'ten', '\u0661', '1_000', '1n'];

/** Naturals of all magnitudes, most of them near the limit. */
const NATURAL = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 80n }),
  fc.bigInt({ min: 2n ** 53n - 20n, max: 2n ** 53n + 20n }),
  fc.bigInt({ min: 0n, max: 5000n }),
);
const ZEROS = fc.integer({ min: 0, max: 30 }).map((count) => '0'.repeat(count));

/** Bytes that numbers are made of, and their neighbours. */
const DIGITS = fc.constantFrom(...Buffer.from('00xX19afAF/:@G`g'));

/** Those texts that are read as a number. */
function readable(texts: readonly string[], parse: Parse): string[] {
  return texts.filter((text) => !Number.isNaN(within(parse, text)));
}

describe('decimal numbers', () => {
  test('are read exactly below 2^53 and not at all above, leading zeros or not', () => {
    fc.assert(
      fc.property(NATURAL, ZEROS, (value, zeros) => {
        expect(within(parseDecimal, `${zeros}${value}`)).toBe(expected(value));
        expect(within(parseNumber, `${zeros}${value}`)).toBe(expected(value));
      }),
    );
  });

  test('end at the last number that a double holds exactly', () => {
    expect(within(parseDecimal, '9007199254740991')).toBe(2 ** 53 - 1);
    expect(within(parseDecimal, '9007199254740992')).toBeNaN();
    expect(within(parseDecimal, '9'.repeat(400))).toBeNaN();
  });

  test('are nothing else', () => {
    expect(readable([...JUNK, '0x1', 'f', '1e3', '/', ':'], parseDecimal)).toEqual([]);
  });
});

describe('hex numbers', () => {
  test('are read exactly below 2^53 and not at all above, in either case', () => {
    fc.assert(
      fc.property(NATURAL, ZEROS, (value, zeros) => {
        const digits = `${zeros}${value.toString(16)}`;
        expect(within(parseHex, digits)).toBe(expected(value));
        expect(within(parseHex, digits.toUpperCase())).toBe(expected(value));
        expect(within(parseNumber, `0x${digits}`)).toBe(expected(value));
        expect(within(parseNumber, `0X${digits}`)).toBe(expected(value));
      }),
    );
  });

  test('end at the last number that a double holds exactly', () => {
    expect(within(parseHex, '1fffffffffffff')).toBe(2 ** 53 - 1);
    expect(within(parseHex, '20000000000000')).toBeNaN();
    expect(within(parseHex, 'f'.repeat(400))).toBeNaN();
  });

  test('are nothing else', () => {
    expect(readable([...JUNK, '0x1', 'g', '@', 'G', '`', '\x01', '\x06'], parseHex)).toEqual([]);
  });
});

describe('numbers of either kind', () => {
  test('are nothing else', () => {
    const junk = ['0x', '0X', 'x', '0xg', '0x 1', '0x-1', '1x1', '00x1', '0x0x1', '1e3', 'full'];
    expect(readable([...JUNK, ...junk], parseNumber)).toEqual([]);
  });

  test('no bytes but these make up a number', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(DIGITS, fc.nat(255)), { maxLength: 6 }), (list) => {
        const bytes = Buffer.from(list);
        const text = bytes.toString('latin1');
        const isNumber = /^(0x[0-9a-f]+|[0-9]+)$/i.test(text);
        const value = parseNumber(bytes, 0, bytes.length);
        expect(value).toBe(isNumber ? Number(text) : Number.NaN);
      }),
    );
  });
});

describe('masks', () => {
  test('are read exactly below 2^53, low ones beyond mean none, others are refused', () => {
    const value = fc.oneof(
      NATURAL,
      fc.constantFrom(2n ** 64n - 1n, 2n ** 62n - 1n, 2n ** 64n - 2n, 2n ** 64n),
    );
    fc.assert(
      fc.property(value, (mask) => {
        const isWide = mask === 2n ** 64n - 1n || mask === 2n ** 62n - 1n;
        const read = isWide ? Number.POSITIVE_INFINITY : expected(mask);
        expect(parseMask(`0x${mask.toString(16)}`)).toBe(read);
        expect(parseMask(String(mask))).toBe(read);
      }),
    );
  });

  test('are nothing else', () => {
    const junk = ['0x', '0xg', '0x1_0', '0b1', '0o7', '0x00000000000000001', '1e3'];
    const read = [...JUNK, ...junk].filter((text) => !Number.isNaN(parseMask(text)));
    expect(read).toEqual([]);
  });
});

test('hex is written as it is read', () => {
  expect(hex(0)).toBe('0x0');
  expect(hex(0xabcdef)).toBe('0xabcdef');
  fc.assert(
    fc.property(fc.maxSafeNat(), (value) => {
      expect(within(parseNumber, hex(value))).toBe(value);
    }),
  );
});

describe('the hot reader of numbers', () => {
  /** The number at the start of a text and where it ends; undefined for what it leaves to others. */
  function readStart(text: string): { value: number; end: number } | undefined {
    const into = new Float64Array(2);
    const end = readNumber(Buffer.from(`,${text}`), 1, into, 1);
    return end < 0 ? undefined : { value: into[1], end: end - 1 };
  }

  test('reads every address, whatever follows', () => {
    const address = fc.oneof(
      fc.nat(),
      fc.maxSafeNat().map((value) => value % 2 ** 52),
    );
    const behind = fc.constantFrom('', ',', '\n', ')', '-5', 'y', 'g');
    fc.assert(
      fc.property(address, behind, (value, rest) => {
        const text = `0x${value.toString(16)}`;
        expect(readStart(text + rest)).toEqual({ value, end: text.length });
        const decimal = `${value % 1e15}`;
        expect(readStart(decimal + rest)).toEqual({ value: value % 1e15, end: decimal.length });
      }),
    );
  });

  test('leaves what has more digits than it holds, and what is no number', () => {
    for (const text of ['0x123456789abcde0', '0x00000000000000a', '1'.repeat(16), '0x', '', 'a']) {
      expect(readStart(text)).toBeUndefined();
    }
    expect(readStart('0x123456789abcde')?.value).toBe(0x123456789abcde);
    expect(readStart('1'.repeat(15))?.value).toBe(111_111_111_111_111);
  });

  test('reads what the careful one reads, or leaves it', () => {
    fc.assert(
      fc.property(fc.array(DIGITS, { maxLength: 20 }), (bytes) => {
        const text = String.fromCharCode(...bytes);
        const read = readStart(text);
        if (read === undefined || read.value >= 2 ** 53) return;
        expect(read.value).toBe(within(parseNumber, text.slice(0, read.end)));
      }),
    );
  });
});
