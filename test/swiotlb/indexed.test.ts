import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { emptyPlan } from '../../src/kernel/plan.js';
import { RELEASES } from '../../src/kernel/releases.js';
import { searchIndexed } from '../../src/swiotlb/indexed.js';
import { createPool, releaseSlots, takeSlots } from '../../src/swiotlb/pool.js';
import { NOT_FOUND, type Searcher, searchLinear } from '../../src/swiotlb/search.js';
import { addressWindow } from '../../src/swiotlb/window.js';
import { createTwins, mapTwins, type Request, type Twins, unmapTwins } from './twins.js';

/** Low ones, none, and some with gaps or with bits beyond any pool. */
const masks = fc.oneof(
  { weight: 3, arbitrary: fc.constant(0) },
  {
    weight: 6,
    arbitrary: fc.constantFrom(
      0x1ff,
      0x7ff,
      0xfff,
      0xfff,
      0x1fff,
      0x3fff,
      0xffff,
      0x1ffff,
      0x7ffff,
    ),
  },
  { weight: 1, arbitrary: fc.constantFrom(0x1000, 0x5fff, 0xf000, 0xffffffff, 0x80000fff) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 0xfffff }) },
);

const sizes = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 1, max: 8192 }) },
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 16 }).map((pages) => pages * 4096) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 130 }).map((slots) => slots * 2048) },
);

/** A request less its release. */
type Wish = Omit<Request, 'release'>;

const wishes: fc.Arbitrary<Wish> = fc
  .record({
    origAddr: fc.oneof(
      { weight: 1, arbitrary: fc.constant(0) },
      { weight: 3, arbitrary: fc.integer({ min: 1, max: 255 }).map((n) => 0x100000 + n * 2048) },
      { weight: 2, arbitrary: fc.integer({ min: 1, max: 0xffffffffff }) },
    ),
    mappingSize: sizes,
    more: fc.constantFrom(0, 0, 2048, 4096),
    allocAlignMask: fc.oneof({ weight: 2, arbitrary: fc.constant(0) }, masks),
    minAlignMask: masks,
    segBoundaryMask: fc.constantFrom(
      Number.POSITIVE_INFINITY,
      Number.POSITIVE_INFINITY,
      0xffffffff,
      0xffff,
      0x7fff,
      0x7ff,
    ),
    cpu: fc.nat({ max: 5 }),
    pageSize: fc.constantFrom(4096, 4096, 16384, 65536),
    pages: fc.boolean(),
  })
  .map(({ more, ...wish }) => ({ ...wish, allocSize: wish.mappingSize + more }));

type Pools = typeof pools extends fc.Arbitrary<infer T> ? T : never;

/** A map of a release in the table, or a release of slots. */
type Step =
  | { op: 'map'; wish: Wish; release: number }
  | {
      op: 'unmap';
      /** Which of the addresses handed out so far; those released already may come again. */
      which: number;
      /** Bytes added to the address: what is hit is a buffer's inside, or a neighbour. */
      beside: number;
      minAlignMask: number;
      /** What a caller may say up to v5.12. */
      size: number | undefined;
    };

const steps: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      op: fc.constant('map' as const),
      wish: wishes,
      release: fc.nat({ max: RELEASES.length - 1 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      op: fc.constant('unmap' as const),
      which: fc.nat(),
      beside: fc.oneof(
        { weight: 5, arbitrary: fc.constant(0) },
        { weight: 1, arbitrary: fc.integer({ min: -3, max: 6 }).map((slots) => slots * 2048) },
      ),
      minAlignMask: masks,
      size: fc.oneof({ weight: 4, arbitrary: fc.constant(undefined) }, sizes),
    }),
  },
);

const pools = fc.record({
  base: fc.constantFrom(0x80000000, 0x80000800, 0x97ff0000, 0xfffff000, 0x10000001800),
  nslabs: fc.oneof(fc.integer({ min: 64, max: 1024 }), fc.constantFrom(64, 130, 256, 384, 1024)),
  areas: fc.constantFrom(1, 1, 2, 4),
  clampTail: fc.boolean(),
  indexes: fc.array(fc.nat(), { minLength: 4, maxLength: 4 }),
  /** Maps before the first step, as a share of the slots: full pools are where searches differ. */
  filled: fc.constantFrom(0, 0, 0.5, 0.9),
});

