import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { emptyPlan, emptyRequest } from '../../src/kernel/plan.js';
import { RELEASES } from '../../src/kernel/releases.js';
import { findRelease } from '../../src/kernel/select.js';
import { replay } from '../../src/library/index.js';
import type { Policy, PolicyPlan, PolicyRequest } from '../../src/pipeline/policy.js';
import { loadPolicy } from '../../src/pipeline/policyFile.js';
import { policyRelease } from '../../src/pipeline/policyRelease.js';
import { planAlloc, planMap } from '../../src/swiotlb/calls.js';
import { PROJECT } from '../support/cli.js';
import { replayVector, shippedVectorsOf, vectorsOf } from '../support/vectors.js';

const firstFix = await loadPolicy(join(PROJECT, 'docs/policies/first-fix.mjs'));

const masks = fc.oneof(
  fc.constantFrom(0, 0x1ff, 0x7ff, 0xfff, 0x1fff, 0xffff, 0x3ffff, 0xffffffff),
  fc.integer({ min: 0, max: 0xffffffff }),
);

const requests = fc.record({
  origAddr: fc.oneof(
    fc.constant(0),
    fc.constant(Number.NaN),
    fc.integer({ min: 1, max: 2 ** 52 - 1 }),
  ),
  mappingSize: fc.integer({ min: 1, max: 300_000 }),
  more: fc.constantFrom(0, 2048),
  allocAlignMask: masks,
  minAlignMask: masks,
  pageSize: fc.constantFrom(4096, 16384, 65536),
  pages: fc.boolean(),
});

/** The numbers of a release for a request. */
function planOf(
  release: (typeof RELEASES)[number],
  wish: typeof requests extends fc.Arbitrary<infer T> ? T : never,
) {
  const { more, pageSize, pages, ...numbers } = wish;
  const request = { ...emptyRequest(), ...numbers, allocSize: wish.mappingSize + more };
  const plan = emptyPlan();
  (pages ? planAlloc : planMap)(release, pageSize, request, plan);
  const { clearMask, matchMask } = plan;
  // Bits are what counts, whether bit 31 makes the number negative or not.
  const bits = { clearMask: clearMask | 0, matchMask: matchMask | 0 };
  return { ...plan, ...bits, allocAlignMask: request.allocAlignMask };
}

describe('the first fix as a policy', () => {
  const release = policyRelease(firstFix).release;
  const willV1 = findRelease('v6.8+will-v1') as typeof release;

  test('plans what the patched kernel plans', () => {
    fc.assert(
      fc.property(requests, (wish) => {
        expect(planOf(release, wish)).toEqual(planOf(willV1, wish));
      }),
    );
  });

  const recorded = ['swiotlb', 'swiotlb-edges'].flatMap((set) =>
    vectorsOf(set).filter(({ version }) => version === 'v6.8+will-v1'),
  );

  test.each(recorded)('gives every address of $name', async ({ path }) => {
    const { session, differences } = await replayVector(path, release);
    expect(differences).toEqual([]);
    expect(session.totals.recorded).toBeGreaterThan(0);
  });

  test('is something else than v6.8', async () => {
    const [seed] = shippedVectorsOf('swiotlb-edges').filter(({ version }) => version === 'v6.8');
    expect((await replayVector(seed.path, release)).differences).not.toEqual([]);
  });
});

test.each(RELEASES)('what $name decides can be given back as it is', (base) => {
  const asIs: Policy = {
    name: 'as-is',
    base: base.name,
    size: (_, own) => own,
    plan: (_, own) => own,
    ...(base.coherentAlignMask && { coherentAlignMask: (_, __, own: number) => own }),
  };
  const { release } = policyRelease(asIs);
  fc.assert(
    fc.property(requests, (wish) => {
      expect(planOf(release, wish)).toEqual(planOf(base, wish));
    }),
    { numRuns: 50 },
  );
});

test('what a result leaves out is the base’s', () => {
  const base = findRelease('v6.9') as (typeof RELEASES)[number];
  const { release } = policyRelease({ name: 'wide', base: 'v6.9', plan: () => ({ stride: 64 }) });
  const wish = { ...fc.sample(requests, { numRuns: 1, seed: 1 })[0], pages: false };
  expect(planOf(release, wish)).toEqual({ ...planOf(base, wish), stride: 64 });
});

/** Numbers that a request and a seed lead to, as senseless as the checks let through. */
function scramble(seed: number, { origAddr, mappingSize }: PolicyRequest): number[] {
  let state = (seed ^ Math.imul(mappingSize, 0x9e3779b1) ^ (origAddr | 0)) >>> 0;
  return Array.from({ length: 6 }, () => {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9;
    return state >>> 0;
  });
}

describe('a policy that makes no sense', () => {
  const vectors = shippedVectorsOf('swiotlb-edges').filter(({ name }) =>
    /^edge_(seed000|areas|aam|allocodd)_v6\.8\.csv/.test(name),
  );

  test('is replayed all the same, and alike by both searchers', async () => {
    expect(vectors.length).toBeGreaterThan(1);
    const seeds = fc.record({
      seed: fc.nat(),
      base: fc.constantFrom('v5.12', 'v6.1', 'v6.8', 'v6.10'),
      bits: fc.constantFrom(4, 14, 32),
    });
    await fc.assert(
      fc.asyncProperty(seeds, async ({ seed, base, bits }) => {
        const policy: Policy = {
          name: 'senseless',
          base,
          size(request) {
            const [a, b] = scramble(seed, request);
            const totalSize = 1 + (a % 2 ** bits) * (bits === 32 ? 2 ** 20 : 25);
            return { totalSize, offset: b % Math.min(totalSize, 9000) };
          },
          plan(request) {
            const [a, b, c, d] = scramble(~seed, request);
            const plan: PolicyPlan = {
              stride: 1 + (a % 2 ** (bits === 32 ? 26 : 5)),
              clearMask: (b & c) >>> (32 - bits),
              matchMask: (c & d) >>> (32 - bits),
              endsAtStart: (d & 1) === 1,
            };
            return plan;
          },
        };
        const { release } = policyRelease(policy);
        const { summary } = await replay('traces/freed-neighbour/trace.csv', { kernel: policy });
        expect(summary.maps).toBe(9);
        for (const { path } of vectors) {
          const ends = await Promise.all(
            ['linear', 'indexed'].map(async (search) => {
              const { session, differences } = await replayVector(path, release, search);
              const [{ pool, used }] = session.allocators;
              return { totals: session.totals, used, index: pool.areaIndex, differences };
            }),
          );
          expect(ends[0]).toEqual(ends[1]);
        }
      }),
      { numRuns: 40 },
    );
  });
});
