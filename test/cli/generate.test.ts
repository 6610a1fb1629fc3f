import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { PROJECT, swiotlbReplay } from '../support/cli.js';

function generate(...args: string[]): string {
  const { status, stdout, stderr } = swiotlbReplay(['generate', ...args]);
  expect(stderr).toBe('');
  expect(status).toBe(0);
  return stdout;
}

interface Summary {
  failed: number;
  live: number;
  mismatches: number;
  findings: Record<string, number>;
}

function summaryOf(trace: string, ...args: string[]): Summary {
  const { stdout } = swiotlbReplay(['-', '--json', '--no-allocations', ...args], { input: trace });
  return JSON.parse(stdout).summary;
}

function rowsOf(trace: string): string[][] {
  return trace
    .split('\n')
    .filter((line) => /^\d/.test(line))
    .map((line) => line.split(','));
}

const digest = (text: string): string =>
  createHash('sha256').update(text).digest('hex').slice(0, 16);

/** Bytes that every machine has to give. They change with the shapes, and with nothing else. */
const PINNED: [shape: string, seed: string, digest: string][] = [
  ['nvme', '1', '3a823f16ddd7c2b4'],
  ['net', '1', '434b7fc4363adef5'],
  ['usb', '1', '676734dffde631d2'],
  ['virtio', '1', '4afd37a5543f96fc'],
  ['mixed', '1', '6d121f52aed1a8c8'],
  ['mixed', '9007199254740991', 'ba4169956c86f5e8'],
];

