import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PROJECT, swiotlbReplay } from '../support/cli.js';

const SEED = 'traces/double-allocation/trace.log';
const RUN = `"${process.execPath}" bin/swiotlb-replay.js`;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'swiotlb-replay-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** A new folder, so that a test sees all that is left behind. */
function room(name: string): string {
  const path = join(folder, name);
  mkdirSync(path);
  return path;
}

function shell(command: string, cwd = PROJECT) {
  const env = { PATH: process.env.PATH, HERE: folder };
  return spawnSync('bash', ['--norc', '-c', command], { cwd, env, encoding: 'utf8' });
}

describe('the file of -o', () => {
  test('keeps the permissions of the file that it replaces', () => {
    const file = join(room('modes'), 'private.txt');
    writeFileSync(file, 'old');
    chmodSync(file, 0o600);
    expect(swiotlbReplay([SEED, '-o', file])).toMatchObject({ status: 1, stderr: '' });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readFileSync(file, 'utf8')).toContain('5 errors');
  });

  test.each([
    ['nowhere', 'absent/file'],
    ['to a file that is not there', 'absent'],
    ['to itself', 'link'],
  ])('takes the place of a link that leads %s', (name, target) => {
    const here = room(name);
    symlinkSync(target, join(here, 'link'));
    expect(swiotlbReplay([SEED, '-o', join(here, 'link')]).status).toBe(1);
    expect(lstatSync(join(here, 'link')).isFile()).toBe(true);
    expect(readdirSync(here)).toEqual(['link']);
  });

  test.each([
    ['a folder', '.', 'it is a directory'],
    ['a folder that is not there', 'no/such', 'ENOENT'],
    [
      'a name with an escape sequence in such a folder',
      'no\x1b[31m\u202e/such',
      'no\\x1b[31m\\u202e/such',
    ],
    ['a file in the place of a folder', 'file/such', 'ENOTDIR'],
    ['a name that is too long', 'x'.repeat(300), 'ENAMETOOLONG'],
  ])('is refused where it is %s, and nothing stays', (what, file, words) => {
    const here = room(`refused ${what}`);
    writeFileSync(join(here, 'file'), '');
    const { status, stderr } = swiotlbReplay([SEED, '-o', `${here}/${file}`]);
    expect(status).toBe(2);
    expect(stderr).toContain(words);
    expect(stderr).toContain('cannot be written');
    expect(readdirSync(here)).toEqual(['file']);
  });

  test('is refused without a name', () => {
    const { status, stderr } = swiotlbReplay([SEED, '-o', '']);
    expect([status, stderr]).toEqual([
      2,
      'swiotlb-replay: : cannot be written: it is no file name\n',
    ]);
  });

  test.each(['two\nlines\x1b[31m', '-rf', 'ü'.repeat(120), 'x'.repeat(250)])(
    'may be called anything: %j',
    (name) => {
      const here = mkdtempSync(join(folder, 'names-'));
      const words = [join(PROJECT, 'bin/swiotlb-replay.js'), join(PROJECT, SEED), '-o', name];
      const { status, stderr } = spawnSync(process.execPath, words, {
        cwd: here,
        encoding: 'utf8',
      });
      expect([status, stderr]).toEqual([1, '']);
      expect(readdirSync(here)).toEqual([name]);
    },
  );

  test('may be a FIFO, which is written to and stays one', () => {
    const { stdout, status } = shell(
      `mkfifo $HERE/fifo; cat $HERE/fifo & ${RUN} ${SEED} -o $HERE/fifo; status=$?; wait; exit $status`,
    );
    expect(status).toBe(1);
    expect(stdout).toBe(swiotlbReplay([SEED]).stdout);
    expect(lstatSync(join(folder, 'fifo')).isFIFO()).toBe(true);
  });

  const isRoot = process.getuid?.() === 0;
  test.skipIf(isRoot && !existsSync('/usr/bin/setpriv'))(
    'is refused where it may not be written',
    () => {
      const here = room('read-only');
      writeFileSync(join(here, 'kept.txt'), 'old', { mode: 0o444 });
      chmodSync(here, 0o777);
      chmodSync(folder, 0o755);
      // Root may write everything, so a process without its rights has to try.
      const less = isRoot
        ? 'setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all'
        : '';
      const { status, stderr } = shell(`${less} ${RUN} ${SEED} -o ${here}/kept.txt`);
      expect(stderr).toContain('EACCES');
      expect(status).toBe(2);
      expect(readFileSync(join(here, 'kept.txt'), 'utf8')).toBe('old');
    },
  );
});

describe('where nobody hears complaints', () => {
  test.each([
    ['a closed pipe', `(sleep 0.3; ${RUN} nosuch; echo $? >$HERE/status) 2>&1 | true; sleep 0.3`],
    ['a full disk', `${RUN} nosuch 2>/dev/full; echo $? >$HERE/status`],
    ['no standard error at all', `${RUN} nosuch 2>&-; echo $? >$HERE/status`],
  ])('the exit status tells all the same: %s', (_, command) => {
    rmSync(join(folder, 'status'), { force: true });
    shell(`${command}; for n in $(seq 200); do [ -s $HERE/status ] && break; sleep 0.05; done`);
    expect(readFileSync(join(folder, 'status'), 'utf8')).toBe('2\n');
  });
});
