import { describe, expect, test } from 'vitest';
import { findRelease } from '../../src/kernel/select.js';
import { replayVector, vectorsOf } from '../support/vectors.js';

/** Vectors of CONFIG_SWIOTLB_DYNAMIC kernels, by name; their pools are not modelled yet. */
function isDynamic(name: string): boolean {
  return /_a\d+d/.test(name) || name.startsWith('edge_dyn');
}

describe.each(['swiotlb', 'swiotlb-edges'])('golden vectors of %s', (set) => {
  const modelled = vectorsOf(set).filter(
    ({ name, version }) => findRelease(version) !== undefined && !isDynamic(name),
  );

  test('cover every release of the table', () => {
    expect(modelled.length).toBeGreaterThan(10);
  });

  test.each(modelled)('$name gives every recorded address', async ({ path, version }) => {
    const release = findRelease(version);
    if (release === undefined) throw new Error(`no release ${version}`);
    const { session, differences } = await replayVector(path, release);
    expect(differences).toEqual([]);
    expect(session.totals.recorded).toBeGreaterThan(0);
    expect(session.assumptions).toEqual([]);
  });
});

describe('a wrong release', () => {
  test('does not give the addresses of the seed', async () => {
    const [seed] = vectorsOf('swiotlb-edges').filter(
      ({ name }) => name === 'edge_seed000_v6.8.csv.gz',
    );
    const v69 = findRelease('v6.9');
    if (v69 === undefined) throw new Error('no v6.9');
    const { differences } = await replayVector(seed.path, v69);
    expect(differences).toContain('line 6: recorded 0x98326800, replayed 0x98328000');
  });
});
