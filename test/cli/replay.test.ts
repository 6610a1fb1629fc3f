import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PROJECT, swiotlbReplay } from '../support/cli.js';
import { SWIOTLB_TRACES } from '../support/stories.js';

const SEED = 'traces/double-allocation/trace.log';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'swiotlb-replay-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function traceFile(name: string, text: string | Buffer): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

function jsonOf(args: string[]) {
  const { stdout, stderr, status } = swiotlbReplay([...args, '--json']);
  return { report: JSON.parse(stdout || 'null'), status, stderr };
}

describe('the trace that it began with', () => {
  test('goes on with slots that come again, whose buffers were released though no line tells it', () => {
    const line = readFileSync(join(PROJECT, SEED), 'utf8').split('\n')[0];
    const path = traceFile('again.log', `${line}\n${line}\n`);
    const { report } = jsonOf([path, '--kernel', 'v6.8']);
    expect(report.summary).toMatchObject({ maps: 2, unmaps: 1, live: 1, doubleAllocatedPages: [] });
    expect(report.losses).toEqual([]);
    expect(report.assumptions.map(({ message }: { message: string }) => message)).toContainEqual(
      expect.stringMatching(/^releases inferred, here and further on: 1;/),
    );
  });

  test('shows the bug with v6.8', () => {
    const { report, status } = jsonOf([SEED, '--kernel', 'v6.8']);
    expect(status).toBe(1);
    expect(report.allocations.map((row: { tlbAddr: string }) => row.tlbAddr)).toEqual([
      '0x98326800',
      '0x98328800',
      '0x9832a800',
    ]);
    expect(report.summary.findings['page-alignment']).toBe(3);
    expect(report.summary.doubleAllocatedPages).toEqual(['0x98328000', '0x9832a000']);
    const doubles = report.findings.filter(
      (finding: { rule: string }) => finding.rule === 'double-allocated-page',
    );
    expect(
      doubles.map((finding: { address: string; related: { line: number }[] }) => [
        finding.address,
        finding.related.map(({ line }) => line),
      ]),
    ).toEqual([
      ['0x98328000', [1, 2]],
      ['0x9832a000', [2, 3]],
    ]);
    expect(report.pools[0]).toMatchObject({ base: '0x97ff0000', nslabs: 7168, used: 12 });
  });

  test('is replayed with the release that gives its addresses when none is named', () => {
    const { report, status } = jsonOf([SEED]);
    expect(status).toBe(1);
    expect(report.kernel).toBe('v6.8');
    expect(report.kernelReason).toContain('every recorded address');
    expect(report.summary.mismatches).toBe(0);
  });

  test('says what was inferred', () => {
    const { report } = jsonOf([SEED]);
    const said = report.assumptions.map(({ message }: { message: string }) => message).join('\n');
    expect(said).toContain('base 0x97ff0000');
    expect(said).toContain('index 1645');
    expect(said).toContain('4096');
  });

  test.each(['v6.8+will-v1', 'v6.9', 'v6.12'])('is clean with %s', (kernel) => {
    const { report, status } = jsonOf([SEED, '--kernel', kernel]);
    expect(status).toBe(0);
    expect(report.summary.doubleAllocatedPages).toEqual([]);
    for (const { tlbAddr } of report.allocations) expect(Number(tlbAddr) % 4096).toBe(0);
  });

  test('reads the same behind what mail, logs and other systems put in front', () => {
    const lines = readFileSync(join(PROJECT, SEED), 'utf8').trim().split('\n');
    const bare = lines.map((line) => line.replace(/^ *\| /, ''));
    const noise = ['Hello,', '', 'random: crng init done', 'orig_addr is explained above'];
    const text = [
      ...noise,
      `> > | ${bare[0]}\r`,
      `Jan  4 23:12:54 host kernel: [   12.345678] ${bare[1]}`,
      ...noise,
      `[   12.345699][    T0] ${bare[2]}`,
    ].join('\n');
    const { stdout, status } = swiotlbReplay(['-', '--json'], { input: text });
    const report = JSON.parse(stdout);
    expect(status).toBe(1);
    expect(report.summary.findings).toMatchObject({
      'page-alignment': 3,
      'double-allocated-page': 2,
    });
    expect(report.findings[0].line).toBe(5);
  });
});

