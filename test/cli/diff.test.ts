import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv, type ValidateFunction } from 'ajv';
import { describe, expect, test } from 'vitest';
import { RULES } from '../../src/check/rules.js';
import { PROJECT, swiotlbReplay } from '../support/cli.js';

const SEED = 'traces/double-allocation/trace.log';
const PAGE_BITS = 'traces/page-bits/trace.csv';
const FRAGMENTED = 'traces/fragmented/trace.csv';
const VECTOR = 'test/vectors/swiotlb/v6.9_p4096_a4_003.csv.gz';

const schemaOf = (name: string) =>
  JSON.parse(readFileSync(join(PROJECT, `docs/schema/${name}`), 'utf8'));
const ajv = new Ajv({ allErrors: true });
const validateDiff = ajv.compile(schemaOf('diff-1.json'));
const validateFindings = ajv.compile(schemaOf('findings-diff-1.json'));

/** The JSON of a diff, held against its schema. */
function jsonOf(args: string[], validate: ValidateFunction = validateDiff, input = '') {
  const { stdout, status } = swiotlbReplay(['diff', ...args, '--json'], { input });
  const result = JSON.parse(stdout);
  validate(result);
  expect(validate.errors).toBeNull();
  return { result, status };
}

/** A pool of 64 slots, and maps that v6.8 and v6.9 place differently once. */
const ONE_CAUSE = [
  '#pool name=default base=0x80000000 nslabs=64 index=0',
  'dev,op,orig_addr,size',
  'net,map,0x100800,4096',
  ...Array.from({ length: 5 }, () => 'net,map,0x5000,512'),
].join('\n');

