import { describe, expect, test } from 'vitest';
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
