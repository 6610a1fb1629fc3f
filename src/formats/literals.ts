/**
 * Literals of hot loops, compared four bytes at a time through a DataView: as fast as generated code.
 * The callers see to it that the view reaches far enough.
 */

/**
 * ASCII text of 4 characters or more in words, as `view.getInt32(at, true)` reads them: at multiples
 * of 4, and where the length is none, a last one that ends where the text ends.
 */
export function words(text: string): number[] {
  const bytes = Buffer.from(text, 'latin1');
  return Array.from({ length: Math.ceil(bytes.length / 4) }, (_, n) =>
    bytes.readInt32LE(Math.min(4 * n, bytes.length - 4)),
  );
}

/** The view that literals are compared through. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** Whether the bytes from `at` on are these two words. */
export function isTwo(view: DataView, at: number, first: number, second: number): boolean {
  return view.getInt32(at, true) === first && view.getInt32(at + 4, true) === second;
}

/** Whether a literal of 4 characters or more, in words, is what bytes from `from` up to `to` are. */
export function isField(
  view: DataView,
  from: number,
  to: number,
  literal: readonly number[],
): boolean {
  const last = literal.length - 1;
  if (view.getInt32(to - 4, true) !== literal[last]) return false;
  for (let n = 0; n < last; n++) {
    if (view.getInt32(from + 4 * n, true) !== literal[n]) return false;
  }
  return true;
}
