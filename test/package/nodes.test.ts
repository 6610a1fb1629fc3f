import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { PROJECT } from '../support/cli.js';

/** Other versions of Node.js, as paths with colons between them. */
const NODES = (process.env.SWIOTLB_NODES ?? '').split(':').filter((path) => path !== '');

const SEED = 'traces/double-allocation/trace.log';
const LIBRARY =
  "import { verify } from 'swiotlb-replay';" +
  `console.log(JSON.stringify(await verify('${SEED}', { kernel: 'v6.8' })));`;

/** Command lines that between them reach every part that a version of Node.js could change. */
const LINES: readonly string[][] = [
  ['--version'],
  ['--help'],
  ['diff', '--help'],
  [SEED],
  [SEED, '--json'],
  ['verify', 'traces/page-bits/trace.csv', '--kernel', './docs/policies/first-fix.mjs'],
  ['check', 'traces/', '--jobs', '2'],
  ['diff', SEED, '--old', 'v6.8', '--new', 'v6.9', '--output', 'markdown'],
  ['explain', 'traces/stepped-over/trace.csv', '--line', '17'],
  ['size', 'traces/fragmented/trace.csv', '--jobs', '2', '--json'],
  ['report', SEED, '--html', '-'],
  ['convert', SEED, '--to', 'perfetto'],
  ['generate', '--shape', 'nvme', '--events', '5000', '--seed', '7'],
  ['diagnose', 'traces/full-or-not/dmesg.log', '--json'],
  ['kernels', '--json'],
  ['replay', 'nosuch.csv'],
  ['replay', '--nosuch'],
];

/** What a command line gives; large outputs as a hash. */
function outcome(node: string, args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(node, args, { cwd: PROJECT, maxBuffer: 1 << 28 });
  const text = stdout.toString();
  const hash = createHash('sha256').update(stdout).digest('hex');
  return { status, stdout: text.length < 2000 ? text : hash, stderr: stderr.toString() };
}

describe.skipIf(NODES.length === 0)('every version of Node.js in SWIOTLB_NODES', () => {
  test.each(NODES)('gives the same bytes: %s', (node) => {
    expect(spawnSync(node, ['--version']).stdout?.toString()).toMatch(/^v\d+\./);
    for (const line of LINES) {
      const args = ['bin/swiotlb-replay.js', ...line];
      expect(outcome(node, args), line.join(' ')).toEqual(outcome(process.execPath, args));
    }
  });

  test.each(NODES)('has the same library: %s', (node) => {
    const args = ['--input-type=module', '--eval', LIBRARY];
    const theirs = outcome(node, args);
    expect(theirs).toEqual(outcome(process.execPath, args));
    expect(theirs.status).toBe(0);
  });
});

test.runIf(NODES.length === 0)('other versions of Node.js are not there', ({ skip }) => {
  skip('SWIOTLB_NODES names no other version: see docs/node.md');
});
