import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isPolicyPath } from '../../src/pipeline/policyFile.js';
import { PROJECT, swiotlbReplay } from '../support/cli.js';

const page = (name: string): string => readFileSync(join(PROJECT, 'docs', name), 'utf8');

/** The blocks of a page: their language, and their text. */
function blocksOf(text: string): { language: string; text: string }[] {
  return [...text.matchAll(/^```(\w*)\n(.*?)^```$/gms)].map(([, language, block]) => ({
    language,
    text: block,
  }));
}

/** A script that imports the package by its own name, as it is shipped. */
function run(script: string, ...args: string[]) {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--input-type=module', '-e', script, ...args],
    { cwd: PROJECT, encoding: 'utf8', env: { PATH: process.env.PATH } },
  );
  return { status, stdout, stderr };
}

describe('docs/library.md', () => {
  const blocks = blocksOf(page('library.md'));
  const examples = blocks.flatMap(({ language, text }, n) =>
    language === 'js' ? [{ script: text, output: blocks[n + 1].text }] : [],
  );

  test('has examples', () => expect(examples.length).toBeGreaterThan(3));

  test.each(examples)('has an example that prints what it says: $output', ({ script, output }) => {
    expect(run(script)).toEqual({ status: 0, stdout: output, stderr: '' });
  });

  test('names all that the package exports', () => {
    const names = run("console.log(Object.keys(await import('swiotlb-replay')).join('\\n'));");
    const exported = names.stdout.trim().split('\n');
    expect(exported.length).toBeGreaterThan(5);
    for (const name of exported) expect(page('library.md')).toContain(name);
  });
});

describe('docs/policies.md', () => {
  const text = page('policies.md');
  const blocks = blocksOf(text);

  test('shows the first fix as it is', () => {
    const [{ text: shown }] = blocks.filter(({ language }) => language === 'js');
    expect(page('policies/first-fix.mjs')).toContain(shown);
  });

  test('has commands that work', () => {
    const commands = [...text.matchAll(/^npx swiotlb-replay (.*)$/gm)].map(([, args]) => args);
    expect(commands.length).toBeGreaterThan(4);
    for (const command of commands) {
      const { status, stderr } = swiotlbReplay(command.split(' '));
      expect(stderr).toBe('');
      expect([0, 1]).toContain(status);
    }
  });

  test('says what the check says', () => {
    const { stdout } = swiotlbReplay([
      'check',
      'traces/',
      '--kernel',
      './docs/policies/stride-only.mjs',
    ]);
    const [shown] = blocks.filter((block) => block.text.startsWith('DIFFERS'));
    expect(stdout).toContain(shown.text);
  });

  test('has policies that the types allow, and a small one that works', () => {
    const [, small] = blocks.filter(({ language }) => language === 'js');
    const folder = mkdtempSync(join(tmpdir(), 'policy-'));
    const path = join(folder, 'wide.mjs');
    writeFileSync(path, small.text);
    expect(isPolicyPath(path)).toBe(true);
    const { stderr, stdout } = swiotlbReplay(['traces/page-bits/trace.csv', '--kernel', path]);
    rmSync(folder, { recursive: true });
    expect(stderr).toBe('');
    expect(stdout).toContain('on v6.12+wide-stride');
  });
});

describe('the types', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'types-'));
    mkdirSync(join(folder, 'node_modules'));
    symlinkSync(PROJECT, join(folder, 'node_modules', 'swiotlb-replay'));
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  /** What the compiler says of a program that knows nothing of Node.js. */
  function compile(text: string): string {
    writeFileSync(join(folder, 'program.ts'), text);
    const tsc = join(PROJECT, 'node_modules/.bin/tsc');
    const options =
      '--noEmit --strict --exactOptionalPropertyTypes --module nodenext --target es2022';
    try {
      const args = [...options.split(' '), '--lib', 'es2023', '--types', '', 'program.ts'];
      return execFileSync(tsc, args, { cwd: folder, encoding: 'utf8' });
    } catch (error) {
      return (error as { stdout: string }).stdout;
    }
  }

  test('fit the documented use, without the types of Node.js', () => {
    const program = `
      import { definePolicy, loadPolicy, readTrace, releases, replay, UserError, verify } from 'swiotlb-replay';
      import type { Policy, Report, Trace, TraceEvent, Verification } from 'swiotlb-replay';
      const policy: Policy = definePolicy({ name: 'a', base: 'v6.8', plan: ({ pageSize }, base) => ({ stride: base.stride, clearMask: pageSize - 1 }) });
      const trace: Trace = await readTrace(new Uint8Array(4), { pageSize: 4096, pools: [{ base: 0, nslabs: 64 }] });
      const ops: TraceEvent['op'][] = [...trace.events()].map(({ op }) => op);
      const report: Report = await replay(trace, { kernel: policy, devices: [{ name: '*', minAlignMask: 0xfff }] });
      const address: string | null | undefined = report.allocations?.[0]?.tlbAddr;
      const result: Verification = await verify('-', { kernel: await loadPolicy('./x.mjs') });
      const names: string[] = releases().map(({ name }) => name);
      const error: Error = new UserError('x');
      export { ops, address, result, names, error };
    `;
    expect(compile(program)).toBe('');
  });

  test('refuse what the functions refuse', () => {
    const said = compile(`
      import { definePolicy, replay } from 'swiotlb-replay';
      await replay('a', { kernal: 'v6.8' });
      definePolicy({ name: 'a', base: 'v6.8', plan: () => ({ stride: '1' }) });
    `);
    expect(said).toContain('kernal');
    expect(said).toContain("'string' is not assignable to type 'number'");
  });
});
