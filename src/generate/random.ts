/** Random numbers that are the same on every machine: 32-bit integers alone decide them. */
export interface Random {
  /** An integer from 0 to `limit` - 1; `limit` is at most 2^32. */
  below(limit: number): number;
}

/** Numbers that are thrown away at the start. */
const WARM_UP = 8;

/** splitmix32, which makes words of state out of half a seed. */
function splitmix(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let word = state ^ (state >>> 16);
    word = Math.imul(word, 0x21f0aaad);
    word = Math.imul(word ^ (word >>> 15), 0x735a2d97);
    return word ^ (word >>> 15);
  };
}

/**
 * xoshiro128** by Blackman and Vigna.
 * @param seed an integer from 0 to 2^53 - 1
 */
export function createRandom(seed: number): Random {
  const low = splitmix(seed);
  const high = splitmix(~Math.floor(seed / 2 ** 32));
  let a = low();
  let b = low();
  let c = high();
  let d = high();

  function next(): number {
    const times5 = Math.imul(b, 5);
    const result = Math.imul((times5 << 7) | (times5 >>> 25), 9) >>> 0;
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = (d << 11) | (d >>> 21);
    return result;
  }

  // The first words show little of the state.
  for (let n = 0; n < WARM_UP; n++) next();

  return {
    // A division by a power of two and one rounded product: every IEEE machine has the same bits.
    below: (limit) => Math.floor((next() / 2 ** 32) * limit),
  };
}
