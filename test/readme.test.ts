import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { PROJECT, swiotlbReplay } from './support/cli.js';

describe('the README', () => {
  const readme = readFileSync(join(PROJECT, 'README.md'), 'utf8');
  const blocks = [...readme.matchAll(/^```\n(.*?)^```$/gms)].map(([, block]) => block);
  const commands = blocks
    .flatMap((block) => block.split('\n'))
    .flatMap((line) => /npx swiotlb-replay (.*)$/.exec(line)?.[1] ?? []);

  test('shows what the program prints for the seed trace', () => {
    expect(commands[0]).toBe('traces/double-allocation/trace.log');
    expect(blocks[1]).toBe(swiotlbReplay([commands[0]]).stdout);
  });

  test.each(commands)('shows a command that works: %s', (command) => {
    const args = command.split(' ').map((arg) => arg.replace(/^'(.*)'$/, '$1'));
    const { status, stderr } = swiotlbReplay(args);
    expect(stderr).toBe('');
    expect([0, 1]).toContain(status);
  });

  test('shows the picture that its command draws', () => {
    const [, words] =
      /swiotlb-replay (generate .*) \| swiotlb-replay (?=report - --plot occupancy$)/m.exec(
        readme,
      ) ?? [];
    const { stdout: input } = swiotlbReplay(words.split(' '));
    const { stdout } = swiotlbReplay(['report', '-', '--plot', 'occupancy'], { input });
    expect(readme).toContain('](docs/images/occupancy.svg)');
    expect(stdout).toBe(readFileSync(join(PROJECT, 'docs/images/occupancy.svg'), 'utf8'));
  });

  test('shows a canonical trace that is read without a complaint', () => {
    const trace = /^ {2}#swiotlb-trace 1\n(?: {2}.*\n)+/m.exec(readme)?.[0].replace(/^ {2}/gm, '');
    const { stdout } = swiotlbReplay(['verify', '-', '--strict', '--json'], { input: trace ?? '' });
    expect(JSON.parse(stdout)).toMatchObject({ recorded: 1, reproduced: 1, mismatches: [] });
  });
});
