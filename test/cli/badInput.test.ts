import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PROJECT, swiotlbReplay } from '../support/cli.js';

const SEED = 'traces/double-allocation/trace.log';
const LINES = readFileSync(join(PROJECT, SEED), 'utf8').trim().split('\n');

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'swiotlb-replay-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function replay(name: string, text: string | Buffer, ...options: string[]) {
  const path = join(folder, name);
  writeFileSync(path, text);
  const { status, stdout, stderr } = swiotlbReplay([path, '--json', ...options]);
  return { status, stderr, report: stdout === '' ? undefined : JSON.parse(stdout) };
}

describe('what a bad line holds is told harmlessly', () => {
  const TRACE = [
    '#kernel version=v6.8 dynamic=\u009b',
    '#pool name=default base=0x97ff0000 nslabs=7168',
    '#device name=d min_align_mask=\u0085\u202e',
    'dev,op,orig_addr,size,tlb_addr',
    'd,map,0x1000,512,0x800',
    '',
  ].join('\n');

  test.each(['replay', 'verify', 'identify', 'diagnose'])('%s', (command) => {
    const path = join(folder, 'hostile.csv');
    writeFileSync(path, TRACE);
    const { stdout, stderr } = swiotlbReplay([command, path]);
    expect(stdout + stderr).not.toMatch(/[\u0080-\u009f\u202e]/);
    if (command === 'replay') expect(stdout).toContain('\\x85\\u202e');
    if (command === 'verify') expect(stdout).toContain('\\x9b');
  });
});

describe('what cannot be read is refused with exit status 2 and a word on what to do', () => {
  test.each([
    ['an empty file', '', 'is empty'],
    ['binary data', Buffer.from([1, 2, 0, 3]), 'binary data (4 of its first 4 bytes'],
    ['zstd data that breaks off', Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, 0]), 'breaks off'],
    ['prose', 'Dear all,\nhere is my log\n', 'tried csv, jsonl, bpftrace, dev-dbg, ftrace'],
    ['a header without events', 'dev,op,orig_addr,size\n', 'holds no events'],
  ])('%s', (_name, content, message) => {
    const { status, stderr } = replay('input', content);
    expect(status).toBe(2);
    expect(stderr).toContain(join(folder, 'input'));
    expect(stderr).toContain(message);
  });

  test('prose: the first line is shown', () => {
    expect(replay('input', '\nDear all,\nhere is my log\n').stderr).toContain('Dear all,');
  });

  test('a directory', () => {
    const { status, stderr } = swiotlbReplay([folder]);
    expect(status).toBe(2);
    expect(stderr).toContain('is a directory');
  });

  test('a file that is not there, and the others are replayed all the same', () => {
    const { status, stdout, stderr } = swiotlbReplay(['no-such-file', SEED]);
    expect(status).toBe(2);
    expect(stderr).toContain('no-such-file: cannot be opened: no such file or directory');
    expect(stdout).toContain('0x98326800');
  });

  test.skipIf(process.getuid?.() === 0)('a file without permission', () => {
    const path = join(folder, 'secret');
    writeFileSync(path, LINES.join('\n'));
    chmodSync(path, 0);
    expect(swiotlbReplay([path]).stderr).toContain('permission denied');
  });

  test('an unknown kernel, with the nearest', () => {
    const { status, stderr } = swiotlbReplay([SEED, '--kernel', 'v4.19']);
    expect(status).toBe(2);
    expect(stderr).toContain('unknown kernel v4.19');
    expect(stderr).toContain('v5.10');
    expect(swiotlbReplay([SEED, '--kernel', 'v6.8+will']).stderr).toContain('v6.8+will-v1');
  });

  test('a trace of a kernel that is not modelled', () => {
    const { status, stderr } = replay(
      'old.csv',
      '#kernel version=v4.4\n#pool base=0x80000000 nslabs=64\ndev,op,orig_addr,size\nd,map,0x1000,1\n',
    );
    expect(status).toBe(2);
    expect(stderr).toContain('v4.4');
    expect(stderr).toContain('--kernel');
  });
});

describe('a bad line is counted and shown, and nothing else is lost', () => {
  test.each([
    ['a half line at the end', LINES[2].slice(0, 100), 'breaks off'],
    ['a slot beyond the pool', LINES[2].replace('1653-1657', '8000-8004'), 'beyond the pool'],
    [
      'a slot that contradicts its address',
      LINES[2].replace('1653-1657', '1654-1658'),
      '0x97fef800',
    ],
    ['a number out of range', LINES[2].replace('0x2000', '0x20000000000000000'), 'alloc_size'],
    ['a pool that no machine has', LINES[2].replace('/7168', '/1073741823'), '16777216 slots'],
    ['a pool of another size', LINES[2].replace('/7168', '/7169'), 'a pool of 7169 slots'],
  ])('%s', (_, third, message) => {
    const { status, report } = replay('bad.log', [LINES[0], LINES[1], third].join('\n'));
    expect(status).toBe(1);
    expect(report.trace).toMatchObject({ lines: 3, events: 2, skipped: 1 });
    expect(report.allocations).toHaveLength(2);
    expect(report.problems).toHaveLength(1);
    expect(report.problems[0].line).toBe(3);
    expect(report.problems[0].message).toContain(message);
  });

  test('--strict makes it exit status 2', () => {
    const { status, stderr, report } = replay(
      'bad.log',
      [LINES[0], LINES[1], LINES[2].slice(0, 100)].join('\n'),
      '--strict',
    );
    expect(status).toBe(2);
    expect(stderr).toContain('line 3');
    expect(report.allocations).toHaveLength(2);
  });

  test('an unmap of what was never mapped is a finding', () => {
    const { report, status } = replay(
      'unmap.csv',
      '#pool base=0x80000000 nslabs=64\ndev,op,orig_addr,size,tlb_addr\nd,unmap,,512,0x80000800\n',
    );
    expect(status).toBe(1);
    expect(report.findings[0]).toMatchObject({
      rule: 'unmatched-unmap',
      line: 3,
      address: '0x80000800',
    });
  });
});

describe('hostile text is never passed on', () => {
  const evil = 'ev\x1b[31mil\u202e\u0007';

  test.each([['--output', 'text'], ['--json']])(
    'a device name with escape sequences, %s',
    (...options) => {
      const { stdout, stderr } = swiotlbReplay(['-', ...options], {
        input: LINES.join('\n').replaceAll('0000:00:07.0', evil),
      });
      for (const character of ['\x1b', '\u202e', '\x07']) {
        expect(stdout + stderr).not.toContain(character);
      }
      expect(stdout).toContain('ev');
    },
  );

  test('a path and an offending line with escape sequences', () => {
    expect(swiotlbReplay([evil]).stderr).not.toContain('\x1b');
    const { stderr } = swiotlbReplay(['-'], { input: `${evil}\n` });
    expect(stderr).toContain('\\x1b[31m');
    expect(stderr).not.toContain('\x1b');
  });
});
