import { describe, expect, test } from 'vitest';
import { findRelease } from '../../src/kernel/select.js';
import { SEARCHERS } from '../../src/swiotlb/searchers.js';
import { replayVector, vectorsOf } from '../support/vectors.js';

/** All that a replay leaves, as far as the kernel has it too. */
async function replayWith(path: string, version: string, search: string): Promise<unknown> {
  const release = findRelease(version);
  if (release === undefined) throw new Error(`no release ${version}`);
  const { session, differences } = await replayVector(path, release, search);
  return {
    differences,
    totals: session.totals,
    allocators: session.allocators.map(({ used, usedHiwater, pools }) => ({
      used,
      usedHiwater,
      pools: pools.map(({ freeIndex, ...pool }) => pool),
    })),
  };
}

describe.each(['swiotlb', 'swiotlb-edges'])('on the golden vectors of %s', (set) => {
  const vectors = vectorsOf(set).filter(({ version }) => findRelease(version) !== undefined);

  test.each(vectors)('$name all searchers give the same', async ({ path, version }) => {
    const linear = await replayWith(path, version, 'linear');
    for (const search of Object.keys(SEARCHERS)) {
      expect(await replayWith(path, version, search)).toEqual(linear);
    }
  });
});
