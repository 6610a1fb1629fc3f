import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addValue, createLogHistogram, quantile } from '../../src/analysis/logHistogram.js';

/** Whole numbers of every size. */
const VALUE = fc.oneof(
  fc.nat(40),
  fc.nat(),
  fc.maxSafeNat(),
  fc.nat(52).map((bits) => 2 ** bits),
);

describe('the histogram by size', () => {
  it('tells quantiles within 6 % of the sorted numbers, and the ends exactly', () => {
    fc.assert(
      fc.property(
        fc.array(VALUE, { minLength: 1 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (values, part) => {
          const histogram = createLogHistogram();
          for (const value of values) addValue(histogram, value);
          const sorted = values.toSorted((a, b) => a - b);
          const exact = sorted[Math.max(0, Math.ceil(part * values.length) - 1)];
          expect(histogram).toMatchObject({
            least: sorted[0],
            most: sorted.at(-1),
            count: values.length,
          });
          expect(Math.abs(quantile(histogram, part) - exact)).toBeLessThanOrEqual(exact * 0.0625);
        },
      ),
    );
  });

  it('is exact for small numbers', () => {
    const histogram = createLogHistogram();
    for (let value = 0; value < 16; value++) addValue(histogram, value);
    expect(quantile(histogram, 0.5)).toBe(7);
    expect(quantile(createLogHistogram(), 0.5)).toBe(0);
  });
});
