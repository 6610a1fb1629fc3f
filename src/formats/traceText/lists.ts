import type { TraceState } from './state.js';

/** Longest text of a record that is looked at: a list of 128 segments takes about 10 KiB. */
const MAX_TEXT = 1 << 16;

/** The record's fields as text. */
export function bodyText({ bytes, record }: TraceState): string {
  return bytes.toString(
    'latin1',
    record.bodyFrom,
    Math.min(record.bodyTo, record.bodyFrom + MAX_TEXT),
  );
}

/**
 * The numbers of `name={0x1,0x2}`, or of trace-cmd's `name=ARRAY[00, 10, ...]`, bytes in little endian.
 * @param width bytes of a number in the second form
 * @returns undefined where there is no such list, or a number in it cannot be read
 */
export function listOf(text: string, name: string, width: number): number[] | undefined {
  const start = text.indexOf(` ${name}=`);
  if (start < 0) return undefined;
  const from = start + name.length + 2;
  const isPlain = text[from] === '{';
  const open = isPlain ? from : text.indexOf('[', from);
  const close = text.indexOf(isPlain ? '}' : ']', from);
  // A list that was cut has no end, and half a number is none.
  if (open < 0 || close < open) return undefined;
  const words = text.slice(open + 1, close);
  if (words === '') return [];
  const numbers = isPlain ? words.split(',').map(Number) : fromBytes(words, width);
  return numbers.every(Number.isSafeInteger) ? numbers : undefined;
}

function fromBytes(text: string, width: number): number[] {
  const bytes = text.split(', ').map((byte) => Number.parseInt(byte, 16));
  const numbers: number[] = [];
  for (let at = 0; at + width <= bytes.length; at += width) {
    let value = 0;
    for (let i = width - 1; i >= 0; i--) value = value * 256 + bytes[at + i];
    numbers.push(value);
  }
  return numbers;
}
