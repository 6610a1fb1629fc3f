/**
 * A fixed set of words, looked up by their bytes without a string made: an open hash table over
 * length, first, middle and last byte.
 */
export interface WordTable {
  words: readonly Buffer[];
  /** Word number plus one per bucket; 0 is empty. */
  buckets: Uint8Array;
}

/** A table of at most 120 different words, numbered as they stand in the list. */
export function createWordTable(list: readonly string[]): WordTable {
  const words = list.map((word) => Buffer.from(word));
  const buckets = new Uint8Array(256);
  words.forEach((word, number) => {
    let bucket = bucketOf(word, 0, word.length);
    while (buckets[bucket] !== 0) bucket = (bucket + 1) & 255;
    buckets[bucket] = number + 1;
  });
  return { words, buckets };
}

/** The number of the word bytes[from, to); -1 if it is none of them. */
export function wordNumber(table: WordTable, bytes: Uint8Array, from: number, to: number): number {
  const length = to - from;
  if (length <= 0) return -1;
  let bucket = bucketOf(bytes, from, to);
  for (;;) {
    const number = table.buckets[bucket] - 1;
    if (number < 0) return -1;
    const word = table.words[number];
    if (word.length === length) {
      let i = 0;
      while (i < length && word[i] === bytes[from + i]) i++;
      if (i === length) return number;
    }
    bucket = (bucket + 1) & 255;
  }
}

function bucketOf(bytes: Uint8Array, from: number, to: number): number {
  const length = to - from;
  const middle = bytes[from + (length >> 1)];
  return (length * 37 + bytes[from] * 7 + middle * 3 + bytes[to - 1] * 13) & 255;
}
