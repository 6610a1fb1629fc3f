import { describe, expect, test } from 'vitest';
import { emptyPlan, type SearchPlan } from '../../src/kernel/plan.js';
import { searchIndexed } from '../../src/swiotlb/indexed.js';
import { createPool, type Pool, takeSlots } from '../../src/swiotlb/pool.js';
import { ENDLESS, NOT_FOUND, searchLinear } from '../../src/swiotlb/search.js';
import { type AddressWindow, addressWindow } from '../../src/swiotlb/window.js';

/** Masks in slots, with the bits that addresses shall have under them. */
const ALIGNMENTS = [
  { mask: 0, bits: 0 },
  { mask: 1, bits: 0 },
  { mask: 1, bits: 1 },
  { mask: 3, bits: 2 },
  { mask: 7, bits: 5 },
  { mask: 2, bits: 2 },
  { mask: 6, bits: 4 },
];

/** Both loops, short and long strides (51b30ecb's are no powers of two), few and more slots. */
function plansOf(strides: readonly number[], sizes: readonly number[]): SearchPlan[] {
  const plans: SearchPlan[] = [];
  for (const { mask, bits } of ALIGNMENTS) {
    for (const stride of strides) {
      for (const nslots of sizes) {
        for (const endsAtStart of [false, true]) {
          const matchMask = mask << 11;
          const matchBits = bits << 11;
          plans.push({ ...emptyPlan(), nslots, stride, matchMask, matchBits, endsAtStart });
        }
      }
    }
  }
  return plans;
}

/** Occupies all slots of a new pool but those of `free` whose bit in a pattern is set. */
function fill(nslabs: number, areas: number, free: readonly number[], pattern: number): Pool {
  const pool = createPool({ name: 'pool', base: BASE, nslabs, areas }, true);
  for (let slot = 0; slot < nslabs; slot++) {
    const bit = free.indexOf(slot);
    if (bit >= 0 && (pattern >>> bit) & 1) continue;
    takeSlots(pool, 0, slot, 1, 2048);
  }
  pool.areaUsed.fill(0);
  return pool;
}

const BASE = 0x80001800;

/** Compares the searchers from one start index with one plan; counts what they found. */
function compare(
  pool: Pool,
  area: number,
  plan: SearchPlan,
  window: AddressWindow,
  found: Map<string, number>,
): void {
  linearTally.examined = 0;
  indexedTally.examined = 0;
  const linear = searchLinear(pool, area, plan, window, linearTally);
  const indexed = searchIndexed(pool, area, plan, window, indexedTally);
  if (linear !== indexed || linearTally.examined !== indexedTally.examined) {
    const [a, b] = [linearTally.examined, indexedTally.examined];
    throw new Error(
      `linear ${linear} (${a} examined), indexed ${indexed} (${b}), area ${area} from ` +
        `${pool.areaIndex[area]}, list ${pool.list}, ${JSON.stringify(plan)}`,
    );
  }
  const kind = linear === NOT_FOUND ? 'full' : linear === ENDLESS ? 'endless' : 'slot';
  found.set(kind, (found.get(kind) ?? 0) + 1);
}

const linearTally = { examined: 0 };
const indexedTally = { examined: 0 };

/** Every pattern of some slots that may be free, from every start index given, with every plan. */
function tryAll(
  nslabs: number,
  areas: number,
  free: readonly number[],
  starts: readonly number[],
  plans: readonly SearchPlan[],
  boundaryMask = Number.POSITIVE_INFINITY,
): string[] {
  const found = new Map<string, number>();
  const window = addressWindow(BASE, boundaryMask);
  for (let pattern = 0; pattern < 2 ** free.length; pattern++) {
    const pool = fill(nslabs, areas, free, pattern);
    for (const start of starts) {
      for (let area = 0; area < areas; area++) {
        pool.areaIndex[area] = start;
        for (const plan of plans) compare(pool, area, plan, window, found);
      }
    }
  }
  return [...found.keys()].sort();
}

const range = (length: number): number[] => Array.from({ length }, (_, n) => n);

const EVERY_END = ['endless', 'full', 'slot'];

describe('both searchers agree', () => {
  test('in every pool of 12 slots', () => {
    const plans = plansOf([1, 2, 3, 4, 7, 8], [1, 2, 3]);
    expect(tryAll(12, 1, range(12), range(12), plans)).toEqual(EVERY_END);
  }, 60_000);

  test('in every pool of 12 slots in two areas', () => {
    const plans = plansOf([1, 2, 4, 6], [1, 2]);
    expect(tryAll(12, 2, range(12), range(6), plans)).toEqual(EVERY_END);
  }, 60_000);

  test('in every pool of 16 slots', () => {
    const plans = plansOf([1, 2, 3], [2]).filter((_, n) => n % 5 === 0);
    expect(tryAll(16, 1, range(16), range(16), plans)).toEqual(EVERY_END);
  }, 60_000);

  test('in every pool of 11 slots with boundaries every 4', () => {
    const plans = plansOf([1, 2, 4], [2, 3]);
    expect(tryAll(11, 1, range(11), range(11), plans, 0x1fff)).toEqual(EVERY_END);
  }, 60_000);

  test('where the start index lies beyond the area, or the area has no slot', () => {
    const plans = plansOf([1, 2, 3], [1, 2]);
    expect(tryAll(8, 1, range(8), [8, 9, 20], plans)).toContain('slot');
    expect(tryAll(3, 4, range(3), [0], plans)).toEqual(['full', 'slot']);
  });

  test('where segments and the pool end', () => {
    const free = [0, 1, 126, 127, 128, 129, 255, 256, 383, 384, 385];
    const starts = [0, 1, 125, 127, 128, 200, 383, 385];
    const plans = plansOf([1, 2, 4, 6, 130], [1, 2]);
    expect(tryAll(386, 1, free, starts, plans)).toEqual(EVERY_END);
  }, 60_000);
});
