import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { CAUSES } from '../../src/analysis/cause.js';
import { RULES } from '../../src/check/rules.js';
import { EXPECT_SUFFIX, type Expectation } from '../../src/corpus/expectation.js';
import { PROJECT, swiotlbReplay } from '../support/cli.js';
import { filesOf, STORIES } from '../support/stories.js';

const textOf = (...path: string[]): string =>
  readFileSync(join(PROJECT, 'traces', ...path), 'utf8');

/** Rules and causes that the expectations of a trace have. */
function expectedOf(story: string, trace: string): Set<string> {
  const shown = new Set<string>();
  const { cases }: Expectation = JSON.parse(textOf(story, trace + EXPECT_SUFFIX));
  for (const { findings = [], addresses = [] } of cases) {
    for (const { rule } of findings) shown.add(rule);
    for (const { address } of addresses) {
      const [, cause] = /^failed: (.+)$/.exec(address) ?? [];
      if (cause !== undefined) shown.add(cause);
    }
  }
  return shown;
}

/** Rules of the findings in the replays of a story's traces: for stories that nothing is expected of. */
function replayedOf(story: string): Set<string> {
  const traces = filesOf(story).filter((name) => /^trace\.\w+$/.test(name));
  return new Set(
    traces.flatMap((name) => {
      const { stdout } = swiotlbReplay([join('traces', story, name), '--json']);
      return Object.keys(JSON.parse(stdout).summary.findings);
    }),
  );
}

/**
 * What a story shows. That buffers are live at the end is told of nearly every short trace; a story is
 * about it where there is nothing else, or where the mended trace has none.
 */
function shownBy(story: string): Set<string> {
  const traces = filesOf(story).filter((name) => filesOf(story).includes(name + EXPECT_SUFFIX));
  if (traces.length === 0) return replayedOf(story);
  const shown = new Set(traces.flatMap((trace) => [...expectedOf(story, trace)]));
  const isMended = traces.includes('fixed.csv') && !expectedOf(story, 'fixed.csv').has('leak');
  if (shown.size > 1 && !isMended) shown.delete('leak');
  return shown;
}

const SHOWN = new Map(STORIES.map((story) => [story, shownBy(story)]));

describe('the stories', () => {
  const shown = new Set([...SHOWN.values()].flatMap((each) => [...each]));

  test.each(Object.keys(RULES))('show the rule %s', (rule) => {
    expect(shown).toContain(rule);
  });

  test.each(CAUSES)('show the cause %s', (cause) => {
    expect(shown).toContain(cause);
  });

  test.each(STORIES)('%s has two lines on what it shows and where it comes from', (story) => {
    expect(textOf(story, 'README.md').trimEnd().split('\n')).toHaveLength(2);
  });
});

describe('the table of stories', () => {
  const rows = textOf('README.md')
    .split('\n')
    .filter((line) => line.startsWith('| ['))
    .map((line) => line.split('|').map((cell) => cell.trim()));

  test('has every story once, by name', () => {
    expect(rows.map(([, link]) => link)).toEqual(STORIES.map((name) => `[${name}](${name})`));
  });

  test.each(STORIES)('tells the rules and causes of %s', (story) => {
    const order: string[] = [...Object.keys(RULES), ...CAUSES];
    const shown = [...(SHOWN.get(story) ?? [])].sort((a, b) => order.indexOf(a) - order.indexOf(b));
    const row = rows.find(([, link]) => link === `[${story}](${story})`);
    expect(row?.[3]).toBe(shown.map((word) => `\`${word}\``).join(' '));
    expect(row?.[2]).not.toBe('');
  });
});
