import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { COMMANDS } from '../../src/cli/commands.js';
import { PROJECT, swiotlbReplay } from '../support/cli.js';

const folder = mkdtempSync(join(tmpdir(), 'start-'));
const tell = join(folder, 'tell.cjs');
writeFileSync(
  tell,
  "process.on('exit', () => process.stderr.write(JSON.stringify(Object.keys(require.cache))));",
);
afterAll(() => rmSync(folder, { recursive: true }));

/** The files that a command line loads. */
function loadedBy(...words: string[]): string[] {
  const args = ['--require', tell, 'bin/swiotlb-replay.js', ...words];
  const { stderr } = spawnSync(process.execPath, args, { cwd: PROJECT, encoding: 'utf8' });
  const files: string[] = JSON.parse(stderr);
  return files.filter((file) => file !== tell).map((file) => basename(file));
}

describe('the start', () => {
  test.each(['--version', '--help'])('loads commander and little else for %s', (word) => {
    const loaded = loadedBy(word);
    expect(loaded).toContain('main.js');
    expect(loaded.length).toBeLessThan(6);
    expect(loaded).not.toContain('model.js');
  });

  test('loads the command that is named, and no other', () => {
    const loaded = loadedBy('verify', '--help');
    expect(loaded).toContain('verifyCommand.js');
    expect(loaded.filter((name) => /Command\.js$/.test(name))).toHaveLength(1);
  });
});

describe('help', () => {
  test('has a line for each command, whose own help tells more', () => {
    const { stdout } = swiotlbReplay(['--help']);
    for (const { name } of COMMANDS) {
      expect(stdout).toMatch(new RegExp(`^ {2}${name}\\b`, 'm'));
      const own = swiotlbReplay([name, '--help']);
      expect(own.status).toBe(0);
      expect(own.stdout).toMatch(new RegExp(`^Usage: swiotlb-replay ${name} \\[options\\]`));
    }
  });

  test('is the same before and after a command, and by itself', () => {
    const { stdout } = swiotlbReplay(['diff', '--help']);
    expect(stdout).toContain('--only-regressions');
    expect(swiotlbReplay(['help', 'diff']).stdout).toBe(stdout);
    expect(swiotlbReplay(['help']).stdout).toBe(swiotlbReplay(['--help']).stdout);
  });

  test('of what is no command is wrong usage', () => {
    const { status, stdout, stderr } = swiotlbReplay(['help', 'nosuch']);
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toContain("unknown command 'nosuch'");
  });
});
