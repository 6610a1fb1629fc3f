import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CaseResult, CheckResult } from '../../src/corpus/result.js';
import { PROJECT, swiotlbReplay } from '../support/cli.js';

const FIRST_FIX = './docs/policies/first-fix.mjs';
const WRONG = './docs/policies/stride-only.mjs';

/** Those about the alignment that the releases around v6.8 got wrong. */
const STORIES = ['contradicting-masks', 'double-allocation', 'freed-neighbour', 'page-bits'].map(
  (story) => `traces/${story}`,
);

const check = (...args: string[]) => swiotlbReplay(['check', ...args]);

/** The cases of a check by their traces' folders. */
function casesOf(...args: string[]): Map<string, CaseResult[]> {
  const { traces }: CheckResult = JSON.parse(check(...args, '--json').stdout);
  return new Map(traces.map(({ trace, cases }) => [trace.split('/').at(-2) ?? '', cases]));
}

function failedIn(cases: Map<string, CaseResult[]>): string[] {
  return [...cases].filter(([, [one]]) => one?.status === 'failed').map(([story]) => story);
}

describe('the stories, replayed in another kernel', () => {
  test('hold of what came after the newest that they know', () => {
    expect(check(...STORIES, '--kernel', 'v7.2')).toMatchObject({ status: 0, stderr: '' });
  });

  test('show what the first fix left to be mended', () => {
    const cases = casesOf(...STORIES, '--kernel', FIRST_FIX);
    expect(failedIn(cases)).toEqual(['contradicting-masks', 'double-allocation']);
    const rules = cases.get('double-allocation')?.[0].differences.map(({ rule }) => rule);
    expect(new Set(rules)).toEqual(new Set(['natural-alignment']));
  });

  test('find the wrong fix', () => {
    const { status, stdout } = check(...STORIES, '--kernel', WRONG);
    expect(status).toBe(1);
    expect(stdout).toContain(
      'DIFFERS  traces/double-allocation/trace.log  v6.8+stride-only held against v6.9',
    );
    const wrong = casesOf(...STORIES, '--kernel', WRONG);
    expect(failedIn(wrong)).toContain('freed-neighbour');
    const [freed] = wrong.get('freed-neighbour') ?? [];
    expect(freed.differences).toContainEqual(
      expect.objectContaining({ rule: 'wrong-free', line: 9, expected: 'none' }),
    );
    expect(freed.differences.map(({ rule }) => rule)).not.toContain('address');
  });

  test('give results that hold against the schema, whatever the number of threads', () => {
    const schema = JSON.parse(readFileSync(join(PROJECT, 'docs/schema/check-1.json'), 'utf8'));
    const args = [...STORIES, '--kernel', WRONG, '--kernel', 'v6.9', '--json'];
    const [many, one] = [check(...args), check(...args, '--jobs', '1')];
    expect(many).toEqual(one);
    const result: CheckResult = JSON.parse(one.stdout);
    expect(new Ajv().compile(schema)(result)).toBe(true);
    const names = result.traces.flatMap(({ cases }) => cases.map(({ name }) => name));
    expect(names).toContain('v6.9 held against v6.9');
    expect(names).toContain('v6.8+stride-only held against v6.9');
  });

  test('tell of every difference with --exact, and of the release that --against names', () => {
    const story = 'traces/page-bits';
    expect(check(story, '--kernel', FIRST_FIX, '--against', 'v6.8').status).toBe(0);
    const [exact] = casesOf(story, '--kernel', FIRST_FIX, '--against', 'v6.8', '--exact').values();
    expect(exact[0].name).toBe('v6.8+first-fix held against v6.8');
    expect(exact[0].differences.map(({ rule }) => rule)).toContain('address');
    const same = check(story, '--kernel', 'v6.7', '--against', 'v6.8', '--exact');
    expect(same).toMatchObject({ status: 0, stdout: '1 of 1 case as expected\n' });
    expect(check(story, '--kernel', 'v6.7', '--against', 'v5.19')).toMatchObject({
      status: 3,
      stdout: expect.stringContaining('nothing is expected of v5.19'),
    });
  });
});

describe('a check with a kernel', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'check-'));
    writeFileSync(
      join(folder, 'a.csv'),
      '#swiotlb-trace 1\n#pool name=default base=0x80000000 nslabs=1024\ndev,op,orig_addr,size\nsda,map,0x1000,4096\n',
    );
    const cases = [{ kernel: 'v6.9', options: { devices: ['sda:min_align_mask=0xfff'] } }];
    const expected = { schema: 'swiotlb-replay/expect@1', cases };
    writeFileSync(join(folder, 'a.csv.expect.json'), JSON.stringify(expected));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test('tells of one that is not known', () => {
    const { status, stderr } = check(folder, '--kernel', 'v4.19');
    expect(status).toBe(2);
    expect(stderr).toContain('unknown kernel v4.19');
  });

  test.each([['--exact'], ['--against', 'v6.9']])('needs one for %s', (...options) => {
    const { status, stderr } = check(folder, ...options);
    expect(status).toBe(2);
    expect(stderr).toContain('--against and --exact go with --kernel');
  });

  test('makes a policy’s failure an error of each case', () => {
    const path = join(folder, 'bad.mjs');
    writeFileSync(path, "export const base = 'v6.9'; export const plan = () => ({ stride: -1 });");
    const { status, stdout } = check(folder, '--kernel', path);
    expect(status).toBe(2);
    expect(stdout.replace(/\s+/g, ' ')).toContain('plan() gave stride -1, not a whole number');
  });

  test('keeps the options of the case', () => {
    const [cases] = casesOf(folder, '--kernel', 'v6.8').values();
    expect(cases[0]).toMatchObject({
      name: 'v6.8 held against v6.9 --device=sda:min_align_mask=0xfff',
      kernel: 'v6.8',
      status: 'passed',
    });
  });
});
