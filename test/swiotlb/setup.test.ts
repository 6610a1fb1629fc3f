import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { Release } from '../../src/kernel/release.js';
import { findRelease } from '../../src/kernel/select.js';
import { type BootResult, guestNslabs, setUpAtBoot } from '../../src/swiotlb/setup.js';

interface Measured {
  request_nslabs: number;
  request_areas: number | string;
  failed_attempts?: number;
  result: string;
}

interface Version {
  rounding: Measured[];
  memory_shortage: Measured[];
  max_mapping_size_by_min_align_mask: Record<string, number>;
}

/** What the kernels' own boot code made of each request. */
const measured: Record<string, Version> = JSON.parse(
  readFileSync(new URL('../vectors/init-rounding.json', import.meta.url), 'utf8'),
);

function releaseOf(version: string): Release {
  const release = findRelease(version);
  if (release === undefined) throw new Error(`no release ${version}`);
  return release;
}

function inWords(result: BootResult): string {
  return result === undefined ? 'none' : `default nslabs=${result.nslabs} areas=${result.areas}`;
}

describe.each(Object.entries(measured))('the boot code of %s', (version, recorded) => {
  const release = releaseOf(version);
  const requests = [...recorded.rounding, ...recorded.memory_shortage];

  test.each(requests)(
    'makes of $request_nslabs slots, $request_areas areas, $failed_attempts failures: $result',
    ({ request_nslabs: nslabs, request_areas: asked, failed_attempts: failures = 0, result }) => {
      const areas = typeof asked === 'number' ? asked : 1;
      const expected = result.startsWith('default nslabs=') ? result : 'none';
      expect(inWords(setUpAtBoot(release, { nslabs, areas, failures }))).toBe(expected);
    },
  );

  test('has the largest mapping that was measured', () => {
    for (const [mask, size] of Object.entries(recorded.max_mapping_size_by_min_align_mask)) {
      expect(release.maxMappingSize(Number(mask)), mask).toBe(size);
    }
  });
});

describe('a confidential guest', () => {
  test.each([
    [2 ** 29, 32768],
    [2 ** 30, 32768],
    [4 * 2 ** 30, 125952],
    [16 * 2 ** 30, 503424],
    [64 * 2 ** 30, 524288],
  ])('with %d bytes of memory asks for %d slots', (memory, nslabs) => {
    expect(guestNslabs(memory)).toBe(nslabs);
  });
});
