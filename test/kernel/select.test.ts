import { describe, expect, it, test } from 'vitest';
import type { Release } from '../../src/kernel/release.js';
import { RELEASES } from '../../src/kernel/releases.js';
import {
  candidateReleases,
  findRelease,
  latestRelease,
  nearestReleases,
  placeRelease,
} from '../../src/kernel/select.js';

/** What makes an allocator, without what names it. */
function policies(release: Release): Partial<Release> {
  const { name, kind, summary, commits, ...rest } = release;
  return rest;
}

function rowOf(name: string): Release {
  const row = RELEASES.find((release) => release.name === name);
  if (row === undefined) throw new Error(`no row ${name}`);
  return row;
}

function placed(name: string): { release: Release; reason: string | undefined } {
  const placement = placeRelease(name);
  if (placement?.release === undefined) throw new Error(`${name}: ${placement?.reason}`);
  return placement;
}

function refused(name: string): { reason: string; nearest: string[] } {
  const placement = placeRelease(name);
  if (placement === undefined) throw new Error(`${name} is no kernel's name`);
  if (placement.release !== undefined) throw new Error(`${name} is ${placement.release.name}`);
  return placement;
}

describe('a kernel is placed', () => {
  /** Of all of these, results or the source are known. */
  const known: readonly [name: string, row: string][] = [
    ['5.10.7', 'v5.10'],
    ['5.10.223', 'v5.10.223'],
    ['5.10.262', 'v5.10.223'],
    ['5.12.9', 'v5.12'],
    ['5.14.2', 'v5.13'],
    ['5.15.16', 'v5.15'],
    ['5.15.167', 'v5.15.167'],
    ['5.16.10', 'v5.16'],
    ['v5.17-rc5', 'v5.16'],
    ['6.0-rc1', 'v6.0'],
    ['6.1-rc7', 'v6.1'],
    ['6.1.192', 'v6.1.192'],
    ['6.2.1', 'v6.2'],
    ['6.3.8', 'v6.3'],
    ['6.6.17', 'v6.6'],
    ['6.6.63', 'v6.6.63'],
    ['v6.10', 'v6.10'],
    ['6.12.94', 'v6.10'],
    ['6.12.107', 'v6.10'],
    ['v6.13.2', 'v6.10'],
    ['v6.14', 'v6.10'],
    ['v6.19.9', 'v6.10'],
    ['v7.1.3', 'v6.10'],
    ['v7.2.13', 'v6.10'],
  ];
  it.each(known)('%s in the row %s, which its results show', (name, row) => {
    expect(policies(placed(name).release)).toEqual(policies(rowOf(row)));
  });

  /** Tags and versions to either side of each change. */
  const others: readonly [name: string, row: string, reason: string | undefined][] = [
    ['v6.6', 'v6.6', undefined],
    ['6.6.0', 'v6.6.0', undefined],
    ['6.6-rc3', 'v6.6.0', 'as the row v6.6.0: a release candidate counts as its tag'],
    ['6.7', 'v6.6', 'as the row v6.6, unchanged up to v6.7'],
    ['v6.12', 'v6.10', 'as the row v6.10, unchanged up to v7.2'],
    ['6.12.0', 'v6.10', 'as the row v6.10, like every 6.12.y'],
    ['v6.9-rc3', 'v6.9', 'as the row v6.9: a release candidate counts as its tag'],
    ['6.11.0-rc1', 'v6.10', 'as the row v6.10: a release candidate counts as its tag'],
    ['5.11.22', 'v5.10', 'as the row v5.10, like every 5.11.y'],
    ['6.4.16', 'v6.3', 'as the row v6.3, like every 6.4.y'],
    ['5.10.34', 'v5.10', 'as the row v5.10, from 5.10.0 to 5.10.34'],
    ['5.10.35', 'v5.12', 'as the row v5.12, from 5.10.35 to 5.10.142'],
    ['5.10.142', 'v5.12', 'as the row v5.12, from 5.10.35 to 5.10.142'],
    ['5.10.147', 'v5.10.223', 'as the row v5.10.223, from 5.10.147 on'],
    ['5.15.32', 'v5.15', 'as the row v5.15, from 5.15.0 to 5.15.32'],
    ['5.15.33', 'v5.16', 'as the row v5.16, from 5.15.33 to 5.15.67'],
    ['5.15.154', 'v5.15.167', 'as the row v5.15.167, from 5.15.154 on'],
    ['6.1.83', 'v6.1', 'as the row v6.1, from 6.1.0 to 6.1.83'],
    ['6.1.84', 'v6.1.192', 'as the row v6.1.192, from 6.1.84 on'],
    ['6.6.2', 'v6.6.0', 'as the row v6.6.0, from 6.6.0 to 6.6.2'],
    ['6.6.3', 'v6.6', 'as the row v6.6, from 6.6.3 to 6.6.23'],
    ['6.6.23', 'v6.6', 'as the row v6.6, from 6.6.3 to 6.6.23'],
    ['6.6.35', 'v6.6.63', 'as the row v6.6.63, from 6.6.35 on'],
    ['6.6.150', 'v6.6.63', 'as the row v6.6.63, from 6.6.35 on (checked up to 6.6.63)'],
    ['6.7.11', 'v6.6', 'as the row v6.6, from 6.7.0 to 6.7.11'],
    ['6.8.2', 'v6.8', 'as the row v6.8, from 6.8.0 to 6.8.2'],
    ['v6.8+will-v1', 'v6.8+will-v1', undefined],
    ['6.8+04867a7a', 'v6.8+04867a7a', undefined],
    ['v6.8+04867a7a3332', 'v6.8+04867a7a', undefined],
    ['v6.8+04867a7a33324c9c562ee7949dbcaab7aaad1fb4', 'v6.8+04867a7a', undefined],
  ];
  it.each(others)('%s in the row %s', (name, row, reason) => {
    const placement = placed(name);
    expect(policies(placement.release)).toEqual(policies(rowOf(row)));
    expect(placement.reason).toBe(reason);
  });

  it('between the commits that a stable series took and those that it did not', () => {
    for (const [name, base] of [
      ['6.6.24', 'v6.6'],
      ['6.6.34', 'v6.6'],
      ['6.7.12', 'v6.6'],
      ['6.8.3', 'v6.8'],
      ['6.8.12', 'v6.8'],
    ]) {
      const { release, reason } = placed(name);
      expect(policies(release)).toEqual({
        ...policies(rowOf(base)),
        masks: rowOf('v6.8+51b30ecb').masks,
        coherentAlignMask: rowOf('v6.8+cbf53074').coherentAlignMask,
      });
      expect(reason).toContain(`${base} with 04867a7a3332, cbf53074a528 and 51b30ecb73b4`);
    }
  });

  it('under its own name', () => {
    expect(placed('6.6.23').release.name).toBe('v6.6.23');
    expect(placed('6.12.94+deb13-amd64').release.name).toBe('v6.12.94');
    expect(placed('6.9-rc3').release.name).toBe('v6.9-rc3');
    expect(placed('6.12.0').release.name).toBe('v6.12');
  });
});