describe('a diff', () => {
  test('shows where the sides part first, with both searches', () => {
    const { stdout } = swiotlbReplay(['diff', SEED, '--old', 'v6.8', '--new', 'v6.9']);
    expect(stdout).toContain('First difference: line 1, alloc of 8192 bytes for 0000:00:07.0');
    expect(stdout).toMatch(/ {2}v6\.8 {2}slots 1645-1648 at 0x98326800, 1 slot examined/);
    expect(stdout).toMatch(/slots 1645 to 1647, 3 candidates: address is not clear under 0x1fff/);
  });

  test('folds what follows from a difference', () => {
    const { stdout } = swiotlbReplay(['diff', '-', '--old', 'v6.8', '--new', 'v6.9'], {
      input: ONE_CAUSE,
    });
    const table = stdout.slice(stdout.indexOf('Addresses that differ')).split('\n');
    expect(table[2]).toMatch(/^ +3 +map +net +4096 +0x80000800 +0x80000000$/);
    expect(table[3]).toBe('    5 later differences follow from line 3');
    expect(table[4]).toBe('');
  });

  test('tells the same as JSON, by its schema', () => {
    const { result, status } = jsonOf(
      ['-', '--old', 'v6.8', '--new', 'v6.9'],
      validateDiff,
      ONE_CAUSE,
    );
    expect(status).toBe(1);
    expect(result).toMatchObject({ different: 6, independent: 1, following: 5, unexplained: 0 });
    expect(result.independentDifferences).toMatchObject([
      { kind: 'address', line: 3, followed: 5 },
    ]);
    expect(result.firstDivergence).toMatchObject({ line: 3, given: '0x80000000' });
  });

  test.each([
    [SEED, '--old', 'v6.8', '--new', 'v6.9'],
    [PAGE_BITS, '--old', 'v6.12', '--new', 'v6.8'],
    [PAGE_BITS, '--old', 'v6.12', '--new', 'v6.8', '--only-regressions'],
    [VECTOR, '--old', 'v6.9', '--new', 'v5.10'],
    [VECTOR, '--old', 'v5.10', '--new', 'v5.15'],
    [VECTOR, '--kernel', 'v6.9', '--new-pool', 'nslabs=512'],
  ])('of %s %s %s %s %s holds against its schema', (...args) => {
    const { result } = jsonOf(args.filter((arg) => arg !== undefined));
    const { different, differentAlone, following, unexplained } = result;
    expect(differentAlone + following + unexplained).toBe(different);
  });

  test('ends with a readable page, however long the trace', () => {
    const maps = Array.from(
      { length: 30_000 },
      (_, n) => `net,map,0x${(n * 2048).toString(16)},${1 + ((n * 7919) % 8192)}`,
    );
    const input = [
      '#pool name=default base=0x80000000 nslabs=32768 areas=4 index=0:0:0:0',
      'dev,op,orig_addr,size',
      ...maps,
    ].join('\n');
    const { stdout, status } = swiotlbReplay(['diff', '-', '--old', 'v6.8', '--new', 'v6.12'], {
      input,
    });
    expect(status).toBe(1);
    expect(stdout.split('\n').length).toBeLessThan(110);
    expect(stdout).toMatch(/and \d+ more that stand by themselves, with \d+ that follow from such/);
  });

  test('compares pools as well as releases', () => {
    const args = ['--kernel', 'v6.12', '--old-pool', 'nslabs=32', '--new-swiotlb', '512,2'];
    const { stdout, status } = swiotlbReplay(['diff', FRAGMENTED, ...args]);
    expect(status).toBe(1);
    expect(stdout).toContain('32 slots, 1 area to 512 slots, 2 areas');
    expect(stdout).toMatch(/^ +39 +map +eth0 +1500 +failed +0x/m);
  });

  test('finds that the searchers give the same', () => {
    const args = ['--kernel', 'v6.9', '--old-search', 'linear', '--new-search', 'indexed'];
    const { stdout, status } = swiotlbReplay(['diff', VECTOR, ...args]);
    expect(status).toBe(0);
    expect(stdout).toContain('linear to indexed: no difference');
  });

  test.each([
    [[PAGE_BITS], 'what is compared?'],
    [[SEED, '--kernel', 'recorded', '--new-pool', 'nslabs=64'], 'choose one with --kernel'],
    [[SEED, '--new-pool', 'nslabs=64'], 'give --old and --new, or --kernel'],
    [[SEED, '--old', 'v6.8', '--new', 'v9.9'], 'unknown kernel v9.9'],
    [[SEED, '--by', 'findings'], 'compares two traces'],
  ])('says what is missing: %j', (args, message) => {
    const { status, stderr, stdout } = swiotlbReplay(['diff', ...args]);
    expect(status).toBe(2);
    expect(stderr).toContain(message);
    expect(stdout).toBe('');
  });
});

describe('--only-regressions', () => {
  test('is content with differences that make nothing worse', () => {
    const args = ['diff', SEED, '--old', 'v6.8', '--new', 'v6.9', '--only-regressions'];
    const { stdout, status } = swiotlbReplay(args);
    expect(status).toBe(0);
    expect(stdout).toBe(`${SEED}, v6.8 to v6.9: no regression\n`);
  });

  test('lists what the new side alone has, and ends with 1', () => {
    const args = ['diff', SEED, '--old', 'v6.9', '--new', 'v6.8', '--only-regressions'];
    const { stdout, status } = swiotlbReplay(args);
    expect(status).toBe(1);
    expect(stdout).toContain('v6.9 to v6.8: 8 regressions');
    expect(stdout).not.toContain('Addresses that differ');
  });
});

describe('a trace of several devices', () => {
  const args = ['diff', 'traces/stepped-over/trace.csv', '--old', 'v6.1', '--new', 'v6.9'];

  test('tells whose addresses differ', () => {
    const { stdout } = swiotlbReplay(args);
    expect(stdout).toMatch(/\nWhose they are\n +device +differ +by themselves\n +nvme0 +1 +1\n\n/);
    const page = swiotlbReplay([...args, '--output', 'markdown']).stdout;
    expect(page).toContain('\n| nvme0 | 1 | 1 |\n');
    const { devices } = JSON.parse(swiotlbReplay([...args, '--json']).stdout);
    expect(devices).toEqual([{ device: 'nvme0', different: 1, alone: 1 }]);
  });
});

