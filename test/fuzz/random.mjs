/** xorshift32 with what the fuzzer asks of it; the same seed gives the same case on every machine. */
export function createRandom(seed) {
  let state = seed | 0 || 0x9e3779b9;
  const next = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
  for (let n = 0; n < 8; n++) next();
  const below = (limit) => next() % limit;
  return {
    below,
    chance: (percent) => below(100) < percent,
    pick: (list) => list[below(list.length)],
    /** Mostly small, now and then up to the limit. */
    size: (limit) =>
      1 + below(Math.max(1, Math.min(limit, 1 << below(Math.ceil(Math.log2(limit + 1)) + 1)))),
  };
}

/** The seed of a case of a run. */
export function caseSeed(seed, number) {
  return Math.imul(seed ^ Math.imul(number + 1, 0x85ebca6b), 0xc2b2ae35) ^ (number << 7);
}
