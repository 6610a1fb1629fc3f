import { describe, expect, test } from 'vitest';
import { findIommuRelease } from '../../src/kernel/iommuSelect.js';
import { filesOf, linesOf, readIovaTrace } from '../support/iommuVectors.js';
import { replayIova } from '../support/iovaVectors.js';

describe('golden vectors of iova', () => {
  const files = filesOf('iova');

  test('are there', () => {
    expect(files.length).toBeGreaterThan(10);
  });

  test.each(files)('$name gives every result in every release it names', ({ path }) => {
    const trace = readIovaTrace(linesOf(path));
    for (const version of trace.kernel.identical) {
      const release = findIommuRelease(version);
      if (release === undefined) throw new Error(`no release ${version}`);
      const { differences, compared } = replayIova(trace, release);
      expect({ version, differences }).toEqual({ version, differences: [] });
      expect(compared).toBe(trace.rows.length);
    }
  });
});
