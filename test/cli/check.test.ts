import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Ajv } from 'ajv';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { MEASURE_NAMES } from '../../src/corpus/bounds.js';
import type { ExpectedCase } from '../../src/corpus/expectation.js';
import { CHECK_RENDERERS } from '../../src/render/check/table.js';
import { PROJECT, swiotlbReplay } from '../support/cli.js';

const EXPECT = 'trace.csv.expect.json';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'check-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

/** A trace of `maps` maps of 2 KiB, each behind the other, recorded on v6.12. */
function trace(maps: number, device = 'sda'): string {
  const rows = Array.from(
    { length: maps },
    (_, n) => `${device},map,0x2000000,2048,0x${(0x80000000 + n * 2048).toString(16)}`,
  );
  return [
    '#swiotlb-trace 1',
    '#kernel version=v6.12 page_size=4096 dynamic=0',
    `#pool name=default base=0x80000000 nslabs=8192 areas=1 index=0`,
    'dev,op,orig_addr,size,tlb_addr',
    ...rows,
    '',
  ].join('\n');
}

function put(name: string, text: string): string {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  return path;
}

const OUTPUTS = CHECK_RENDERERS.map(({ name }) => name);
const check = (...args: string[]) => swiotlbReplay(['check', ...args]);

/** Every output of one check. */
function everyOutput(...args: string[]): { status: number | null; told: Record<string, string> } {
  const reports = mkdtempSync(join(tmpdir(), 'outputs-'));
  const others = OUTPUTS.filter((name) => name !== 'text');
  const { status, stdout } = check(
    ...args,
    ...others.map((name) => `--report=${name}=${join(reports, name)}`),
  );
  const told = Object.fromEntries(
    others.map((name) => [name, readFileSync(join(reports, name), 'utf8')]),
  );
  rmSync(reports, { recursive: true });
  return { status, told: { text: stdout, ...told } };
}

const read = (name: string) => readFileSync(join(folder, name), 'utf8');
const casesOf = (name: string): ExpectedCase[] => JSON.parse(read(name)).cases;
const putCases = (name: string, cases: unknown[]) =>
  put(name, JSON.stringify({ schema: 'swiotlb-replay/expect@1', cases }));

