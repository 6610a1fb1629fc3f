import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { PROJECT, swiotlbReplay } from '../support/cli.js';
import { DANGEROUS } from '../support/hostile.js';

const TRACE = [
  '#kernel version=v6.8',
  '#pool name=default base=0x80000000 nslabs=64 areas=1 index=0',
  'dev,op,orig_addr,size,tlb_addr',
  'd,map,0x1000,512,0x80000000',
  '',
].join('\n');

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'swiotlb-replay-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A trace with what stands beside it; gives the path of its expectation file. */
function put(name: string, expected?: string): string {
  writeFileSync(join(folder, name), TRACE);
  const beside = join(folder, `${name}.expect.json`);
  if (expected !== undefined) writeFileSync(beside, expected);
  return beside;
}

/** What is said of each trace of the folder. */
function check() {
  const { status, stdout, stderr } = swiotlbReplay(['check', folder, '--jobs', '1', '--json']);
  expect(stderr).toBe('');
  expect(stdout).not.toMatch(DANGEROUS);
  const { traces } = JSON.parse(stdout);
  const said = traces.map(({ trace, reason }: { trace: string; reason?: string }) => [
    trace.split('/').at(-1),
    reason,
  ]);
  return { status, said: Object.fromEntries(said) };
}

const DEPTH = 100_000;
const NESTED = '['.repeat(DEPTH) + ']'.repeat(DEPTH);
const SCHEMA = '"schema":"swiotlb-replay/expect@1"';

test('expectations that are nested, of other types, or named as what every object has are refused one by one', () => {
  const cases: [string, string][] = [
    [NESTED, 'is no object'],
    ['{"a":'.repeat(DEPTH), 'is no JSON'],
    [`{"schema":${NESTED}}`, 'what is nested too deeply to be shown'],
    [`{${SCHEMA},"cases":[{"kernel":${NESTED}}]}`, 'what is nested too deeply to be shown'],
    [`{${SCHEMA},"cases":[{"kernel":"v6.8","findings":[${NESTED}]}]}`, 'entry 1'],
    [
      `{${SCHEMA},"cases":[{"kernel":"v6.8","__proto__":{"incomplete":true}}]}`,
      '"__proto__" means nothing',
    ],
    [`{${SCHEMA},"cases":[{"kernel":"v6.8","bounds":["constructor <= 0"]}]}`, 'is no bound'],
    [
      `{${SCHEMA},"cases":[{"kernel":"v6.8","findings":[{"rule":"toString","line":1}]}]}`,
      'is no rule',
    ],
    [`{"__proto__":{${SCHEMA},"cases":[]}}`, 'schema: is missing'],
    ['null', 'is no object'],
    ['"\u202e\u001b[31m"', 'is no JSON'],
    [`{"schema":"\\u202e\\u001b[31m"}`, '\u202e'],
    ['', 'is no JSON'],
  ];
  for (const [n, [text]] of cases.entries()) put(`${n}.csv`, text);
  const { status, said } = check();
  expect(status).toBe(2);
  for (const [n, [, words]] of cases.entries()) expect(said[`${n}.csv`], `${n}`).toContain(words);
});

test('expectations may begin with the mark of UTF-8 and have the line ends of Windows', () => {
  const beside = put('a.csv');
  expect(swiotlbReplay(['check', '--update', folder]).status).toBe(0);
  const text = readFileSync(beside, 'utf8');
  writeFileSync(beside, `\ufeff${text.replaceAll('\n', '\r\n')}`);
  expect(check()).toEqual({ status: 0, said: { 'a.csv': null } });
});

describe('a corpus', () => {
  test('may hold what is no file: it is not waited for, not followed, and told of', () => {
    execFileSync('mkfifo', [put('fifo.csv'), join(folder, 'pipe.csv')]);
    mkdirSync(put('folder.csv'));
    writeFileSync(put('long.csv'), '');
    truncateSync(join(folder, 'long.csv.expect.json'), 3 * 2 ** 30);
    symlinkSync('itself', join(folder, 'itself'));
    symlinkSync('.', join(folder, 'circle'));
    const { status, said } = check();
    expect(status).toBe(2);
    expect(said['fifo.csv']).toContain('is no file');
    expect(said['folder.csv']).toContain('is no file');
    expect(said['long.csv']).toContain('is longer than 64 MiB');
    expect(Object.keys(said)).toHaveLength(3);
  });

  test('leads --update nowhere else: a link to what is not there is replaced itself', () => {
    const target = join(folder, 'outside');
    symlinkSync(target, put('a.csv'));
    expect(swiotlbReplay(['check', '--update', join(folder, 'a.csv')]).status).toBe(0);
    expect(existsSync(target)).toBe(false);
    writeFileSync(target, '# my settings');
    symlinkSync(target, put('b.csv'));
    expect(swiotlbReplay(['check', '--update', join(folder, 'b.csv')]).status).toBe(2);
    expect(readFileSync(target, 'utf8')).toBe('# my settings');
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  const isRoot = process.getuid?.() === 0;
  test.skipIf(isRoot && !existsSync('/usr/bin/setpriv'))('that may not be read is told of', () => {
    put('secret.csv', '{}');
    mkdirSync(join(folder, 'locked'), { mode: 0 });
    chmodSync(folder, 0o755);
    // Root may read everything, so a process without its rights has to try.
    const less = isRoot ? 'setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all' : '';
    const run = (words: string) =>
      spawnSync('bash', ['-c', `${less} "${process.execPath}" bin/swiotlb-replay.js ${words}`], {
        cwd: PROJECT,
        encoding: 'utf8',
      });
    expect(run(`check ${folder}`)).toMatchObject({
      status: 2,
      stderr: `swiotlb-replay: ${folder}/locked: cannot be read: EACCES\n`,
    });
    chmodSync(join(folder, 'secret.csv'), 0);
    const { status, stderr } = run(`replay ${folder}/secret.csv`);
    expect([status, stderr.includes('permission denied')]).toEqual([2, true]);
  });
});