describe('what uname prints', () => {
  it.each([
    ['5.15.167-android14-11-g0123abcd', 'v5.15.167', '-android14-11-g0123abcd'],
    ['6.12.94+deb13-amd64', 'v6.10', '+deb13-amd64'],
    ['6.3.5-301.fc38.x86_64', 'v6.3', '-301.fc38.x86_64'],
    ['6.9.7-arch1-1', 'v6.9', '-arch1-1'],
    ['6.9.0-arch1-1', 'v6.9', '-arch1-1'],
    ['5.15.167.4-microsoft-standard-WSL2', 'v5.15.167', '.4-microsoft-standard-WSL2'],
    ['6.8.0-00123-gabcdef012345', 'v6.8', '-00123-gabcdef012345'],
    ['6.8.0-dirty', 'v6.8', '-dirty'],
    ['6.8.0+', 'v6.8', '+'],
    ['6.6.63-android15-8-g0123abcd', 'v6.6.63', '-android15-8-g0123abcd'],
    ['6.10-amd64', 'v6.10', '-amd64'],
    ['6.12.0-1-cloud-amd64', 'v6.10', '-1-cloud-amd64'],
  ])('%s is placed in %s, with a word on its builder', (name, row, suffix) => {
    const { release, reason } = placed(name);
    expect(policies(release)).toEqual(policies(rowOf(row)));
    expect(reason).toContain(`; what its builder changed (${suffix}) is not known`);
  });

  it.each([
    [
      'Linux (none) 6.1.0-56-amd64 #1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2 (2026-11-16) x86_64 GNU/Linux',
      'v6.1.192',
      'v6.1.192',
    ],
    ['6.1.0-21-amd64 #1 SMP PREEMPT_DYNAMIC Debian 6.1.83-1 (2024-04-15)', 'v6.1.83', 'v6.1'],
    [
      '[    0.000000] Linux version 5.10.0-46-amd64 (debian-kernel@lists.debian.org) (gcc-10 (Debian 10.2.1-6) 10.2.1) #1 SMP Debian 5.10.262-1 (2026-07-31)',
      'v5.10.262',
      'v5.10.223',
    ],
    [
      'Linux version 6.12.107+deb13-amd64 (x@y) (gcc 14) #1 SMP Debian 6.12.107-1 (2026-08-29)',
      'v6.12.107',
      'v6.10',
    ],
    ['6.6.0-rpi7-rpi-v8 #1 SMP PREEMPT Debian 1:6.6.51-1+rpt3 (2024-10-08)', 'v6.6.51', 'v6.6.63'],
    [
      'Linux host 6.12.107 #1 SMP Sat Nov 21 03:44:17 UTC 2026 aarch64 GNU/Linux',
      'v6.12.107',
      'v6.10',
    ],
    ['Ubuntu 6.5.0-45.45-generic 6.5.13', 'v6.5.13', 'v6.3'],
  ])('%s tells the version', (text, name, row) => {
    const { release } = placed(text);
    expect(release.name).toBe(name);
    expect(policies(release)).toEqual(policies(rowOf(row)));
  });

  it.each([
    ['6.1.0-56-amd64', 'which 6.1.y it is', 'v6.1.84', 'v6.1.192'],
    ['6.1.0-rpi7-rpi-v8', '6.1.0 to 6.1.83, 6.1.84 on', 'v6.1.84', 'v6.1.192'],
    ['5.15.0-119-generic', '/proc/version_signature', 'v5.15.154', 'v5.15.167'],
  ])('%s hides its version: the newest of the series, as a guess', (name, reason, like, row) => {
    const placement = placed(name);
    expect(placement.release.name).toBe(like);
    expect(policies(placement.release)).toEqual(policies(rowOf(row)));
    expect(placement.reason).toContain('a guess');
    expect(placement.reason).toContain(reason);
  });

  it.each([
    ['5.14.0-427.el9.x86_64', 'changes of later releases', ['v5.13', 'v5.15']],
    ['6.12.0-55.9.1.el10_0.x86_64', 'changes of later releases', ['v6.10']],
    ['5.15.0-200.131.27.el8uek.x86_64', 'changes of later releases', ['v5.15', 'v5.16']],
    ['5.14.21-150400.24.63-default', 'changes of later releases', ['v5.13', 'v5.15']],
    ['6.6.30-android15-8-g0123abcd', 'changes of later releases', ['v6.6', 'v6.6.63']],
    ['v7.3', 'v7.2 is the newest release that is known', ['v7.2']],
    ['7.3-rc7', '--kernel latest', ['v7.2']],
    ['8.0.1', 'the newest release', ['v7.2']],
    ['v5.9', 'v5.10 is the oldest release that is known', ['v5.10']],
    ['4.19.0-27-amd64', 'v5.10 is the oldest', ['v5.10']],
  ])('%s cannot be placed, and what is near is named', (name, reason, nearest) => {
    const refusal = refused(name);
    expect(refusal.reason).toContain(reason);
    expect(refusal.nearest).toEqual(nearest);
    expect(nearestReleases(name)).toEqual(nearest);
    for (const suggestion of nearest) expect(placed(suggestion)).toBeDefined();
  });
});

