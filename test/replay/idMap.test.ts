import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createIdMap } from '../../src/replay/dmaIommu/idMap.js';

/** Ids as counters give them, and ids whose places are all the same. */
const id = fc.oneof(
  fc.nat({ max: 40 }),
  fc.nat({ max: 200 }).map((n) => n * 2 ** 35),
  fc.maxSafeNat(),
);

const step = fc.record({ isEnd: fc.boolean(), id });

function expectSame(steps: Iterable<{ isEnd: boolean; id: number }>): void {
  const map = createIdMap<string>();
  const model = new Map<number, string>();
  let n = 0;
  for (const { isEnd, id } of steps) {
    const value = `${n++}`;
    if (isEnd) {
      map.delete(id);
      model.delete(id);
    } else {
      map.set(id, value);
      model.set(id, value);
    }
    expect(map.get(id)).toBe(model.get(id));
    expect(map.has(id)).toBe(model.has(id));
    expect(map.size).toBe(model.size);
  }
  const sorted = [...model].sort(([a], [b]) => a - b);
  expect([...map]).toEqual(sorted);
  expect(map.values()).toEqual(sorted.map(([, value]) => value));
  for (const [id, value] of sorted) expect(map.get(id)).toBe(value);
}

test('holds what a Map holds', () => {
  fc.assert(fc.property(fc.array(step, { maxLength: 400 }), expectSame), { numRuns: 50 });
});

test('does so when ids go through it, and when more and more stay', () => {
  const passing = Array.from({ length: 20_000 }, (_, n) => [
    { isEnd: false, id: n },
    { isEnd: true, id: n % 9 === 0 ? n - 7 : n - 50 },
  ]).flat();
  expectSame(passing.filter((one) => one.id >= 0));
});

test('knows nothing of a row without an id', () => {
  const map = createIdMap<string>();
  map.set(0, 'first');
  map.delete(Number.NaN);
  expect([map.get(Number.NaN), map.has(Number.NaN), map.size]).toEqual([undefined, false, 1]);
});
