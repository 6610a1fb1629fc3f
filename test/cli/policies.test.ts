import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { swiotlbReplay } from '../support/cli.js';

const SEED = 'traces/double-allocation/trace.log';
const FREED = 'traces/freed-neighbour/trace.csv';
const FIRST_FIX = './docs/policies/first-fix.mjs';
const WRONG = './docs/policies/stride-only.mjs';

const folder = mkdtempSync(join(tmpdir(), 'policies-'));
afterAll(() => rmSync(folder, { recursive: true }));

function policy(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const json = (...args: string[]) => JSON.parse(swiotlbReplay([...args, '--json']).stdout);

/** What policies of the folder leave behind when they are run. */
const RAN = join(folder, 'ran');
const LEAVES_A_TRACE = `import { writeFileSync } from 'node:fs';
writeFileSync(${JSON.stringify(RAN)}, '');
export const base = 'v6.8';
export const plan = () => ({});`;

describe('a policy file', () => {
  test.each([
    'contradicting-masks/trace.csv',
    'double-allocation/trace.log',
    'freed-neighbour/trace.csv',
    'page-bits/trace.csv',
    'returned-late/trace.txt',
  ])('gives in the story %s what the patched kernel gives', (story) => {
    const [policed, patched] = [FIRST_FIX, 'v6.8+will-v1'].map((kernel) =>
      json('replay', `traces/${story}`, '--kernel', kernel),
    );
    expect(policed.allocations).toEqual(patched.allocations);
    expect(policed.summary).toEqual(patched.summary);
  });

  test('is named in the report, with its base', () => {
    expect(json('replay', SEED, '--kernel', FIRST_FIX)).toMatchObject({
      kernel: 'v6.8+first-fix',
      kernelReason: 'the policy of ./docs/policies/first-fix.mjs on top of v6.8',
    });
    expect(swiotlbReplay([SEED, '--kernel', FIRST_FIX]).stdout).toMatch(
      /on v6\.8\+first-fix: 3 warnings\n/,
    );
  });

  test('is verified, compared and explained like a release', () => {
    const verified = swiotlbReplay(['verify', SEED, '--kernel', FIRST_FIX]);
    expect(verified).toMatchObject({ status: 1, stderr: '' });
    expect(verified.stdout).toContain('recorded 0x98326800, v6.8+first-fix gives 0x98327000');
    const same = swiotlbReplay(['diff', SEED, '--old', 'v6.8+will-v1', '--new', FIRST_FIX]);
    expect(same.status).toBe(0);
    const diff = json('diff', SEED, '--old', WRONG, '--new', FIRST_FIX);
    expect(diff).toMatchObject({
      old: { kernel: 'v6.8+stride-only' },
      new: { kernel: 'v6.8+first-fix' },
    });
    const explained = swiotlbReplay(['explain', SEED, '--line', '2', '--kernel', FIRST_FIX]);
    expect(explained.stdout).toContain('stride from plan() of ./docs/policies/first-fix.mjs');
  });

  test('serves the bounce buffers behind an IOMMU', () => {
    const bounced = 'traces/iommu-padding-leak/trace.csv';
    expect(json('replay', bounced, '--kernel', FIRST_FIX).kernel).toBe('v6.8+first-fix');
    const bad = policy('behind.mjs', "export const base = 'v5.14'; export const plan = () => 1;");
    expect(swiotlbReplay([bounced, '--kernel', bad]).stderr).toMatch(
      /plan\(\) gave 1, not an object, for the request of line \d+ /,
    );
  });
});

describe('a policy that fails', () => {
  const plan = (body: string): string =>
    `export const base = 'v6.8';\nexport function plan() {\n${body}\n}\n`;
  test.each([
    [
      'throws.mjs',
      plan('  return nothing.at.all;'),
      'ReferenceError: nothing is not defined (throws.mjs:3)',
    ],
    [
      'broken.mjs',
      'export const a = 1;\nexport functon plan() {}\n',
      'line 2: export functon plan',
    ],
    ['top.mjs', 'const a = 1;\nthrow new Error("no");', 'cannot be loaded: Error: no (top.mjs:2)'],
    ['needs.mjs', "import 'no-such-package-of-anybody';", "Cannot find package 'no-such-package"],
    [
      'late.mjs',
      "export const base = 'v6.8';\nexport const plan = async () => { throw 1; };",
      'gave a promise',
    ],
    ['escape.mjs', plan("  throw new Error('\\x1b[31mred');"), 'Error: \\x1b[31mred'],
  ])('is told of with the file, and no stack: %s', (name, text, words) => {
    const { status, stdout, stderr } = swiotlbReplay([FREED, '--kernel', policy(name, text)]);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(/^swiotlb-replay: .*\n$/);
    expect(stderr).toContain(`${join(folder, name)}: `);
    expect(stderr).toContain(words);
  });

  test('by never returning is ended, with the line that it was asked for', () => {
    const text =
      "export const base = 'v6.8'; let n = 0; export function plan() { while (n > 3); n++; return {}; }";
    const path = policy('endless.mjs', text);
    const { status, stderr } = swiotlbReplay([FREED, '--kernel', path]);
    expect(status).not.toBe(0);
    expect(stderr).toMatch(
      /endless\.mjs: plan\(\), for the request of line \d+, has not come to an end/,
    );
  });

  test('by never loading is ended', () => {
    const { status, stderr } = swiotlbReplay([FREED, '--kernel', policy('loop.mjs', 'for (;;);')]);
    expect(status).not.toBe(0);
    expect(stderr).toContain('loop.mjs: loading it has not come to an end');
  });
});

describe('a policy is run', () => {
  const path = policy('ran.mjs', LEAVES_A_TRACE);
  const hasRun = (...args: string[]): boolean => {
    rmSync(RAN, { force: true });
    const { status } = swiotlbReplay(args);
    expect(status).not.toBeNull();
    try {
      readFileSync(RAN);
      return true;
    } catch {
      return false;
    }
  };

  test('where --kernel, --old or --new names its path', () => {
    expect(hasRun(FREED, '--kernel', path)).toBe(true);
    expect(hasRun('diff', FREED, '--old', 'v6.8', '--new', path)).toBe(true);
    expect(hasRun('check', FREED, '--kernel', path)).toBe(true);
  });

  test('never because a trace, an expectation or a script for capture names it', () => {
    const trace = join(folder, 'trace.csv');
    const text = readFileSync(FREED, 'utf8').replace(/version=\S+/, `version=${path}`);
    writeFileSync(trace, text);
    expect(text).toContain(path);
    expect(hasRun(trace)).toBe(false);
    expect(hasRun(trace, '--kernel', 'recorded')).toBe(false);
    expect(hasRun('capture', '--kernel', path)).toBe(false);
    writeFileSync(trace, readFileSync(FREED));
    const expected = { schema: 'swiotlb-replay/expect@1', cases: [{ kernel: path }] };
    writeFileSync(`${trace}.expect.json`, JSON.stringify(expected));
    expect(hasRun('check', trace)).toBe(false);
    expect(hasRun('check', trace, '--update')).toBe(false);
    const { status, stdout } = swiotlbReplay(['check', trace]);
    expect(status).toBe(2);
    expect(stdout.replace(/\s+/g, ' ')).toContain('a policy file counts only where --kernel');
  });

  test('under its path alone', () => {
    const { status, stderr } = swiotlbReplay([FREED, '--kernel', 'first-fix.mjs']);
    expect(status).toBe(2);
    expect(stderr).toContain(
      'unknown kernel first-fix.mjs: a policy file is named with its path: ./first-fix.mjs',
    );
    expect(swiotlbReplay([FREED, '--kernel', './none.mjs']).stderr).toContain(
      'there is no such policy file',
    );
  });

  test('of two that are called alike, neither', () => {
    const other = policy(
      'stride-only.mjs',
      "export const base = 'v6.8'; export const plan = () => ({});",
    );
    const { status, stderr } = swiotlbReplay(['diff', FREED, '--old', WRONG, '--new', other]);
    expect(status).toBe(2);
    expect(stderr).toContain('are both called v6.8+stride-only: rename one');
  });
});
