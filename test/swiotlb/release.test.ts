import { expect, test } from 'vitest';
import { createPool, releaseSlots, takeSlots } from '../../src/swiotlb/pool.js';

function poolWithFive() {
  const pool = createPool({ name: 'default', base: 0, nslabs: 256, areas: 2 }, true);
  takeSlots(pool, 1, 128, 5, 5 * 2048);
  return pool;
}

test('a release that believes a size behind the pool ends at the pool, whatever the size', () => {
  const [far, near] = [poolWithFive(), poolWithFive()];
  const released = { slot: 0, nslots: 0 };
  releaseSlots(far, 128 * 2048, 0, 2 ** 50, released);
  expect(released).toEqual({ slot: 128, nslots: 2 ** 39 });
  // So many slots fewer are a multiple of what the 16-bit counters hold.
  releaseSlots(near, 128 * 2048, 0, 65_536 * 2048, released);
  expect(released.nslots).toBe(65_536);
  expect(near.list.subarray(128, 131)).toEqual(Uint16Array.of(0, 65_535, 65_534));
  expect(far.list).toEqual(near.list);
});
