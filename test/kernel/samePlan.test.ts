import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { emptyPlan, type SearchPlan } from '../../src/kernel/plan.js';
import { leadToTheSame } from '../../src/kernel/samePlan.js';
import { createPool, takeSlots } from '../../src/swiotlb/pool.js';
import { searchLinear } from '../../src/swiotlb/search.js';
import { addressWindow } from '../../src/swiotlb/window.js';

const planOf = (changes: Partial<SearchPlan>): SearchPlan => ({
  ...emptyPlan(),
  totalSize: 4096,
  nslots: 2,
  stride: 2,
  ...changes,
});

/** Masks of few bits, so that two plans often come to the same. */
const bits = fc.constantFrom(0, 0, 0x7ff, 0x800, 0xfff, 0x1800);
const masks = fc
  .record({
    clearMask: bits,
    matchMask: bits,
    matchBits: bits,
    endsAtStart: fc.boolean(),
  })
  .map((changes) => ({ ...changes, matchBits: changes.matchBits & changes.matchMask }));
const twoPlans = fc
  .tuple(fc.constantFrom(1, 2), fc.constantFrom(1, 1, 2, 3), masks, masks)
  .map(([nslots, stride, a, b]) => [a, b].map((masks) => planOf({ nslots, stride, ...masks })));

describe('two plans', () => {
  it('lead to the same where a bit must be clear for one and match 0 for the other', () => {
    const clear = planOf({ clearMask: 0xfff });
    expect(leadToTheSame(clear, planOf({ matchMask: 0x800 }))).toBe(true);
    expect(leadToTheSame(clear, planOf({ matchMask: 0x800, matchBits: 0x800 }))).toBe(false);
    expect(leadToTheSame(clear, planOf({}))).toBe(false);
  });

  it('do not where anything else differs that is searched for or stored', () => {
    for (const changes of [
      { nslots: 3 },
      { offset: 0x200 },
      { totalSize: 4000 },
      { stride: 4 },
      { endsAtStart: true },
    ]) {
      expect(leadToTheSame(planOf({}), planOf({}))).toBe(true);
      expect(leadToTheSame(planOf({}), planOf(changes))).toBe(false);
    }
  });

  it('find the same over the same candidates, wherever a search starts and whatever is in use', () => {
    let same = 0;
    fc.assert(
      fc.property(
        twoPlans,
        fc.nat({ max: 7 }),
        fc.nat({ max: 31 }),
        fc.array(fc.nat({ max: 30 })),
        ([a, b], base, index, taken) => {
          if (!leadToTheSame(a, b)) return;
          same++;
          const geometry = { name: 'default', base: base * 2048, nslabs: 32, areas: 1 };
          const pool = createPool(geometry, true);
          for (const slot of taken) if (pool.list[slot] > 0) takeSlots(pool, 0, slot, 1, 2048);
          pool.areaIndex[0] = index;
          const window = addressWindow(pool.base, Number.POSITIVE_INFINITY);
          const [first, second] = [a, b].map((plan) => {
            const tally = { examined: 0 };
            return { slot: searchLinear(pool, 0, plan, window, tally), ...tally };
          });
          expect(second).toEqual(first);
        },
      ),
      { numRuns: 5000 },
    );
    expect(same).toBeGreaterThan(100);
  });
});