describe('the stories', () => {
  test('are all as expected', () => {
    const { status, stdout, stderr } = check('traces/');
    expect(stderr).toBe('');
    expect(stdout).toMatch(/^(\d+) of \1 cases as expected\n$/);
    expect(status).toBe(0);
  });

  test('have expectations that hold against their schema, of two releases each, or the recorded one', () => {
    const schema = JSON.parse(readFileSync(join(PROJECT, 'docs/schema/expect-1.json'), 'utf8'));
    const validate = new Ajv({ allErrors: true }).compile(schema);
    const files = readdirSync(join(PROJECT, 'traces'), {
      recursive: true,
      encoding: 'utf8',
    }).filter((name) => name.endsWith('.expect.json'));
    expect(files.length).toBeGreaterThanOrEqual(14);
    for (const file of files) {
      const data = JSON.parse(readFileSync(join(PROJECT, 'traces', file), 'utf8'));
      validate(data);
      expect(validate.errors).toBeNull();
      const isRecording = file.endsWith('.txt.expect.json');
      expect(data.cases.length).toBeGreaterThanOrEqual(isRecording ? 1 : 2);
    }
  });

  describe('with one address of one expectation changed', () => {
    const DIFFERS = 'line 7: address: expected 0x80002800, actual 0x80002000';
    let told: Record<string, string> = {};

    beforeAll(() => {
      const copy = mkdtempSync(join(tmpdir(), 'mutated-'));
      cpSync(join(PROJECT, 'traces'), copy, { recursive: true });
      const path = join(copy, 'page-bits/trace.csv.expect.json');
      writeFileSync(path, readFileSync(path, 'utf8').replace('0x80002000', '0x80002800'));
      const outputs = everyOutput(copy);
      expect(outputs.status).toBe(1);
      told = outputs.told;
      rmSync(copy, { recursive: true });
    });

    test('fail with trace, line, expected and actual in text', () => {
      expect(told.text).toMatch(/^DIFFERS {2}.*page-bits\/trace\.csv {2}v6\.8\n/);
      expect(told.text).toContain(`\n  ${DIFFERS}\n`);
      expect(told.text).toMatch(/\n\d+ of \d+ cases as expected, 1 differs\n$/);
    });

    test('fail so in JSON and JSON lines', () => {
      const lines = told.jsonl
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line));
      for (const traces of [JSON.parse(told.json).traces, lines]) {
        const failed = traces.filter(({ status }: { status?: string }) => status === 'failed');
        expect(failed).toHaveLength(1);
        expect(failed[0].trace).toMatch(/page-bits\/trace\.csv$/);
        expect(failed[0].cases[0].differences).toEqual([
          { rule: 'address', line: 7, expected: '0x80002800', actual: '0x80002000' },
        ]);
      }
    });

    test('fail so in KTAP', () => {
      expect(told.ktap).toContain(`\n  # ${DIFFERS}\n  not ok 1 v6.8\n`);
      expect(told.ktap.match(/^not ok .*$/gm)).toEqual([
        expect.stringMatching(/^not ok \d+ .*page-bits\/trace\.csv$/),
      ]);
    });

    test('fail so in JUnit XML', () => {
      expect(told.junit.match(/<failure .*/g)).toEqual([
        expect.stringContaining(`message="${DIFFERS}"`),
      ]);
      expect(told.junit).toMatch(
        /classname="[^"]*page-bits\/trace\.csv" name="v6\.8">\n *<failure/,
      );
    });

    test('fail so in SARIF', () => {
      const { results } = JSON.parse(told.sarif).runs[0];
      expect(results).toHaveLength(1);
      expect(results[0].message.text).toBe(`v6.8: ${DIFFERS}`);
      const { artifactLocation, region } = results[0].locations[0].physicalLocation;
      expect(artifactLocation.uri).toMatch(/page-bits\/trace\.csv$/);
      expect(region.startLine).toBe(7);
    });

    test('fail so in annotations', () => {
      const commands = told.github.match(/^::error .*$/gm) ?? [];
      expect(commands).toHaveLength(1);
      expect(commands[0]).toMatch(/^::error file=[^,]*page-bits\/trace\.csv,line=7,/);
      expect(commands[0]).toContain(DIFFERS);
    });

    test('fail so in Markdown', () => {
      expect(told.markdown).toMatch(/^### .*page-bits\/trace\.csv, v6\.8$/m);
      expect(told.markdown).toContain(`\n- ${DIFFERS}\n`);
    });
  });

  test('stay as they are when they are updated', () => {
    cpSync(join(PROJECT, 'traces'), folder, { recursive: true });
    const { stdout, status } = check(folder, '--update');
    expect(stdout).toMatch(/^0 written, 0 changed, \d+ stay as they are\n$/);
    expect(status).toBe(0);
  });
});

test('the help ends with examples that run', () => {
  const examples = [...check('--help').stdout.matchAll(/^ {2}swiotlb-replay (.+)$/gm)];
  expect(examples.length).toBeGreaterThanOrEqual(2);
  for (const [, example] of examples) {
    const args = example.replace('check.sarif', join(folder, 'check.sarif')).split(' ');
    expect(swiotlbReplay(args)).toMatchObject({ status: 0, stderr: '' });
  }
});

test('the schema of expectations knows every number that a bound may be about', () => {
  const schema = JSON.parse(readFileSync(join(PROJECT, 'docs/schema/expect-1.json'), 'utf8'));
  const { pattern } = schema.properties.cases.items.properties.bounds.items;
  expect(/^\^\(([\w|]+)\)/.exec(pattern)?.[1].split('|')).toEqual(MEASURE_NAMES);
});

