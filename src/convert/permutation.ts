import { randomFillSync } from 'node:crypto';

/** Bits of a number that are permuted: two halves. */
const HALF_BITS = 17;
const HALF = 2 ** HALF_BITS;

/** Numbers below this are permuted. */
export const PERMUTED = HALF * HALF;

const ROUNDS = 4;

/**
 * A random permutation of the numbers from 1 to PERMUTED - 1, in which 0 stays 0: a Feistel network
 * whose round functions are tables of random bits, so that nothing but the tables tells what a number
 * was. They are never written down.
 */
export function createPermutation(): (value: number) => number {
  const tables = Array.from({ length: ROUNDS }, () => randomFillSync(new Uint32Array(HALF)));

  function once(value: number): number {
    let left = Math.floor(value / HALF);
    let right = value - left * HALF;
    for (const table of tables) {
      const next = left ^ (table[right] & (HALF - 1));
      left = right;
      right = next;
    }
    return left * HALF + right;
  }

  return (value) => {
    if (value === 0) return 0;
    let permuted = once(value);
    // Whoever would become 0 becomes what 0 would have become.
    while (permuted === 0) permuted = once(permuted);
    return permuted;
  };
}
