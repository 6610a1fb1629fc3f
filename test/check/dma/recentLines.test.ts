import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { forget, noLines, recall, remember } from '../../../src/check/dma/recentLines.js';

const id = fc.oneof(
  fc.nat({ max: 40 }),
  fc.maxSafeNat(),
  fc.nat({ max: 9 }).map((n) => n * 2 ** 21),
);

describe('lines of recent ids', () => {
  test('are those that a map would have', () => {
    const step = fc.record({ id, line: fc.integer({ min: 1, max: 99 }), forgets: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const lines = noLines();
        const model = new Map<number, number>();
        for (const { id: one, line, forgets } of steps) {
          if (forgets) {
            forget(lines, one);
            model.delete(one);
          } else {
            remember(lines, one, line);
            model.set(one, line);
          }
        }
        for (const { id: one } of steps) expect(recall(lines, one)).toBe(model.get(one));
      }),
      { numRuns: 20 },
    );
  });

  test('are 131072 at least, and not all', () => {
    const lines = noLines();
    for (let n = 0; n < 400_000; n++) remember(lines, n, n + 1);
    expect(recall(lines, 0)).toBeUndefined();
    expect(recall(lines, Number.NaN)).toBeUndefined();
    for (let n = 400_000 - 131_072; n < 400_000; n += 1000) expect(recall(lines, n)).toBe(n + 1);
  });
});
