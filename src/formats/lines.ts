/** Helpers for byte scanners. */

export const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/** The end of the line that ends at `newline`, without a carriage return before it. */
export function endOfText(bytes: Uint8Array, from: number, newline: number): number {
  return newline > from && bytes[newline - 1] === CARRIAGE_RETURN ? newline - 1 : newline;
}

/** Whether bytes[from, to) hold nothing but blanks and control characters. */
export function isBlank(bytes: Uint8Array, from: number, to: number): boolean {
  let at = from;
  while (at < to && bytes[at] <= 0x20) at++;
  return at >= to;
}

/** Number of newlines in bytes[from, to). */
export function countLines(bytes: Buffer, from: number, to: number): number {
  let count = 0;
  let at = bytes.indexOf(NEWLINE, from);
  while (at >= 0 && at < to) {
    count++;
    at = bytes.indexOf(NEWLINE, at + 1);
  }
  return count;
}

/** Whether `literal` stands at `at`. */
export function startsWithAt(bytes: Uint8Array, at: number, literal: Uint8Array): boolean {
  if (at + literal.length > bytes.length) return false;
  for (let i = 0; i < literal.length; i++) if (bytes[at + i] !== literal[i]) return false;
  return true;
}

/** The text of bytes[from, to), at most 1024 bytes of it, for a message. */
export function textOf(bytes: Buffer, from: number, to: number): string {
  return bytes.toString('utf8', from, Math.min(to, from + 1024));
}

/** Hands out the lines of bytes[0, end), which are whole, as text and without what ends them. */
export function forEachLine(bytes: Buffer, end: number, onLine: (line: string) => void): void {
  const text = bytes.toString('utf8', 0, end);
  let from = 0;
  while (from < text.length) {
    const newline = text.indexOf('\n', from);
    const to = newline < 0 ? text.length : newline;
    onLine(
      text.slice(from, text.charCodeAt(to - 1) === CARRIAGE_RETURN && to > from ? to - 1 : to),
    );
    from = to + 1;
  }
}
