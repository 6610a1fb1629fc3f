import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Release } from '../../src/kernel/release.js';
import { findRelease } from '../../src/kernel/select.js';
import { type Question, type Sizing, smallestPool } from '../../src/sizing/search.js';
import { bootSteps, LARGEST_NSLABS, SEGMENT_STEPS } from '../../src/sizing/steps.js';
import type { Trial } from '../../src/sizing/trial.js';

const RELEASE = findRelease('v6.12') as Release;

const SEGMENTS: Sizing = {
  release: RELEASE,
  pools: [0],
  areas: 1,
  load: { scale: 1, cpus: undefined },
  steps: SEGMENT_STEPS,
};
const DOUBLING: Sizing = { ...SEGMENTS, steps: bootSteps(RELEASE, 1) };

/** Trials of a workload that fits where a test says so; the line of a failure tells the size. */
function trials(fits: (nslabs: number, workload: number) => boolean) {
  const asked: number[] = [];
  const evaluate = async ({ pool: { nslabs }, workload }: Question): Promise<Trial> => {
    asked.push(nslabs);
    const request = {
      event: 0,
      path: `trace ${workload}`,
      line: nslabs,
      device: 'd',
      size: 1,
      cause: 'exhausted',
      reason: '',
    };
    const isGood = fits(nslabs, workload);
    return {
      failed: isGood ? 0 : 1,
      first: isGood ? undefined : request,
      never: 1,
      firstNever: [request],
      peak: workload + 1,
      percentile999: 1,
    };
  };
  return { evaluate, asked };
}

test('where more is always better the answer is the smallest size, and one step smaller fails', async () => {
  const property = fc.asyncProperty(fc.integer({ min: 1, max: 16384 }), async (segments) => {
    const { evaluate, asked } = trials((nslabs) => nslabs >= segments * 128);
    const found = await smallestPool(SEGMENTS, evaluate);
    expect(found.nslabs).toBe(segments * 128);
    const below = segments === 1 ? undefined : (segments - 1) * 128;
    expect(found.failsAt?.nslabs).toBe(below);
    expect(found.failsAt?.request.line).toBe(below);
    expect(asked.length).toBeLessThan(32);
    expect(new Set(asked).size).toBe(asked.length);
  });
  await fc.assert(property);
});

test('whatever fits and fails, the answer fits and the next smaller size fails', async () => {
  const property = fc.asyncProperty(fc.infiniteStream(fc.boolean()), async (stream) => {
    const verdicts = new Map<number, boolean>();
    const fits = (nslabs: number): boolean => {
      const known = verdicts.get(nslabs) ?? (nslabs >= 8192 || stream.next().value);
      verdicts.set(nslabs, known);
      return known;
    };
    for (const sizing of [SEGMENTS, DOUBLING]) {
      const found = await smallestPool(sizing, trials(fits).evaluate);
      const nslabs = found.nslabs as number;
      expect(fits(nslabs)).toBe(true);
      if (nslabs > 128) {
        const below = sizing === SEGMENTS ? nslabs - 128 : nslabs / 2;
        expect(found.failsAt?.nslabs).toBe(below);
        expect(fits(below)).toBe(false);
      }
    }
  });
  await fc.assert(property);
});

test('where sizes double none that fits is passed over, and a larger one that fails is told', async () => {
  const { evaluate } = trials((nslabs) => nslabs === 512 || nslabs >= 4096);
  expect(await smallestPool(DOUBLING, evaluate)).toMatchObject({
    nslabs: 512,
    failsAt: { nslabs: 256 },
    failsAbove: { nslabs: 1024 },
  });
});

test('where nothing fits the largest size that was tried is told', async () => {
  const { evaluate } = trials(() => false);
  for (const sizing of [SEGMENTS, DOUBLING]) {
    expect(await smallestPool(sizing, evaluate)).toMatchObject({
      nslabs: undefined,
      failsAt: { nslabs: LARGEST_NSLABS },
    });
  }
});

test('of several workloads each must fit, and the first that fails is named', async () => {
  const { evaluate } = trials((nslabs, workload) => nslabs >= (workload === 1 ? 1024 : 256));
  const found = await smallestPool({ ...DOUBLING, pools: [0, 3, undefined] }, evaluate);
  expect(found).toMatchObject({
    nslabs: 1024,
    failsAt: { nslabs: 512, request: { path: 'trace 1' } },
    trial: { peak: 2, never: 2 },
  });
});