describe('an update', () => {
  test('writes expectations that the next check finds met', () => {
    const path = put('a/trace.csv', trace(3));
    expect(check(path, '--update', '--kernel', 'v6.8', '--kernel', 'recorded').status).toBe(0);
    expect(casesOf(`a/${EXPECT}`).map(({ kernel }) => kernel)).toEqual(['v6.8', 'recorded']);
    expect(check(folder)).toMatchObject({ status: 0, stdout: '2 of 2 cases as expected\n' });
  });

  test('names the release that the trace names, and changes one line for one address', () => {
    const path = put('trace.csv', trace(3));
    check(path, '--update');
    const before = read(EXPECT).split('\n');
    expect(casesOf(EXPECT)[0].kernel).toBe('v6.12');
    put(
      'trace.csv',
      trace(3).replace(
        '\nsda,map,0x2000000,2048,0x80001000\n',
        '\nsda,map,0x2000000,2048,0x80001000\nsda,map,0x2000000,2048,0x80001800\n',
      ),
    );
    expect(check(folder).status).toBe(1);
    expect(check(folder, '--update').stdout).toMatch(/^changed .*trace\.csv\.expect\.json\n/);
    const after = read(EXPECT).split('\n');
    expect(after.filter((line) => !before.includes(line))).toEqual([
      '        { "line": 7, "address": "0x80001000" },',
      '        { "line": 8, "address": "0x80001800" }',
    ]);
  });

  test('keeps a file of which a case cannot be replayed', () => {
    put('trace.csv', trace(1));
    putCases(EXPECT, [{ kernel: 'v6.8', findings: [] }, { kernel: 'v99.1' }]);
    const before = read(EXPECT);
    const { status, stderr } = check(folder, '--update');
    expect(status).toBe(2);
    expect(stderr).toContain('trace.csv, v99.1: unknown kernel v99.1');
    expect(read(EXPECT)).toBe(before);
  });

  test('is of releases, not of policies', () => {
    putCases(EXPECT, [{ kernel: 'v6.8' }]);
    const { status, stderr } = check(
      folder,
      '--update',
      '--kernel',
      './docs/policies/first-fix.mjs',
    );
    expect(status).toBe(2);
    expect(stderr).toContain('expectations are of releases, not of policies');
    expect(casesOf(EXPECT)).toEqual([{ kernel: 'v6.8' }]);
  });
});

describe('a case', () => {
  test('takes options, a boot log beside the trace among them', () => {
    put('trace.csv', 'dev,op,orig_addr,size\nsda,map,0x1000800,2048\n');
    put(
      'boot.log',
      '[    0.5] software IO TLB: mapped [mem 0x0000000070000000-0x0000000074000000] (64MB)\n',
    );
    const options = { dmesg: 'boot.log', devices: ['sd*:min_align_mask=0xfff'] };
    putCases(EXPECT, [
      { kernel: 'v6.12', options, addresses: [{ line: 2, address: '0x70000800' }] },
      { kernel: 'v6.12', bounds: ['failed <= 0'] },
    ]);
    const { stdout } = check(folder);
    expect(stdout).toContain('1 of 2 cases as expected, 1 could not be checked');
    expect(stdout).toMatch(/trace\.csv {2}v6\.12\n {2}the trace does not say where the pool lies/);
  });

  test.each([
    [{ devices: ['sda:size=1'] }, 'options of the case'],
    [{ pools: ['base=1'] }, 'base=1 is not a multiple of 2048'],
    [{ dmesg: 'missing.log' }, 'missing.log: '],
  ])('with options %j cannot be checked', (options, message) => {
    put('trace.csv', trace(1));
    putCases(EXPECT, [{ kernel: 'v6.8', options }]);
    const { status, stdout, stderr } = check(folder);
    expect(status).toBe(2);
    expect(stdout).toContain('ERROR');
    expect(stdout.replace(/\s+/g, ' ')).toContain(message);
    expect(stderr).toBe('');
  });

  test('has digests when the trace is long, and a failing check tells the block', () => {
    const path = put('trace.csv', trace(5000));
    check(path, '--update');
    const [{ addresses, addressBlocks }] = casesOf(EXPECT);
    expect(addresses).toBeUndefined();
    expect(addressBlocks?.map(({ line, count }) => [line, count])).toEqual([
      [5, 4096],
      [4101, 904],
    ]);
    expect(check(path).status).toBe(0);
    put('trace.csv', trace(4999));
    expect(check(path).stdout).toContain('line 4101: address: expected 904 results from line 4101');
  });

  test('of an incomplete trace passes only where that is expected', () => {
    put('trace.csv', `${trace(1)}#${'x'.repeat(1 << 20)}\n`);
    putCases(EXPECT, [{ kernel: 'v6.8' }]);
    expect(check(folder).status).toBe(1);
    check(folder, '--update');
    expect(casesOf(EXPECT)).toEqual([{ kernel: 'v6.8', incomplete: true }]);
    expect(check(folder).status).toBe(0);
  });
});

