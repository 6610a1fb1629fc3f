import { describe, expect, test } from 'vitest';
import type { Release } from '../../src/kernel/release.js';
import { findRelease } from '../../src/kernel/select.js';
import {
  areaCounts,
  bootParameterOf,
  bootSteps,
  LARGEST_NSLABS,
  SEGMENT_STEPS,
  type Steps,
} from '../../src/sizing/steps.js';
import { setUpAtBoot } from '../../src/swiotlb/setup.js';

const release = (name: string): Release => findRelease(name) as Release;

function sizes({ first, next }: Steps): number[] {
  const list = [];
  for (let size = first; size !== undefined; size = next(size)) list.push(size);
  return list;
}

describe.each(['v5.10', 'v5.19', 'v6.0', 'v6.1', 'v6.2', 'v6.6', 'v6.12', 'v7.2'])('%s', (name) => {
  test.each([1, 2, 8, 64])('sets up exactly the sizes that are steps with %s areas', (areas) => {
    const { hasAreas } = release(name);
    const made = new Set<number>();
    for (let asked = 1; asked <= 65536; asked += 61) {
      const result = setUpAtBoot(release(name), { nslabs: asked, areas, failures: 0 });
      if (result?.areas === (hasAreas ? areas : 1)) made.add(result.nslabs);
    }
    const steps = sizes(bootSteps(release(name), areas)).filter((size) => size <= 65536);
    expect(new Set(steps)).toEqual(made);
    expect(steps).toEqual([...steps].sort((a, b) => a - b));
  });
});

test('the parameter of an answer makes just that pool', () => {
  for (const name of ['v5.10', 'v6.1', 'v7.2']) {
    for (const areas of areaCounts(release(name), 5)) {
      const { first, next } = bootSteps(release(name), areas);
      const nslabs = next(first as number) as number;
      const [slots, asked = 1] = bootParameterOf(release(name), nslabs, areas).split(',');
      expect(
        setUpAtBoot(release(name), { nslabs: Number(slots), areas: Number(asked), failures: 0 }),
      ).toEqual({ nslabs, areas });
    }
  }
});

test('area counts are powers of two, up to the first that has one for each CPU', () => {
  expect(areaCounts(release('v6.12'), 6)).toEqual([1, 2, 4, 8]);
  expect(areaCounts(release('v6.12'), 1)).toEqual([1]);
  expect(areaCounts(release('v5.10'), 6)).toEqual([1]);
});

test('nothing beyond 4 GiB is tried', () => {
  expect(sizes(bootSteps(release('v6.12'), 4)).at(-1)).toBe(LARGEST_NSLABS);
  expect(SEGMENT_STEPS.next(LARGEST_NSLABS)).toBeUndefined();
  expect(SEGMENT_STEPS.next(LARGEST_NSLABS - 128)).toBe(LARGEST_NSLABS);
});
