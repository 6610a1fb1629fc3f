import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { PROJECT, swiotlbReplay } from '../support/cli.js';
import { filesOf, linesOf } from '../support/iommuVectors.js';

const STORY = readFileSync(join(PROJECT, 'traces/iommu-lost-sync/trace.csv'), 'utf8');

/** A trace whose kernel is not told. */
function unnamed(text: string): string {
  return text.replace(/^#kernel .*$/m, '#kernel version= page_size=4096 cpus=1');
}

const run = (input: string, ...args: string[]) => swiotlbReplay([...args, '-'], { input });

describe('an IOMMU trace that does not name its kernel', () => {
  test('is replayed in the newest that gives every recorded row', () => {
    const { stdout, status } = run(unnamed(STORY));
    expect(stdout).toContain('kernel    v5.15, the newest that gives every recorded row');
    expect(status).toBe(1);
  });

  test.each(filesOf('iova').filter(({ name }) => /lazy-s|depot-s|exhaust-4k/.test(name)))(
    'is of one of the releases that recorded it: $name',
    ({ path }) => {
      const lines = linesOf(path);
      const identical = /identical=(\S+)/.exec(lines[1])?.[1].split(',') ?? [];
      const text = lines.join('\n').replace(/^(#kernel) version=\S+ identical=\S+/m, '$1 version=');
      const { kernel, mismatches } = JSON.parse(run(text, 'verify', '--json').stdout);
      expect(mismatches).toEqual([]);
      const ofIt = JSON.parse(run(text, 'identify', '--json').stdout).matches;
      expect(ofIt).toContain(kernel);
      expect(identical.length).toBeGreaterThan(0);
    },
  );

  test('is replayed in the latest where none does, or where it records nothing', () => {
    const wrong = unnamed(STORY).replace('0xfffff000+700', '0xeeeee000+700');
    expect(run(wrong).stdout).toContain('v7.2, the latest: no release gives all the recorded rows');
    const header = STORY.split('\n').slice(0, 6);
    const asked = '0.001,0,xhci,map_page,0,0x40200200,512,1,0x0,,,,,,,,,,';
    const { stdout } = run(unnamed([...header, asked, ''].join('\n')));
    expect(stdout).toContain('v7.2, the latest: the trace records no results');
  });

  test('has no recorded one', () => {
    const { stderr, status } = run(unnamed(STORY), '--kernel', 'recorded');
    expect(stderr).toContain(
      '<stdin>: the trace does not name its kernel: choose one with --kernel',
    );
    expect(status).toBe(2);
  });

  test('is replayed in the release that --kernel names', () => {
    expect(run(unnamed(STORY), 'verify', '--kernel', 'v5.14').stdout).toMatch(
      /^ok .* v5\.14: 7 of 7/,
    );
  });
});
