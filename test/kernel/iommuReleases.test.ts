import { describe, expect, test } from 'vitest';
import { IOMMU_RELEASES } from '../../src/kernel/iommuReleases.js';
import { findIommuRelease, placeIommuRelease } from '../../src/kernel/iommuSelect.js';

describe('the table of IOMMU generations', () => {
  test('names each row once, with its commits', () => {
    const names = IOMMU_RELEASES.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const { commits } of IOMMU_RELEASES) expect(commits.length).toBeGreaterThan(0);
  });

  test('has no two rows alike next to each other, but where a summary says why', () => {
    const mainline = IOMMU_RELEASES.filter(({ kind }) => kind === 'mainline');
    for (let n = 1; n < mainline.length; n++) {
      const [a, b] = [mainline[n - 1], mainline[n]];
      expect([b.iova, b.dma]).not.toEqual([a.iova, a.dma]);
    }
  });
});

describe('a kernel by its name', () => {
  test.each([
    ['v5.12', 'v5.12', 'v5.12'],
    ['6.8', 'v6.7', 'v6.8'],
    ['v6.12.107', 'v6.10', 'v6.12.107'],
    ['v7.2.13', 'v7.1', 'v7.2.13'],
    ['v6.1.192', 'v6.1.170', 'v6.1.192'],
    ['v6.1.3', 'v6.0', 'v6.1.3'],
    ['v5.10.100', 'v5.10', 'v5.10.100'],
    ['v5.10.262', 'v5.10.223', 'v5.10.262'],
    ['v5.14+s1-2', 'v5.14+s1-2', 'v5.14'],
  ])('%s is the row %s with the slots of %s', (name, row, slots) => {
    const found = findIommuRelease(name);
    expect(found?.summary).toBe(IOMMU_RELEASES.find((release) => release.name === row)?.summary);
    expect(found?.swiotlb.name).toBe(slots);
  });

  test.each(['v4.19', 'banana', '', 'v6.8+banana', 'banana+large-granules'])(
    '%s is none',
    (name) => {
      expect(findIommuRelease(name)).toBeUndefined();
    },
  );

  test.each([
    ['v6.8', undefined],
    ['v5.14+s1-2', undefined],
    [
      '6.12.94+deb13-amd64',
      'as the row v6.10; what its builder changed (+deb13-amd64) is not known',
    ],
    ['5.15.3+large-granules', 'as the row v5.15'],
    ['v6.9-rc3', 'as the row v6.7'],
  ])('%s is told with why: %s', (name, reason) => {
    expect(placeIommuRelease(name)).toMatchObject({ release: { dma: {} }, reason });
  });

  test('that hides its version is a guess', () => {
    const placed = placeIommuRelease('6.1.0-56-amd64');
    expect(placed?.release?.name).toBe('v6.1.84');
    expect(placed?.reason).toContain('a guess');
  });

  test.each([
    ['5.14.0-427.el9.x86_64', 'takes changes of later releases'],
    ['v7.3', 'v7.2 is the newest'],
    ['v5.9', 'v5.10 is the oldest'],
  ])('%s is none, and why', (name, reason) => {
    const placed = placeIommuRelease(name);
    expect(placed?.release).toBeUndefined();
    expect(placed?.reason).toContain(reason);
  });

  test('may be asked for with granules larger than a page', () => {
    const found = findIommuRelease('v5.16+large-granules');
    expect(found).toMatchObject({ name: 'v5.16+large-granules', kind: 'patched' });
    expect(found?.dma).toEqual({ ...findIommuRelease('v5.16')?.dma, largeGranules: true });
  });
});
