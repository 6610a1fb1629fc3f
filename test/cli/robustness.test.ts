import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PROJECT, swiotlbReplay } from '../support/cli.js';

const SEED = 'traces/double-allocation/trace.log';
const MAIN = join(PROJECT, 'bin/swiotlb-replay.js');

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'swiotlb-replay-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** A command of the shell, in which `$RUN` is the program. */
function shell(command: string) {
  const env = { PATH: process.env.PATH, RUN: `${process.execPath} ${MAIN}`, HERE: folder };
  return spawnSync('bash', ['--norc', '-c', command], { cwd: PROJECT, env, encoding: 'utf8' });
}

/** A trace whose report as JSON is tens of megabytes. */
function longTrace(): string {
  const rows = Array.from(
    { length: 60_000 },
    (_, n) => `d,map,0x${(n % 7).toString(16)}000,64,0x97ff0000\nd,unmap,,64,0x97ff0000`,
  );
  const path = join(folder, 'long.csv');
  const head = '#kernel version=v6.8\n#pool name=default base=0x97ff0000 nslabs=7168';
  writeFileSync(path, `${head}\ndev,op,orig_addr,size,tlb_addr\n${rows.join('\n')}\n`);
  return path;
}

describe.skipIf(!existsSync('/dev/full'))('a full disk', () => {
  test.each([
    [`$RUN ${SEED} > /dev/full`, 'standard output cannot be written: ENOSPC'],
    ['$RUN --help > /dev/full', 'standard output cannot be written: ENOSPC'],
    [`$RUN ${SEED} -o /dev/full`, '/dev/full: cannot be written: ENOSPC'],
  ])('%s ends with 2 and one line why', (command, message) => {
    const { status, stderr } = shell(command);
    expect(status).toBe(2);
    expect(stderr).toContain(message);
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });
});

test('a reader that has seen enough ends the program without a word', () => {
  const { stdout, stderr } = shell(`$RUN ${longTrace()} --json | head -c 100`);
  expect(stdout).toHaveLength(100);
  expect(stderr).toBe('');
});

describe('the file of -o', () => {
  test.each(['SIGINT', 'SIGTERM'] as const)('leaves no draft behind at %s', async (signal) => {
    const target = mkdtempSync(join(folder, 'out-'));
    const words = [MAIN, longTrace(), '--json', '-o', join(target, 'report.json')];
    const child = spawn(process.execPath, words, { cwd: PROJECT });
    while (child.exitCode === null && !readdirSync(target).some((name) => name.endsWith('.tmp'))) {
      await setTimeout(2);
    }
    child.kill(signal);
    // Ended by the signal itself, for which a shell says 130 or 143.
    expect(await once(child, 'exit')).toEqual([null, signal]);
    expect(readdirSync(target)).toEqual([]);
  });

  test('may be a link: what it points to is replaced, the link stays', () => {
    const real = join(folder, 'real.txt');
    const link = join(folder, 'link.txt');
    writeFileSync(real, 'old');
    symlinkSync(real, link);
    expect(swiotlbReplay([SEED, '-o', link]).status).toBe(1);
    expect(readFileSync(real, 'utf8')).toContain('5 errors');
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  test('stays as it was when the trace cannot be read', () => {
    const file = join(folder, 'kept.txt');
    writeFileSync(file, 'old');
    expect(shell(`$RUN replay -o ${file} /dev/null; true`).stderr).toContain('is empty');
    expect(swiotlbReplay(['no-such-file', '-o', join(folder, 'never.txt')]).status).toBe(2);
  });
});

describe('where a trace may come from', () => {
  const plain = swiotlbReplay([SEED]).stdout.split('\n').slice(1).join('\n');
  test.each([
    ['a pipe', `cat ${SEED} | $RUN -`],
    ['/dev/stdin', `cat ${SEED} | $RUN /dev/stdin`],
    ['standard input from a file', `$RUN /dev/stdin < ${SEED}`],
    ['a FIFO', `mkfifo $HERE/fifo; cat ${SEED} > $HERE/fifo & $RUN $HERE/fifo`],
    ['Windows line ends', `sed 's/$/\\r/' ${SEED} | $RUN -`],
    ['another time zone and language', `TZ=Asia/Kolkata LC_ALL=tr_TR.UTF-8 $RUN ${SEED}`],
  ])('%s', (_name, command) => {
    const { status, stdout, stderr } = shell(command);
    expect(stderr).toBe('');
    expect(stdout.split('\n').slice(1).join('\n')).toBe(plain);
    expect(status).toBe(1);
  });
});

test('of ten thousand arguments each is told of', () => {
  const { status, stdout, stderr } = shell(`$RUN verify $(seq 9999) ${SEED}`);
  expect(stderr.match(/cannot be opened/g)).toHaveLength(9999);
  expect(stdout).toContain('3 of 3 recorded results');
  expect(status).toBe(2);
});
