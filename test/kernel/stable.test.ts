import { describe, expect, test } from 'vitest';
import type { Release } from '../../src/kernel/release.js';
import { RELEASES } from '../../src/kernel/releases.js';
import { placeRelease } from '../../src/kernel/select.js';
import { rangesOf, rangeWords, rowWords, STABLE_RANGES } from '../../src/kernel/stable.js';

const series = [...new Set(STABLE_RANGES.map((range) => range.series))];

function release(name: string): Release {
  const placement = placeRelease(name);
  if (placement?.release === undefined) throw new Error(`${name} is not placed`);
  return placement.release;
}

function policies({ name, kind, summary, commits, ...rest }: Release): Partial<Release> {
  return rest;
}

describe('the stable series', () => {
  test.each(series)('%s.y is without gaps, from 0 to an open end', (name) => {
    const ranges = rangesOf(name);
    expect(ranges[0].first).toBe(0);
    expect(ranges.at(-1)?.last).toBeUndefined();
    for (let n = 1; n < ranges.length; n++) expect(ranges[n].first - 1).toBe(ranges[n - 1].last);
  });

  test('differ from range to range', () => {
    for (const name of series) {
      const ranges = rangesOf(name);
      for (let n = 1; n < ranges.length; n++) {
        const [before, after] = [ranges[n - 1].release, ranges[n].release].map(policies);
        expect(after).not.toEqual(before);
      }
    }
  });

  test('place every row of a version in its own range', () => {
    for (const row of RELEASES.filter(({ kind }) => kind === 'stable')) {
      const [, name, patch] = /^v(\d+\.\d+)\.(\d+)$/.exec(row.name) as RegExpExecArray;
      const range = rangesOf(name).find(
        ({ first, last = Infinity }) => first <= Number(patch) && Number(patch) <= last,
      );
      expect(range && rowWords(range)).toBe(row.name);
    }
  });

  test('reach their rows by what they take, one by one', () => {
    const like = (base: string, changes: Partial<Release>) => ({
      ...policies(release(base)),
      ...changes,
    });
    const wide = { wrapsSlotOffset: false };
    const max = { maxMappingSize: release('v5.19').maxMappingSize };
    expect(policies(release('5.10.145'))).toEqual(like('v5.12', wide));
    expect(policies(release('5.10.223'))).toEqual(like('5.10.145', max));
    expect(policies(release('5.15.70'))).toEqual(like('v5.16', wide));
    expect(policies(release('5.15.100'))).toEqual(like('5.15.70', max));
    expect(policies(release('5.15.167'))).toEqual(
      like('5.15.100', { masks: release('6.1.192').masks }),
    );
    expect(policies(release('6.6.1'))).toEqual(like('6.6.3', { clampsTail: false }));
    expect(policies(release('6.6.63'))).toEqual(
      like('6.6.30', {
        masks: release('v6.9').masks,
        size: release('v6.9').size,
        refusesUnalignedPages: true,
      }),
    );
  });

  test('say themselves in words', () => {
    const [first, , third, last] = rangesOf('6.6');
    expect(rangeWords(first)).toBe('6.6.0 to 6.6.2');
    expect(rangeWords(last)).toBe('6.6.35 on');
    expect(rowWords(first)).toBe('v6.6.0');
    expect(rowWords(third)).toBe('v6.6 with 04867a7a3332, cbf53074a528 and 51b30ecb73b4');
  });
});
