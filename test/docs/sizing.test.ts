import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { PROJECT, swiotlbReplay } from '../support/cli.js';

const page = readFileSync(join(PROJECT, 'docs/sizing.md'), 'utf8');
const COMMANDS = [...page.matchAll(/^npx swiotlb-replay (size traces\/.*)$/gm)].map(
  ([, args]) => args,
);

describe('the page on sizing', () => {
  test.each(COMMANDS)('shows a command that works: %s', (command) => {
    const args = command.split(' ').map((arg) => arg.replace(/^'(.*)'$/, '$1'));
    const { status, stdout, stderr } = swiotlbReplay(args);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).not.toBe('');
  });

  test('shows some', () => {
    expect(COMMANDS.length).toBeGreaterThan(3);
  });
});
