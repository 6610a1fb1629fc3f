import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { completeAll, createProgram } from '../../src/cli/program.js';
import { PROJECT } from '../support/cli.js';

const PAGE = join(PROJECT, 'dist/man/swiotlb-replay.1');
const program = createProgram();
beforeAll(() => completeAll(program));

/** The page as a reader sees it, on one line. */
function render(command: string, ...args: string[]): string | undefined {
  const { status, stdout, stderr } = spawnSync(command, args, {
    encoding: 'utf8',
    env: { ...process.env, MANWIDTH: '400', LC_ALL: 'C.UTF-8' },
  });
  if (status === null) return undefined;
  expect([status, stderr]).toEqual([0, '']);
  return stdout.replace(/\s+/g, ' ');
}

describe('the manual page', () => {
  test('has every command, option and environment variable', () => {
    const text = readFileSync(PAGE, 'utf8').replaceAll('\\-', '-');
    for (const command of program.commands.filter((each) => each.name() !== 'help')) {
      expect(text).toContain(`\n.SS ${command.name()}\n`);
      for (const { flags } of command.options) expect(text).toContain(`\n.B ${flags}\n`);
    }
    for (const word of ['NO_COLOR', 'FORCE_COLOR', 'DEBUG=']) expect(text).toContain(word);
  });

  test('says nothing of the machine that it was made on', () => {
    const text = readFileSync(PAGE, 'utf8');
    expect(text).not.toContain(PROJECT);
    expect(text).not.toMatch(/20[2-9]\d/);
    expect(text).toContain('one for each processor');
  });

  test('is shown by man as it was meant', ({ skip }) => {
    const text = render('man', '-P', 'cat', '-l', PAGE);
    if (text === undefined) return skip('no man here');
    expect(text).toContain('swiotlb-replay verify [OPTION]... <trace...>');
    expect(text).toContain('GLOB:K=V');
    expect(text).toContain('capture --kernel "$(uname -r)" > capture.sh');
  });

  test('has nothing that groff warns of', ({ skip }) => {
    if (render('groff', '-man', '-ww', '-z', PAGE) === undefined) skip('no groff here');
  });

  test('has nothing that mandoc finds wrong', ({ skip }) => {
    if (render('mandoc', '-T', 'lint', '-W', 'error', PAGE) === undefined) skip('no mandoc here');
  });
});