describe('what cannot be checked', () => {
  test('is told with what can, and ends in exit status 2', () => {
    put('a.csv', trace(1));
    put('a.csv.expect.json', '{');
    put('b.csv.expect.json', '{}');
    put('c.csv', trace(1));
    putCases('c.csv.expect.json', [{ kernel: 'v6.8', bounds: ['failed <= 0'] }]);
    const { status, stdout } = check(folder);
    expect(status).toBe(2);
    expect(stdout).toMatch(/ERROR .*a\.csv\n.*a\.csv\.expect\.json: line 1: is no JSON/);
    expect(stdout).toMatch(/ERROR .*b\.csv\n.*the trace is not/);
    expect(stdout).toContain('1 of 1 case as expected, 2 could not be checked');
  });

  test('are traces without expectations, which are listed; other files are not', () => {
    put('a.csv', trace(1));
    put('notes.md', 'no trace\n');
    const { status, stdout, stderr } = check(folder);
    expect(stdout).toMatch(/^SKIPPED .*a\.csv: no \.expect\.json file beside it\n0 of 0 cases/);
    expect(stdout).not.toContain('notes');
    expect(status).toBe(3);
    expect(stderr).toContain('--update writes them');
  });

  test.each([
    [['no-such-folder']],
    [['-']],
    [['docs/schema']],
    [['traces', '--shard', '3/2']],
    [['traces', '--jobs', '0']],
    [['traces', '--update', '--json']],
    [['traces', '--report', 'sarif']],
  ])('is wrong usage: %j', (args) => {
    const { status, stdout, stderr } = check(...args);
    expect(status).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).not.toContain('internal');
  });
});

describe('a result', () => {
  test('is the same with one thread and with several, from wherever it is started', () => {
    const one = everyOutput('traces', '--jobs', '1').told;
    expect(everyOutput('traces', '--jobs', '3').told).toEqual(one);
    for (const output of OUTPUTS) {
      expect(one[output]).not.toBe('');
      expect(one[output]).not.toContain(PROJECT);
    }
    const files = check(
      'traces/page-bits',
      'traces/page-bits/trace.csv',
      join(PROJECT, 'traces/page-bits'),
    );
    expect(files.stdout).toBe('2 of 2 cases as expected\n');
  });

  test('of the shards together is that of the whole', () => {
    const traces = (...args: string[]): string[] =>
      JSON.parse(check('traces', '--json', ...args).stdout).traces.map(
        (each: { trace: string }) => each.trace,
      );
    const shards = ['1/3', '2/3', '3/3'].map((shard) => traces('--shard', shard));
    expect(shards.flat().sort()).toEqual(traces());
    expect(check('traces/page-bits', '--shard', '2/2').status).toBe(0);
  });

  test('as JSON holds against its schema', () => {
    const schema = JSON.parse(readFileSync(join(PROJECT, 'docs/schema/check-1.json'), 'utf8'));
    const validate = new Ajv({ allErrors: true, allowUnionTypes: true }).compile(schema);
    put('a.csv', trace(1));
    put('b.csv', trace(1));
    putCases('b.csv.expect.json', [{ kernel: 'v6.8', addresses: [] }, { kernel: 'v99' }]);
    putCases('c.csv.expect.json', [{ kernel: 'v6.8' }]);
    const result = JSON.parse(check(folder, '--json').stdout);
    validate(result);
    expect(validate.errors).toBeNull();
    expect(result.summary).toEqual({
      traces: 3,
      cases: 2,
      passed: 0,
      failed: 1,
      error: 2,
      skipped: 1,
    });
  });

  test('goes to several files at once', () => {
    const sarif = join(folder, 'check.sarif');
    const junit = join(folder, 'check.xml');
    const { stdout } = check('traces', '--report', `sarif=${sarif}`, '--report', `junit=${junit}`);
    expect(stdout).toMatch(/as expected\n$/);
    expect(JSON.parse(read('check.sarif')).version).toBe('2.1.0');
    expect(read('check.xml')).toContain('<testsuites ');
  });

  test('tells of hostile device names without passing them on', () => {
    put('trace.csv', trace(1, '"\u001b]0;x\u0007\u202e::error::"'));
    putCases(EXPECT, [{ kernel: 'v6.8', findings: [] }]);
    const { status, told } = everyOutput(folder);
    expect(status).toBe(1);
    for (const output of OUTPUTS) {
      expect(told[output]).toContain('leak');
      expect(told[output]).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}]/u);
    }
  });
});