describe('generate', () => {
  test.each(PINNED)('gives the same bytes everywhere: %s, seed %s', (shape, seed, pinned) => {
    const args = ['--shape', shape, '--seed', seed, '--events', '5K', '--kernel', 'v6.12'];
    expect(digest(generate(...args))).toBe(pinned);
  });

  test('gives another trace for another seed', () => {
    const [one, two] = ['1', '4294967297'].map((seed) => rowsOf(generate('--seed', seed)));
    expect(one).not.toEqual(two);
  });

  test.each(['nvme', 'net', 'usb', 'virtio', 'mixed'])(
    'makes a %s workload in which nothing is wrong',
    (shape) => {
      const trace = generate('--shape', shape, '--events', '20K');
      expect(rowsOf(trace)).toHaveLength(20_000);
      expect(summaryOf(trace)).toMatchObject({ failed: 0, live: 0, mismatches: 0, findings: {} });
    },
  );

  test.each([
    ['leak', 'leak'],
    ['double-unmap', 'double-unmap'],
    ['wrong-size', 'size-mismatch'],
    ['wrong-dir', 'dir-mismatch'],
  ])('with %s has that finding and no other', (mischief, rule) => {
    for (const shape of ['nvme', 'mixed']) {
      const args = ['--shape', shape, '--events', '8K', '--misbehave', `${mischief}=50`];
      const { findings, live, mismatches } = summaryOf(generate(...args));
      expect(Object.keys(findings)).toEqual([rule]);
      expect(mismatches).toBe(0);
      expect(live > 0).toBe(rule === 'leak');
    }
  });

  test('misbehaves in several ways at once', () => {
    const args = ['--misbehave', 'leak=40', '--misbehave', 'wrong-dir=40'];
    const { findings } = summaryOf(generate(...args));
    expect(Object.keys(findings).sort()).toEqual(['dir-mismatch', 'leak']);
  });

  test('fills a pool that is too small, and drivers give back what they had', () => {
    const trace = generate('--shape', 'virtio', '--swiotlb', '128', '--cpus', '1');
    const { failed, live, findings } = summaryOf(trace);
    expect(failed).toBeGreaterThan(10);
    expect(live).toBe(0);
    expect(Object.keys(findings)).toEqual(['pool-full']);
  });

  test.each([
    ['2', 2],
    ['101', 100],
    ['102', 102],
  ])('makes no more than %s events, and an unmap for each map', (events, count) => {
    for (const shape of ['virtio', 'net']) {
      const rows = rowsOf(generate('--shape', shape, '--events', events));
      expect(rows.length).toBe(count);
    }
  });

  test('ends after a duration', () => {
    const rows = rowsOf(generate('--shape', 'nvme', '--duration', '0.02'));
    const maps = rows.filter(([, , , op]) => op === 'map').map(([time]) => Number(time));
    expect(Math.max(...maps)).toBeGreaterThan(0.019);
    expect(Math.max(...maps)).toBeLessThanOrEqual(0.02);
  });

  test('keeps to the rate, the depth, the sizes, the CPUs and the devices', () => {
    const args = ['--shape', 'nvme', '--events', '20K', '--rate', '1K', '--depth', '3'];
    const rows = rowsOf(generate(...args, '--sizes', '4K:1,12K', '--cpus', '2', '--devices', '2'));
    const seconds = Number(rows.at(-1)?.[0]);
    // Two devices with two streams each: 4000 requests a second, two events each.
    expect(20_000 / seconds).toBeGreaterThan(7000);
    expect(20_000 / seconds).toBeLessThan(9000);
    let live = 0;
    for (const [, , , op] of rows) {
      live += op === 'map' ? 1 : -1;
      expect(live).toBeLessThanOrEqual(3 * 4);
    }
    expect(new Set(rows.map(([, , , , , size]) => size))).toEqual(new Set(['4096', '12288']));
    expect(new Set(rows.map(([, cpu]) => cpu))).toEqual(new Set(['0', '1']));
    expect(new Set(rows.map(([, , dev]) => dev)).size).toBe(2);
  });

  test('keeps a ring mapped ahead, and copies short packets out of it', () => {
    const rows = rowsOf(generate('--shape', 'net', '--events', '20K', '--depth', '64'));
    const ring = rows.filter(([, , , op, , size]) => op === 'map' && size === '2048').slice(0, 64);
    expect(ring).toHaveLength(64);
    expect(rows.some(([, , , op, , size]) => op === 'sync_for_cpu' && Number(size) <= 256)).toBe(
      true,
    );
  });

  test('declares all that a replay needs', () => {
    const trace = generate('--page-size', '16K', '--kernel', 'v6.9', '--swiotlb', '4096,2');
    const head = trace.split('\n').filter((line) => /^#\w/.test(line));
    expect(head.slice(0, 4)).toEqual([
      '#swiotlb-trace 1',
      '#kernel version=v6.9 page_size=16384 dynamic=0',
      '#pool name=default base=0x97000000 nslabs=4096 areas=2 index=0:0',
      '#device name=0000:01:00.0 min_align_mask=0xfff seg_boundary_mask=0xffffffff',
    ]);
  });

  test('ends quietly when its reader has seen enough', () => {
    const command = `"${process.execPath}" bin/swiotlb-replay.js generate --events 1G | head -n 3`;
    const { status, stdout, stderr } = spawnSync('sh', ['-c', command], {
      cwd: PROJECT,
      encoding: 'utf8',
    });
    expect(status).toBe(0);
    expect(stderr).toBe('');
    expect(stdout.split('\n')).toHaveLength(4);
  });

  test.each([
    [['--events', '1'], 'from 2 to'],
    [['--events', '5', '--duration', '1'], 'cannot be used with'],
    [['--sizes', '4K:0'], '"4K:0" is not SIZE or SIZE:WEIGHT'],
    [['--misbehave', 'sleep'], '"sleep" is none of leak,'],
    [['--shape', 'cat'], 'Allowed choices are nvme'],
    [['--kernel', 'v9.9'], 'unknown kernel v9.9'],
    [['--duration', 'soon'], 'number of seconds'],
  ])('says what is wrong with %j', (args, words) => {
    const { status, stdout, stderr } = swiotlbReplay(['generate', ...args]);
    expect(status).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toContain(words);
  });
});
