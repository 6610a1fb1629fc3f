import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { shapesOf } from '../../src/cli/completion/shape.js';
import { completeAll, createProgram } from '../../src/cli/program.js';
import { FORMATS } from '../../src/formats/table.js';
import { RELEASES } from '../../src/kernel/releases.js';
import { PROJECT, swiotlbReplay } from '../support/cli.js';

const SHELLS = ['bash', 'zsh', 'fish'] as const;
const folder = mkdtempSync(join(tmpdir(), 'completion-'));
const fileOf = (shell: string): string => join(folder, `script.${shell}`);

beforeAll(() => {
  for (const shell of SHELLS) {
    const { status, stdout } = swiotlbReplay(['completion', shell]);
    expect(status).toBe(0);
    writeFileSync(fileOf(shell), stdout);
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

function isInstalled(shell: string): boolean {
  return spawnSync(shell, ['-c', 'exit 0']).status === 0;
}

/** What bash offers for the last of these words; none where it would offer files. */
function bashOffers(...words: string[]): string[] {
  const script = `source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); compopt() { :; }
    _swiotlb_replay || exit 9; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const args = ['--norc', '-c', script, 'bash', fileOf('bash'), 'swiotlb-replay', ...words];
  const { status, stdout, stderr } = spawnSync('bash', args, { cwd: PROJECT, encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(status).toBe(0);
  return stdout.split('\n').filter((line) => line !== '');
}

describe('bash', () => {
  test('is offered commands', () => {
    expect(bashOffers('ver')).toEqual(['verify']);
    expect(bashOffers('--no-color', 'ver')).toEqual(['verify']);
    expect(bashOffers('help', 'ver')).toEqual(['verify']);
  });

  test('is offered options of the command, and of the first without one', () => {
    expect(bashOffers('verify', '--inp')).toEqual(['--input-format']);
    expect(bashOffers('verify', '--fail')).toEqual([]);
    expect(bashOffers('--fail')).toEqual(['--fail-on']);
    expect(bashOffers('traces/', '--fail')).toEqual(['--fail-on']);
  });

  test('is offered the values of options', () => {
    expect(bashOffers('verify', '--input-format', 'dev')).toEqual(['dev-dbg']);
    expect(bashOffers('verify', '--kernel', 'v6.8+w')).toEqual(['v6.8+will-v1']);
    expect(bashOffers('diff', '--old', 'v6.9')).toEqual(['v6.9']);
    expect(bashOffers('check', '--output', '=', 'ju')).toEqual(['junit']);
    expect(bashOffers('check', '--output', '=')).toContain('ktap');
    expect(bashOffers('completion', 'z')).toEqual(['zsh']);
  });

  test('is left to offer files', () => {
    expect(bashOffers('verify', 'tra')).toEqual([]);
    expect(bashOffers('verify', '-o', 'ver')).toEqual([]);
  });

  test('knows the script when it loads it', () => {
    const script = `source ${fileOf('bash')}; complete -p swiotlb-replay`;
    const { stdout } = spawnSync('bash', ['--norc', '-c', script], { encoding: 'utf8' });
    expect(stdout).toBe('complete -o default -F _swiotlb_replay swiotlb-replay\n');
  });
});

describe('the scripts', () => {
  test.for(SHELLS)('have no fault that %s finds', (shell, { skip }) => {
    if (!isInstalled(shell)) skip(`no ${shell} here`);
    const { status, stderr } = spawnSync(shell, ['-n', fileOf(shell)], { encoding: 'utf8' });
    expect([status, stderr]).toEqual([0, '']);
  });

  test('complete in fish', ({ skip }) => {
    if (!isInstalled('fish')) skip('no fish here');
    const offers = (line: string): string[] => {
      const script = `source ${fileOf('fish')}; complete -C '${line}'`;
      const { stdout } = spawnSync('fish', ['--no-config', '-c', script], {
        cwd: PROJECT,
        encoding: 'utf8',
      });
      return [...stdout.matchAll(/^[^\t\n]+/gm)].map(([word]) => word);
    };
    expect(offers('swiotlb-replay ver')).toEqual(['verify']);
    expect(offers('swiotlb-replay verify --inp')).toEqual(['--input-format']);
    expect(offers('swiotlb-replay verify --input-format dev')).toEqual(['dev-dbg']);
    expect(offers('swiotlb-replay --fail')).toEqual(['--fail-on']);
    expect(offers('swiotlb-replay verify tra')).toEqual(['traces/']);
    expect(offers('swiotlb-replay kernels tra')).toEqual([]);
  });
});

test('a shell is told of every command, option and choice', async () => {
  const program = createProgram();
  await completeAll(program);
  const shapes = shapesOf(program);
  expect(shapes.map(({ name }) => name)).toEqual(program.commands.map((each) => each.name()));
  const verify = shapes.find(({ name }) => name === 'verify');
  const following = (long: string) => verify?.options.find((each) => each.long === long)?.value;
  expect(following('--kernel')).toMatchObject({
    kind: 'releases',
    words: expect.arrayContaining(RELEASES.map(({ name }) => name)),
  });
  expect(following('--input-format')).toMatchObject({
    kind: 'words',
    words: expect.arrayContaining(FORMATS.map(({ name }) => name)),
  });
  expect(following('--dmesg')).toEqual({ kind: 'file' });
  expect(following('--pool')).toEqual({ kind: 'free' });
  expect(following('--strict')).toBeUndefined();
});