/** A map of one slot that asks for nothing else. */
const SMALL: Request = {
  release: RELEASES[RELEASES.length - 1],
  pageSize: 65536,
  origAddr: 0,
  mappingSize: 2048,
  allocSize: 2048,
  allocAlignMask: 0,
  minAlignMask: 0,
  segBoundaryMask: Number.POSITIVE_INFINITY,
  cpu: 0,
  pages: false,
};

/** Sets up the twins, both partly filled by the same small maps. */
function setUp(pool: Pools): Twins {
  const twins = createTwins({ name: 'pool', ...pool }, pool.clampTail);
  for (let slot = 0; slot < pool.nslabs * pool.filled; slot++) {
    mapTwins(twins, { ...SMALL, cpu: slot, mappingSize: 2048 * (1 + (slot % 3)) });
  }
  twins.addresses.forEach((address, n) => {
    if (n % 5 === 2) unmapTwins(twins, address, 0, undefined);
  });
  for (const side of [twins.linear, twins.indexed]) {
    side.areaIndex.forEach((_, area) => {
      side.areaIndex[area] = pool.indexes[area] % side.areaNslabs;
    });
  }
  return twins;
}

/** One step; `only` has maps go by one release instead of their own. */
function run(twins: Twins, step: Step, only?: (typeof RELEASES)[number]): void {
  if (step.op === 'map') {
    mapTwins(twins, { ...step.wish, release: only ?? RELEASES[step.release] });
  } else if (twins.addresses.length > 0) {
    const address = twins.addresses[step.which % twins.addresses.length];
    unmapTwins(twins, address + step.beside, step.minAlignMask, step.size);
  }
}

describe('the indexed search', () => {
  test.each(RELEASES)('finds and counts what the kernel loop of $name does', (release) => {
    fc.assert(
      fc.property(pools, fc.array(steps, { maxLength: 80, size: 'max' }), (pool, events) => {
        const twins = setUp(pool);
        for (const event of events) run(twins, event, release);
      }),
      { numRuns: 60 },
    );
  });

  test('does so whatever releases and damage a pool lives through', () => {
    fc.assert(
      fc.property(pools, fc.array(steps, { maxLength: 150, size: 'max' }), (pool, events) => {
        const twins = setUp(pool);
        for (const event of events) run(twins, event);
      }),
      { numRuns: 500 },
    );
  }, 60_000);

  test('knows of damage that is older than the index', () => {
    const pool = createPool({ name: 'pool', base: 0, nslabs: 384, areas: 1 }, true);
    const window = addressWindow(0, Number.POSITIVE_INFINITY);
    const plan = { ...emptyPlan(), nslots: 5, stride: 32, matchMask: 31 << 11 };
    const search = (searcher: Searcher): number => {
      pool.areaIndex[0] = 0;
      return searcher(pool, 0, plan, window, { examined: 0 });
    };
    takeSlots(pool, 0, 0, 128, 128 * 2048);
    takeSlots(pool, 0, 140, 116, 116 * 2048);
    takeSlots(pool, 0, 256, 128, 128 * 2048);
    // A caller of v5.12 names two slots too many: the counters of 128 and 129 end there, 2 and 1.
    releaseSlots(pool, 0, 0, 130 * 2048, { slot: 0, nslots: 0 });
    takeSlots(pool, 0, 0, 128, 128 * 2048);
    expect([search(searchLinear), search(searchIndexed)]).toEqual([NOT_FOUND, NOT_FOUND]);
    // The repair makes them 11 and 10.
    takeSlots(pool, 0, 139, 1, 2048);
    expect([search(searchLinear), search(searchIndexed)]).toEqual([128, 128]);
  });

  test('has an index only where it needed one', () => {
    const twins = createTwins({ name: 'pool', base: 0, nslabs: 256, areas: 1 }, true);
    mapTwins(twins, SMALL);
    expect(twins.indexed.freeIndex.classes).toEqual([]);
    for (const { areaIndex } of [twins.linear, twins.indexed]) areaIndex[0] = 0;
    mapTwins(twins, SMALL);
    expect(twins.linear.freeIndex.classes).toEqual([]);
    expect(twins.linear.freeIndex.free).toHaveLength(0);
    expect(twins.indexed.freeIndex.classes).toHaveLength(1);
  });
});
