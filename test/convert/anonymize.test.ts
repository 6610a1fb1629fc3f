import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createAnonymizer, type Place } from '../../src/convert/anonymize.js';
import { createPermutation, PERMUTED } from '../../src/convert/permutation.js';
import { createBatch, Flag, Op, Recorded } from '../../src/events/batch.js';

const SLOT = 2048;
const KEPT = 2 ** 18;
const GIB = 2 ** 30;

function anonymizer(pools: Place[] = [], boundaries: number[] = []) {
  return createAnonymizer({ pools: () => pools, boundaries: () => boundaries });
}

describe('the permutation', () => {
  test('gives no two numbers the same, and nothing but 0 a 0', () => {
    const permute = createPermutation();
    const seen = new Set<number>();
    for (let value = 0; value < 50_000; value++) seen.add(permute(value));
    expect(seen.size).toBe(50_000);
    expect(permute(0)).toBe(0);
    for (const value of seen) expect(value >= 0 && value < PERMUTED).toBe(true);
  });

  test('is another one each time', () => {
    const [one, two] = [createPermutation(), createPermutation()];
    const same = Array.from({ length: 1000 }, (_, n) => n + 1).filter((n) => one(n) === two(n));
    expect(same.length).toBeLessThan(3);
  });
});

test('addresses of buffers keep their low bits, and lie together where they did', () => {
  const { origAddr } = anonymizer();
  const address = fc.integer({ min: 0, max: 2 ** 52 - 1 });
  fc.assert(
    fc.property(address, address, (one, two) => {
      expect(origAddr(one) % KEPT).toBe(one % KEPT);
      const together = Math.floor(one / KEPT) === Math.floor(two / KEPT);
      const still = Math.floor(origAddr(one) / KEPT) === Math.floor(origAddr(two) / KEPT);
      expect(still).toBe(together);
      expect(origAddr(one)).toBeLessThan(2 ** 52);
      expect(origAddr(one)).toBe(origAddr(one));
    }),
  );
  expect(origAddr(0)).toBe(0);
  expect(origAddr(Number.NaN)).toBeNaN();
});

test('pools are moved to where a search sees the same', () => {
  const boundary = fc.constantFrom(0xffff_ffff, 0xff_ffff, 0xf_ffff, 0xffff, Infinity);
  const place = fc.record({
    base: fc
      .oneof(fc.nat({ max: 2 ** 21 }), fc.integer({ min: 2 ** 20, max: 2 ** 24 }))
      .map((n) => n * SLOT),
    nslabs: fc.integer({ min: 1, max: 65_536 }),
  });
  fc.assert(
    fc.property(place, fc.array(boundary, { maxLength: 3 }), (pool, boundaries) => {
      const to = anonymizer([pool], boundaries).poolBase(pool);
      const end = pool.nslabs * SLOT;
      expect(to % KEPT).toBe(pool.base % KEPT);
      if (pool.base + end <= 4 * GIB) expect(to + end).toBeLessThanOrEqual(4 * GIB);
      for (const mask of [0xffff_ffff, ...boundaries.filter(Number.isFinite)]) {
        const line = (base: number, slot: number) =>
          Math.floor((base + slot * SLOT) / (mask + 1)) - Math.floor(base / (mask + 1));
        for (let slot = 0; slot < pool.nslabs; slot += 97) {
          expect(line(to, slot)).toBe(line(pool.base, slot));
        }
      }
    }),
  );
});

test('pools are moved, each to a place of its own', () => {
  const pools = Array.from({ length: 20 }, (_, n) => ({ base: n * GIB, nslabs: 1000 }));
  const { poolBase } = anonymizer(pools);
  const places = pools.map(poolBase);
  expect(new Set(places).size).toBe(20);
  expect(places.filter((to, n) => to === pools[n].base).length).toBeLessThan(3);
  expect(pools.map(poolBase)).toEqual(places);
});

test('addresses in a pool move with it, those in transient pools with theirs', () => {
  const pool = { base: 0x9700_0000, nslabs: 64 };
  const hidden = anonymizer([pool]);
  const batch = createBatch(4);
  const transient = 0x5555_c000_0000 - 0x4000;
  batch.length = 4;
  batch.op.set([Op.map, Op.map, Op.unmap, Op.grow]);
  batch.recorded.fill(Recorded.address);
  batch.time.set([100.5, 100.75, 101, 102]);
  batch.origAddr.set([0x1234_5678, 0x8765_4321, Number.NaN, 0x8000_0000]);
  batch.size.set([1, 1, 1, 128]);
  batch.tlbAddr.set([pool.base + 0x1678, transient + 0x9000, transient + 0x9000, Number.NaN]);
  batch.flag[1] = Flag.transient;
  batch.flagValue[1] = transient;
  hidden.events(batch);
  expect(batch.tlbAddr[0]).toBe(hidden.poolBase(pool) + 0x1678);
  // The base and the address lie in different blocks.
  expect(batch.tlbAddr[1] - batch.flagValue[1]).toBe(0x9000);
  expect(batch.tlbAddr[2]).toBe(batch.tlbAddr[1]);
  expect(batch.origAddr[3]).toBe(hidden.bounceAddr(0x8000_0000));
  expect([...batch.time]).toEqual([0, 0.25, 0.5, 1.5]);
  expect(hidden.doubts.size).toBe(0);
});

test('what reaches beyond the bits that stay is told', () => {
  const boundaries = [0xffff_ffff];
  const pools = [{ base: 0x8000_0000, nslabs: 64 }];
  const hidden = createAnonymizer({ pools: () => pools, boundaries: () => boundaries });
  const batch = createBatch(1);
  batch.length = 1;
  batch.tlbAddr[0] = 0x8000_0000;
  batch.allocAlignMask[0] = 0xf_ffff;
  hidden.events(batch);
  expect([...hidden.doubts]).toEqual(['an alloc_align_mask reaches beyond the low 18 bits']);
  boundaries.push(0xf_ffff);
  hidden.events(batch);
  expect(hidden.doubts.size).toBe(2);
});
