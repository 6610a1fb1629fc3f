import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  createOrder,
  firstOf,
  floorOf,
  insert,
  type Linked,
  remove,
} from '../../src/iommu/order.js';

interface Member extends Linked<Member> {}

const memberAt = (lo: number, hi = lo): Member => ({ lo, hi, prev: undefined, next: undefined });

/** The members from the first on, by their links. */
function walk(first: Member | undefined): number[] {
  const found: number[] = [];
  for (let at = first; at !== undefined; at = at.next) found.push(at.lo);
  return found;
}

describe('an order', () => {
  test('holds what a sorted array holds, whatever comes and goes', () => {
    const steps = fc.array(fc.tuple(fc.boolean(), fc.nat({ max: 2000 })), { maxLength: 1500 });
    fc.assert(
      fc.property(steps, (all) => {
        const order = createOrder<Member>();
        const members = new Map<number, Member>();
        for (const [adds, lo] of all) {
          const known = members.get(lo);
          if (adds && known === undefined) {
            members.set(lo, memberAt(lo));
            insert(order, members.get(lo) as Member);
          } else if (!adds && known !== undefined) {
            remove(order, known);
            members.delete(lo);
          }
        }
        const sorted = [...members.keys()].sort((a, b) => a - b);
        expect(walk(firstOf(order))).toEqual(sorted);
        expect(order.size).toBe(sorted.length);
        for (const x of [0, 77, 1000, 2000]) {
          expect(floorOf(order, x)?.lo).toBe(sorted.filter((lo) => lo <= x).at(-1));
        }
      }),
      { numRuns: 60 },
    );
  });

  test('finds among many', () => {
    const order = createOrder<Member>();
    for (let n = 0; n < 5000; n++) insert(order, memberAt(((n * 2654435761) % 5000) * 2));
    expect(order.size).toBe(5000);
    expect(walk(firstOf(order))).toEqual(Array.from({ length: 5000 }, (_, n) => n * 2));
    expect(floorOf(order, 4001)?.lo).toBe(4000);
    expect(floorOf(order, -1)).toBeUndefined();
  });
});
