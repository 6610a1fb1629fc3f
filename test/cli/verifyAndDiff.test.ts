import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { PROJECT, swiotlbReplay } from '../support/cli.js';

const SEED = 'traces/double-allocation/trace.log';
const PAGE_BITS = 'traces/page-bits/trace.csv';
const VECTOR = 'test/vectors/swiotlb/v6.9_p4096_a4_003.csv.gz';

describe('verify', () => {
  test('is silent about nothing and ends with 0 where every address is reproduced', () => {
    const { status, stdout } = swiotlbReplay(['verify', SEED, '--kernel', 'v6.8']);
    expect(status).toBe(0);
    expect(stdout).toBe(`ok  ${SEED}  v6.8: 3 of 3 recorded results reproduced\n`);
  });

  test('shows the first line that differs, and ends with 1', () => {
    const { status, stdout } = swiotlbReplay(['verify', SEED, '--kernel', 'v6.9']);
    expect(status).toBe(1);
    expect(stdout).toContain('line 1  0000:00:07.0: recorded 0x98326800, v6.9 gives 0x98328000');
  });

  test('prints one object per trace and line with --json', () => {
    const { status, stdout } = swiotlbReplay(['verify', SEED, VECTOR, '--json']);
    const results = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(status).toBe(0);
    expect(results).toEqual([
      {
        schema: 'swiotlb-replay/verify@1',
        path: SEED,
        format: 'dev-dbg',
        kernel: 'v6.8',
        events: 3,
        recorded: 3,
        reproduced: 3,
        assumed: 0,
        incomplete: false,
        mismatches: [],
        expect: null,
      },
      expect.objectContaining({
        path: VECTOR,
        format: 'csv',
        kernel: 'v6.9',
        recorded: 913,
        reproduced: 913,
        expect: { ok: true, differences: [] },
      }),
    ]);
  });

  test('ends with 1 where only an #expect line differs', () => {
    const trace = `${readFileSync(join(PROJECT, PAGE_BITS), 'utf8')}#expect used=5 index=6\n`;
    const { status, stdout } = swiotlbReplay(['verify', '-', '--json'], { input: trace });
    expect(status).toBe(1);
    expect(JSON.parse(stdout).expect).toEqual({
      ok: false,
      differences: ['line 9: pool default: used is 4, not 5'],
    });
  });

  test('ends with 3 where nothing is recorded', () => {
    const { status, stdout } = swiotlbReplay(['verify', '-'], {
      input: '#pool base=0x80000000 nslabs=64\ndev,op,orig_addr,size\nd,map,0x1000,512\n',
    });
    expect(status).toBe(3);
    expect(stdout).toContain('nothing to verify');
  });
});

describe('diff', () => {
  test('shows both addresses side by side and the findings that vanish', () => {
    const { status, stdout } = swiotlbReplay(['diff', SEED, '--old', 'v6.8', '--new', 'v6.9']);
    expect(status).toBe(1);
    expect(stdout).toMatch(/1 +alloc +0000:00:07\.0 +8192 +0x98326800 +0x98328000/);
    expect(stdout).toContain('3 of 3 addresses differ, 8 findings fewer');
    expect(stdout).toMatch(
      /Vanish with v6\.9: 8 findings\n +error +double-allocated-page \(2\): .*\n +line 2 +0000:00:07\.0: page/,
    );
  });

  test('gives the same as JSON', () => {
    const { stdout } = swiotlbReplay(['diff', SEED, '--old', 'v6.8', '--new', 'v6.9', '--json']);
    const diff = JSON.parse(stdout);
    expect(diff).toMatchObject({ schema: 'swiotlb-replay/diff@1', requests: 3, different: 3 });
    expect(diff.allocations[2]).toMatchObject({ line: 3, old: '0x9832a800', new: '0x9832c000' });
    expect(diff.vanished).toHaveLength(8);
    expect(diff.appeared).toEqual([]);
  });

  test('tells refusals from addresses, and shows what appears when read the other way', () => {
    const { stdout } = swiotlbReplay(['diff', PAGE_BITS, '--old', 'v6.12', '--new', 'v6.8']);
    expect(stdout).toMatch(/8 +map +0000:00:1f\.2 +262144 +0x80040000 +failed/);
    expect(stdout).toMatch(/Appear with v6\.8: \d findings/);
  });

  test('ends with 0 where nothing differs', () => {
    const { status, stdout } = swiotlbReplay(['diff', SEED, '--old', 'v6.9', '--new', 'v6.12']);
    expect(status).toBe(0);
    expect(stdout).toContain('no difference');
  });

  test('needs both releases', () => {
    expect(swiotlbReplay(['diff', SEED, '--old', 'v6.8']).status).toBe(2);
  });
});

describe('kernels', () => {
  test('lists the table with its commits', () => {
    const { stdout } = swiotlbReplay(['kernels']);
    for (const word of ['v6.8', 'v6.8+will-v1', 'v6.9', 'v6.10', '04867a7a3332']) {
      expect(stdout).toContain(word);
    }
    const { kernels } = JSON.parse(swiotlbReplay(['kernels', '--json']).stdout);
    expect(kernels[0]).toMatchObject({ name: 'v5.10', kind: 'mainline' });
  });
});

describe('help', () => {
  const helps = ['replay', 'verify', 'diff', 'kernels'].map(
    (name) => swiotlbReplay([name, '--help']).stdout,
  );
  const examples = helps.flatMap((help) =>
    [...help.matchAll(/^ {2}swiotlb-replay (.*)$/gm)].map(([, example]) => example),
  );

  test('ends with examples for every command', () => {
    expect(examples.length).toBeGreaterThanOrEqual(8);
  });

  test.each(examples)('the example %s works', (example) => {
    const args = example
      .split(' ')
      .flatMap((arg) => (arg.includes('*') ? [SEED, PAGE_BITS] : [arg]));
    const { status, stdout, stderr } = swiotlbReplay(args);
    expect(stderr).toBe('');
    expect(stdout).not.toBe('');
    expect([0, 1]).toContain(status);
  });
});
