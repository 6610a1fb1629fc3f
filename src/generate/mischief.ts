import type { Random } from './random.js';

/** What callers can do wrong, and what a replay says of it. */
export const MISCHIEF = {
  /** Never unmapped: `leak`. */
  leak: 0,
  /** Unmapped twice in a row: `double-unmap`. */
  'double-unmap': 1,
  /** Unmapped with half the size, or one byte more where that is none: `size-mismatch`. */
  'wrong-size': 2,
  /** Unmapped with another direction: `dir-mismatch`. */
  'wrong-dir': 3,
} as const;

/** A kind of misbehaviour. */
export type MischiefName = keyof typeof MISCHIEF;

/** What becomes of a mapping that is treated well. */
const NO_MISCHIEF = -1;

/** How often callers do something wrong: to one mapping in `oneIn`, on average. */
export interface MischiefRate {
  name: MischiefName;
  oneIn: number;
}

/** Draws what becomes of a mapping: one of MISCHIEF, or NO_MISCHIEF. */
export function drawMischief(rates: readonly MischiefRate[], random: Random): number {
  for (const { name, oneIn } of rates) if (random.below(oneIn) === 0) return MISCHIEF[name];
  return NO_MISCHIEF;
}

/** Unmaps that a mapping will have. */
export function unmapsOwed(mischief: number): number {
  if (mischief === MISCHIEF.leak) return 0;
  return mischief === MISCHIEF['double-unmap'] ? 2 : 1;
}
