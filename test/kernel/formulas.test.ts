import { describe, expect, test } from 'vitest';
import { maskFormula, sizeFormula } from '../../src/kernel/formulas.js';
import { RELEASES } from '../../src/kernel/releases.js';
import { followsTag, tagsOf } from '../../src/kernel/tags.js';

describe('formulas', () => {
  test.each(RELEASES)('tell the policies of $name', ({ size, masks }) => {
    expect(sizeFormula(size)).toContain('total =');
    expect(maskFormula(masks)).toContain('stride =');
  });
});

describe('tags', () => {
  test('from v5.10 to v7.2 belong to one mainline row each', () => {
    const mainline = RELEASES.filter(({ kind }) => kind === 'mainline');
    const tags = mainline.flatMap(tagsOf);
    expect(tags[0]).toBe('v5.10');
    expect(tags.at(-1)).toBe('v7.2');
    expect(new Set(tags).size).toBe(tags.length);
    expect(tags.slice(1).every((tag, n) => followsTag(tags[n], tag))).toBe(true);
  });

  test('of a stable or patched row are the row itself', () => {
    for (const release of RELEASES.filter(({ kind }) => kind !== 'mainline')) {
      expect(tagsOf(release)).toEqual([release.name]);
    }
  });
});
