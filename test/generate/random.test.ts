import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createRandom } from '../../src/generate/random.js';
import { createTimeline } from '../../src/generate/timeline.js';

describe('random numbers', () => {
  test('are the same on every machine', () => {
    // From an implementation in integers of any size.
    const { below } = createRandom(12345);
    expect(Array.from({ length: 8 }, () => below(2 ** 32))).toEqual([
      2186009751, 2515724315, 2019965712, 3206461168, 1613395152, 2234250332, 4213136540,
      1116658120,
    ]);
  });

  test('depend on every bit of the seed', () => {
    const first = (seed: number): number => createRandom(seed).below(2 ** 32);
    const seeds = Array.from({ length: 53 }, (_, bit) => 2 ** bit);
    expect(new Set(seeds.map(first)).size).toBe(53);
  });

  test('are spread evenly below their limit', () => {
    const { below } = createRandom(7);
    const counts = new Array<number>(10).fill(0);
    for (let n = 0; n < 100_000; n++) counts[below(10)]++;
    for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(500);
  });
});

test('a timeline gives back what was added in the order of its times', () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 50 }), { maxLength: 400 }), (times) => {
      const timeline = createTimeline();
      times.forEach((time, what) => {
        timeline.add(time, what);
      });
      const taken: number[] = [];
      while (timeline.length > 0) {
        const next = timeline.nextTime();
        const what = timeline.take();
        expect(times[what]).toBe(next);
        taken.push(what);
      }
      expect(taken.map((what) => times[what])).toEqual([...times].sort((a, b) => a - b));
      expect(new Set(taken).size).toBe(times.length);
    }),
  );
});