describe('--output markdown', () => {
  test('is a page with tables for a mail', () => {
    const args = ['diff', SEED, '--old', 'v6.8', '--new', 'v6.9', '--output', 'markdown'];
    const { stdout } = swiotlbReplay(args);
    expect(stdout).toMatch(/^### traces\/double-allocation\/trace\.log: v6\.8 to v6\.9\n/);
    expect(stdout).toContain(
      '\n| 1 | alloc | 0000:00:07.0 | 8192 | 0x98326800 | 0x98328000 |  |\n',
    );
    expect(stdout).toMatch(
      /^- error `double-allocated-page` \(2\): .*\n {2}- line 2: 0000:00:07\.0: page/m,
    );
    expect(stdout).toContain('| error page-alignment | 3 | 0 |');
  });

  test('lets no device name mark up, mention or link', () => {
    const name = '@all|<img src=x>[a](https://e.example)`b`\u001b[31m\u202e';
    const input = ONE_CAUSE.replaceAll('net,map', `"${name}",map`);
    const args = ['diff', '-', '--old', 'v6.8', '--new', 'v6.9', '--output', 'markdown'];
    const { stdout } = swiotlbReplay(args, { input });
    const row = stdout.split('\n').find((line) => line.startsWith('| 3 | map'));
    expect(row).toContain(
      '&#64;all\\|&#60;img src=x&#62;\\[a\\](https:&#47;&#47;e.example)\\`b\\`\\\\x1b\\[31m\\\\u202e',
    );
  });
});

describe('diff OLD NEW --by findings', () => {
  const more = `${ONE_CAUSE}\nnet,map,0x5000,300000\nusb,map,0x5000,300000\nusb,map,0x5000,300001\n`;

  /** Compares ONE_CAUSE, from a shipped trace's place, with another on standard input. */
  const args = [FRAGMENTED, '-', '--by', 'findings', '--kernel', 'v6.12'];

  test('compares by rule, device and message', () => {
    const { result, status } = jsonOf(args, validateFindings, more);
    expect(status).toBe(1);
    const groups = result.groups.filter(({ rule }: { rule: string }) => rule === 'pool-full');
    expect(
      groups.map(({ device, old, new: fresh }: Record<string, unknown>) => [device, old, fresh]),
    ).toEqual(
      expect.arrayContaining([
        ['usb', 0, 2],
        ['net', 0, 1],
        ['sda', 1, 0],
      ]),
    );
    expect(result.causes).toContainEqual({ cause: 'too-large', old: 0, new: 3 });
    expect(result.devices.find(({ name }: { name: string }) => name === 'usb')).toMatchObject({
      old: null,
      new: { failed: 2 },
    });
  });

  test('tells it as text and as markdown', () => {
    const text = swiotlbReplay(['diff', ...args], { input: more }).stdout;
    expect(text).toMatch(/error +0 to 2 +pool-full: usb: map of N bytes failed: too-large/);
    expect(text).toMatch(/^ +usb +- to 2 +- to 2 /m);
    const page = swiotlbReplay(['diff', ...args, '--output', 'markdown'], { input: more }).stdout;
    expect(page).toMatch(/^\| 0 \| 2 \| `pool-full` \| usb \| map of N bytes failed: too-large/m);
  });

  test('finds a trace and its copy the same, and fewer findings no regression', () => {
    const copy = readFileSync(join(PROJECT, FRAGMENTED), 'utf8');
    const same = swiotlbReplay(['diff', ...args], { input: copy });
    expect(same.status).toBe(0);
    expect(same.stdout).toContain('the same findings');
    const fewer = swiotlbReplay(['diff', ...args, '--only-regressions'], { input: ONE_CAUSE });
    expect(fewer.status).toBe(0);
    expect(fewer.stdout).toContain('no regression');
  });
});

describe('the schemas', () => {
  test('have every rule', () => {
    const names = Object.keys(RULES);
    expect(schemaOf('diff-1.json').properties.rules.items.properties.rule.enum).toEqual(names);
    expect(schemaOf('findings-diff-1.json').properties.partial.items.enum).toEqual(names);
  });
});