describe('what is no kernel', () => {
  it.each(['', 'bogus', 'v6.8+foo', '6.8foo', '6.8.1foo', '6', 'v6.', '1e3.2', '6.8.1.x;rm'])(
    '%j is not placed',
    (name) => {
      expect(placeRelease(name)?.release).toBeUndefined();
    },
  );

  test('gets the names that begin like it, or the nearest', () => {
    expect(nearestReleases('v6.8+')).toEqual(
      RELEASES.filter(({ name }) => name.startsWith('v6.8+')).map(({ name }) => name),
    );
    expect(nearestReleases('v6.8+wil-v1')).toEqual(['v6.8', 'v6.9']);
    expect(nearestReleases('will-v1')).toEqual(['v6.8+will-v1']);
  });
});

describe('the table', () => {
  test('has each row under a name of its own, and finds it by that', () => {
    expect(new Set(RELEASES.map(({ name }) => name)).size).toBe(RELEASES.length);
    for (const row of RELEASES) {
      expect(findRelease(row.name)).toBe(row);
      expect(findRelease(row.name.slice(1))).toBe(row);
      expect(placed(row.name)).toEqual({ release: row, reason: undefined });
    }
  });

  test('offers each mainline row once to a trace that does not name its kernel', () => {
    const names = candidateReleases().map(({ name }) => name);
    expect(names).toContain('v5.11');
    expect(names).toContain('v5.19');
    expect(names.at(-1)).toBe('v7.2');
    expect(latestRelease().name).toBe('v7.2');
    for (const name of names) expect(placed(name)).toBeDefined();
  });

  test('has one subject for a commit', () => {
    const subjects = new Map<string, string>();
    for (const { id, subject } of RELEASES.flatMap(({ commits }) => commits)) {
      expect(subjects.get(id) ?? subject).toBe(subject);
      subjects.set(id, subject);
    }
  });
});
