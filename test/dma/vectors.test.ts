import { describe, expect, test } from 'vitest';
import type { IommuRelease } from '../../src/kernel/iommuRelease.js';
import { findIommuRelease } from '../../src/kernel/iommuSelect.js';
import { replayDma } from '../support/dmaVectors.js';
import { filesOf, linesOf, readDmaIommuTrace } from '../support/iommuVectors.js';

describe('golden vectors of dma-iommu', () => {
  const files = filesOf('dma-iommu');

  test('are there', () => {
    expect(files.length).toBeGreaterThan(10);
  });

  test.each(files)('$name gives every column in every release it names', ({ path }) => {
    const trace = readDmaIommuTrace(linesOf(path));
    for (const version of trace.kernel.identical) {
      const release = findIommuRelease(version);
      if (release === undefined) throw new Error(`no release ${version}`);
      const { differences, compared } = replayDma(trace, release);
      expect({ version, differences }).toEqual({ version, differences: [] });
      expect(compared).toBe(trace.rows.length);
    }
  });
});

describe('a wrong release', () => {
  const releaseOf = (name: string): IommuRelease => {
    const release = findIommuRelease(name);
    if (release === undefined) throw new Error(`no release ${name}`);
    return release;
  };

  test.each([
    ['v5.14', 'v5.14+s1-5'],
    ['v5.14', 'v5.14+s1-3'],
    ['v5.14+s1-5', 'v5.14'],
    ['v7.2.13', 'v6.8'],
  ])('does not give the columns of %s: %s', (recorded, other) => {
    const suffix = `-${recorded.replace('+', '_')}`;
    const file = filesOf('dma-iommu').find(({ name }) =>
      name.endsWith(`collision-s500005${suffix}`),
    );
    if (file === undefined) throw new Error(`no file of ${recorded}`);
    const trace = readDmaIommuTrace(linesOf(file.path));
    expect(replayDma(trace, releaseOf(other)).differences.length).toBeGreaterThan(0);
    expect(replayDma(trace, releaseOf(recorded)).differences).toEqual([]);
  });
});
