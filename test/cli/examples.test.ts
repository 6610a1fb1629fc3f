import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { COMMANDS } from '../../src/cli/commands.js';
import { PROJECT, swiotlbReplay } from '../support/cli.js';

const folder = mkdtempSync(join(tmpdir(), 'examples-'));
const programs = join(folder, 'programs');

/** The program in the PATH, and a folder that looks like the package's and may be written to. */
beforeAll(() => {
  mkdirSync(programs);
  const main = join(PROJECT, 'bin/swiotlb-replay.js');
  writeFileSync(
    join(programs, 'swiotlb-replay'),
    `#!/bin/sh\nexec "${process.execPath}" "${main}" "$@"\n`,
  );
  chmodSync(join(programs, 'swiotlb-replay'), 0o755);
  for (const name of ['traces', 'docs']) symlinkSync(join(PROJECT, name), join(folder, name));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** The examples that a help ends with, as they are printed. */
function examplesOf(...words: string[]): string[] {
  const { stdout } = swiotlbReplay([...words, '--help']);
  const [, examples = ''] = /\nExamples:\n((?: {2}.*\n?)+)/.exec(stdout) ?? [];
  return [...examples.matchAll(/^ {2}(.+)$/gm)].map(([, line]) => line);
}

describe('the examples of help', () => {
  test.each(COMMANDS.map(({ name }) => name))('work: %s', (name) => {
    const examples = examplesOf(name);
    expect(examples.length).toBeGreaterThan(0);
    for (const example of examples) {
      const { status, stderr } = spawnSync('bash', ['-o', 'pipefail', '-c', example], {
        cwd: folder,
        encoding: 'utf8',
        env: { ...process.env, PATH: `${programs}:${process.env.PATH}` },
        maxBuffer: 1 << 28,
      });
      expect(stderr, example).not.toMatch(/error|unknown|cannot/);
      expect([0, 1, 3], example).toContain(status);
    }
  });

  test('of the program are one of each command', () => {
    const first = COMMANDS.map(({ name }) => examplesOf(name)[0]);
    expect(examplesOf()).toEqual(first);
  });
});
