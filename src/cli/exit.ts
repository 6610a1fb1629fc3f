/** Exit statuses; part of the contract. */
export const Exit = {
  ok: 0,
  /** Findings, mismatches or differences. */
  found: 1,
  /** Wrong usage, or input that cannot be read or understood. */
  unusable: 2,
  /** Nothing wrong found, but the evidence does not carry that verdict. */
  unproved: 3,
} as const;

/** The status to end with after several traces: what cannot be used outweighs what was found, and so on. */
export function worstExit(a: number, b: number): number {
  const order: number[] = [Exit.ok, Exit.unproved, Exit.found, Exit.unusable];
  return order.indexOf(a) > order.indexOf(b) ? a : b;
}