describe('the report', () => {
  const schema = JSON.parse(readFileSync(join(PROJECT, 'docs/schema/report-1.json'), 'utf8'));
  const validate = new Ajv({ allErrors: true }).compile(schema);

  test.each(SWIOTLB_TRACES)('of %s holds against its schema', (path) => {
    const { report } = jsonOf([path]);
    validate(report);
    expect(validate.errors).toBeNull();
  });

  test.each(SWIOTLB_TRACES)('of %s leaves the allocations out when told to', (path) => {
    const { report } = jsonOf([path, '--no-allocations']);
    expect(report.allocations).toBeUndefined();
    validate(report);
    expect(validate.errors).toBeNull();
  });

  test('puts the verdict first, then findings, allocations, fragmentation', () => {
    const { stdout } = swiotlbReplay([SEED]);
    const places = ['5 errors, 3 warnings', 'Findings', 'Allocations', 'Fragmentation'].map(
      (words) => stdout.indexOf(words),
    );
    expect(places).toEqual([...places].sort((a, b) => a - b));
    expect(places[0]).toBeGreaterThan(0);
    expect(stdout.split('\n')[0]).toContain('5 errors');
  });

  test('has no escape sequences without a terminal, and has them when forced', () => {
    expect(swiotlbReplay([SEED]).stdout).not.toContain('\x1b');
    expect(swiotlbReplay([SEED], { env: { FORCE_COLOR: '1' } }).stdout).toContain('\x1b[31m');
    for (const env of [{ FORCE_COLOR: '1' }, { FORCE_COLOR: '1', NO_COLOR: '1' }]) {
      expect(swiotlbReplay([SEED, '--no-color'], { env }).stdout).not.toContain('\x1b');
    }
  });

  test('goes to a file complete or not at all', () => {
    const file = join(folder, 'report.json');
    expect(swiotlbReplay([SEED, '--json', '-o', file]).stdout).toBe('');
    expect(JSON.parse(readFileSync(file, 'utf8')).kernel).toBe('v6.8');
    const nowhere = swiotlbReplay([SEED, '-o', join(folder, 'no/such/folder/x')]);
    expect(nowhere.status).toBe(2);
    expect(nowhere.stderr).toContain('cannot be written');
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  test('is one per trace and line in JSON', () => {
    const { stdout } = swiotlbReplay([...SWIOTLB_TRACES, '--json']);
    const reports = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(reports.map(({ trace }) => trace.path)).toEqual(SWIOTLB_TRACES);
  });

  test('ends quietly when its reader has seen enough', () => {
    const rows = Array.from(
      { length: 20000 },
      (_, n) => `d,map,0x${(n * 4096 + 4096).toString(16)},512`,
    );
    const path = traceFile(
      'many.csv',
      `#pool name=default base=0x80000000 nslabs=32768\ndev,op,orig_addr,size\n${rows.join('\n')}\n`,
    );
    const command = `"${process.execPath}" bin/swiotlb-replay.js "${path}" --json | head -c 20`;
    const { stdout, stderr } = spawnSync('sh', ['-c', command], { cwd: PROJECT, encoding: 'utf8' });
    expect({ stdout, stderr }).toEqual({ stdout: '{"schema":"swiotlb-r', stderr: '' });
  });

  test('lists every allocation in JSON, and folds them in text', () => {
    const rows = Array.from({ length: 3000 }, () => 'd,map,0x1000,512');
    const input = `#pool name=default base=0x80000000 nslabs=4096\ndev,op,orig_addr,size\n${rows.join('\n')}\n`;
    const { stdout } = swiotlbReplay(['-', '--json'], { input });
    expect(JSON.parse(stdout).allocations).toHaveLength(3000);
    const text = swiotlbReplay(['-'], { input }).stdout;
    expect(text).toContain('... 2984 more requests');
    expect(text.split('\n').length).toBeLessThan(60);
  });
});

describe('the exit status', () => {
  test.each([
    [['--fail-on', 'error'], 0],
    [['--fail-on', 'warning'], 1],
    [['--fail-on', 'never'], 0],
  ])('with %j of a trace with warnings is %d', (options, status) => {
    expect(swiotlbReplay([SEED, '--kernel', 'v6.8+will-v1', ...options]).status).toBe(status);
  });

  test('is 0 with --fail-on never whatever is found', () => {
    expect(swiotlbReplay([SEED, '--kernel', 'v6.8', '--fail-on', 'never']).status).toBe(0);
  });

  test('is 0 for help and version', () => {
    expect(swiotlbReplay(['--help']).status).toBe(0);
    expect(swiotlbReplay(['--version']).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});

describe('geometry from the command line', () => {
  const bare = 'dev,op,orig_addr,size\nnvme0,map,0x12340a00,4096\n';

  test('is asked for where the trace has none', () => {
    const { status, stderr } = swiotlbReplay(['-'], { input: bare });
    expect(status).toBe(2);
    expect(stderr).toContain('--pool base=ADDRESS,nslabs=SLOTS');
  });

  test('replaces and completes what the trace says', () => {
    const { stdout } = swiotlbReplay(
      [
        '-',
        '--json',
        '--pool',
        'base=0x80000000,nslabs=1024,areas=2,index=8:0',
        '--device',
        'nvme*:min_align_mask=0xfff',
        '--page-size',
        '4K',
      ],
      { input: bare },
    );
    const report = JSON.parse(stdout);
    expect(report.pools[0]).toMatchObject({ base: '0x80000000', nslabs: 1024, areas: 2 });
    expect(report.allocations[0].tlbAddr).toBe('0x80004a00');
  });

  test.each([
    [['--pool', 'base=0x80000001,nslabs=4'], 'not a multiple of 2048'],
    [['--pool', 'areas=3'], 'not a power of two'],
    [['--pool', 'size=3'], 'not KEY=VALUE'],
    [['--device', 'min_align_mask=0xfff'], 'a colon'],
    [['--device', 'x:seg_boundary_mask=0x1000'], 'power of two less one'],
    [['--page-size', '8192'], '4096, 16384, 65536'],
    [['--input-format', 'xml'], 'csv, jsonl, bpftrace, dev-dbg, ftrace'],
    [['--output', 'xml'], 'text, json'],
  ])('refuses %j', (options, message) => {
    const { status, stderr } = swiotlbReplay([SEED, ...options]);
    expect(status).toBe(2);
    expect(stderr).toContain(message);
  });
});
