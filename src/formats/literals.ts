/** A text that hot loops compare four bytes at a time. */
export interface Literal {
  length: number;
  /** Little-endian words; the last overlaps the one before where the length is no multiple of 4. */
  words: Int32Array;
}

/** A literal of ASCII text, 4 characters or more. */
export function literal(text: string): Literal {
  const bytes = Buffer.from(text, 'latin1');
  const { length } = bytes;
  const words = Int32Array.from({ length: Math.ceil(length / 4) }, (_, n) =>
    bytes.readInt32LE(Math.min(4 * n, length - 4)),
  );
  return { length, words };
}

/** Whether a literal stands at `at`. */
export function isAt(view: DataView, at: number, { words, length }: Literal): boolean {
  const last = at + length - 4;
  if (at < 0 || last + 4 > view.byteLength) return false;
  if (view.getInt32(last, true) !== words[words.length - 1]) return false;
  for (let n = 0; n < words.length - 1; n++) {
    if (view.getInt32(at + 4 * n, true) !== words[n]) return false;
  }
  return true;
}

/** The view that `isAt` reads bytes through. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
