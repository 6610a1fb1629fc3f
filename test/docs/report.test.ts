import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { PROJECT, swiotlbReplay } from '../support/cli.js';

const page = readFileSync(join(PROJECT, 'docs/report.md'), 'utf8');

test('the page on reports shows what the program prints', () => {
  const shown = [...page.matchAll(/^```\n\$ swiotlb-replay ([^\n]*)\n(.*?)^```$/gms)];
  expect(shown).toHaveLength(1);
  for (const [, command, output] of shown) {
    expect(swiotlbReplay(command.split(' ')).stdout).toContain(`\n${output}`);
  }
});

test('the page on reports has the sections in the order of the program', () => {
  const { stdout } = swiotlbReplay(['traces/fragmented/trace.csv']);
  const printed = stdout.split('\n').filter((line) => /^[A-Z]\w+$/.test(line));
  const told = [...page.matchAll(/^## (.*)$/gm)].map(([, head]) => head);
  expect(told.filter((head) => printed.includes(head))).toEqual(printed);
});
