import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PLOTS } from '../../src/render/html/plot.js';
import { swiotlbReplay } from '../support/cli.js';

const SEED = 'traces/double-allocation/trace.log';
const IOMMU = 'traces/iommu-lost-sync/trace.csv';
const STORIES = [
  SEED,
  'traces/fragmented/trace.csv',
  'traces/freed-neighbour/trace.csv',
  'traces/contradicting-masks/trace.csv',
  'traces/endless-search/trace.csv',
  'traces/returned-late/trace.txt',
  'traces/transient-odd-slot/trace.csv',
];

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'swiotlb-replay-report-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const report = (...args: string[]) => swiotlbReplay(['report', ...args]);

describe('the page', () => {
  test('has the exit status of a replay', () => {
    const file = join(folder, 'status.html');
    expect(report(SEED, '--html', file).status).toBe(1);
    expect(report(SEED, '--html', file, '--kernel', 'v6.9').status).toBe(0);
    expect(report(SEED, '--html', file, '--fail-on', 'never').status).toBe(0);
    expect(readFileSync(file, 'utf8')).toContain('On v6.8, ');
  });

  test('is what replay writes with --output html', () => {
    const page = report(SEED, '--html', '-').stdout;
    expect(swiotlbReplay(['replay', SEED, '--output', 'html']).stdout).toBe(page);
  });

  test.each(STORIES)('of %s lets the browser run what has these hashes alone', (trace) => {
    const page = report(trace, '--html', '-').stdout;
    const [, policy] =
      /<meta http-equiv="Content-Security-Policy" content="([^"]*)">/.exec(page) ?? [];
    expect(policy).toMatch(/^default-src 'none';/);
    expect(policy).not.toContain('unsafe');
    const hashOf = (text: string) => createHash('sha256').update(text).digest('base64');
    const [, style] = /<style>([^<]*)<\/style>/.exec(page) ?? [];
    const [, script] = /<script>([\s\S]*?)<\/script>/.exec(page) ?? [];
    expect(policy).toContain(`style-src 'sha256-${hashOf(style)}'`);
    expect(policy).toContain(`script-src 'sha256-${hashOf(script)}'`);
    expect(page).not.toMatch(/ style="| on\w+="|javascript:/);
  });

  test('holds data that its script can read', () => {
    const page = report('traces/fragmented/trace.csv', '--html', '-').stdout;
    const [, text] = /<script type="application\/json" id="data">(.*)<\/script>/.exec(page) ?? [];
    const [map] = JSON.parse(text);
    expect(map).toMatchObject({ id: 'map-0', low: 0, high: 64, rows: 64, columns: 98, per: 1 });
  });

  test('says that a trace is incomplete', () => {
    const { stdout, status } = report('traces/lost-unmap/trace.txt', '--html', '-');
    expect(stdout).toContain('The trace is incomplete, so no verdict on it is safe.');
    expect(status).toBe(3);
  });

  test('does not replace an older one where the trace cannot be used', () => {
    const file = join(folder, 'older.html');
    writeFileSync(file, 'older');
    const { status } = report(join(folder, 'missing.csv'), '--html', file);
    expect(status).toBe(2);
    expect(readFileSync(file, 'utf8')).toBe('older');
    expect(existsSync(join(folder, 'new.html'))).toBe(false);
    expect(report('package.json', '--html', join(folder, 'new.html')).status).toBe(2);
    expect(existsSync(join(folder, 'new.html'))).toBe(false);
  });
});

/** A trace of a few rows in a small pool. */
function traceOf(name: string, ...rows: string[]): string {
  const file = join(folder, name);
  writeFileSync(
    file,
    '#swiotlb-trace 1\n#kernel version=v6.8 page_size=4096\n' +
      '#pool name=default base=0x80000000 nslabs=64 areas=1 index=0\n' +
      `dev,op,orig_addr,size,tlb_addr\n${rows.join('\n')}\n`,
  );
  return file;
}

describe('a trace with little to draw', () => {
  test.each([
    ['no request at all', 'eth0,sync_for_cpu,,4096,0x80000000'],
    ['refused requests alone', 'eth0,map,0x1000,262144,full'],
    ['releases of what it does not know', 'eth0,unmap,,4096,0x90000000'],
  ])('such as %s is drawn all the same', (_, row) => {
    const trace = traceOf('little.csv', row);
    const texts = [
      report(trace, '--html', '-'),
      report(trace, '--html', '-', '--new-swiotlb', '512'),
      ...Object.keys(PLOTS).map((what) => report(trace, '--plot', what)),
    ].map(({ stdout }) => stdout.replace(/<script>[\s\S]*?<\/script>/, ''));
    for (const text of texts) {
      expect(text).toMatch(/<\/(html|svg)>\n$/);
      expect(text).not.toMatch(/NaN|undefined|Infinity/);
    }
  });
});

describe('two sides', () => {
  test('may be releases or pools, and end in 1 where they differ', () => {
    const html = ['--html', '-'];
    const releases = report(SEED, '--old', 'v6.8', '--new', 'v6.9', ...html);
    expect(releases.status).toBe(1);
    expect(releases.stdout).toContain('Vanish with v6.9: 8 findings');
    const pools = report('traces/fragmented/trace.csv', '--new-swiotlb', '128', ...html);
    expect(pools.status).toBe(1);
    expect(pools.stdout).toContain(': 64 slots and 128 slots</title>');
    expect(report(SEED, '--old', 'v6.12', '--new', 'v7.2', ...html).status).toBe(0);
  });
});

describe('a plot', () => {
  test.each(Object.keys(PLOTS))('of %s goes to standard output, or to a file', (what) => {
    const { stdout, status } = report('traces/fragmented/trace.csv', '--plot', what);
    expect(status).toBe(1);
    expect(stdout).toMatch(/^<svg xmlns="http:\/\/www.w3.org\/2000\/svg" [\s\S]*<\/svg>\n$/);
    const file = join(folder, `${what}.svg`);
    report('traces/fragmented/trace.csv', '--plot', what, '-o', file);
    expect(readFileSync(file, 'utf8')).toBe(stdout);
  });

  test('may come with a page', () => {
    const [page, plot] = [join(folder, 'both.html'), join(folder, 'both.svg')];
    report(SEED, '--html', page, '--plot', 'sizes', '-o', plot);
    expect(readFileSync(page, 'utf8')).toMatch(/^<!doctype html>/);
    expect(readFileSync(plot, 'utf8')).toMatch(/^<svg /);
  });
});

test.each([
  [[SEED], 'what is drawn? Give --html FILE or --plot WHAT'],
  [[SEED, '--plot', 'all'], 'Allowed choices are occupancy, fragmentation, sizes'],
  [[SEED, '--plot', 'sizes', '--old', 'v6.8', '--new', 'v6.9'], 'give --kernel instead'],
  [[SEED, '--html', '-', '--plot', 'sizes'], 'would go both to standard output'],
  [[SEED, '--html', '-', '--old', 'v6.8'], 'which releases are compared?'],
  [[IOMMU, '--html', '-'], 'which only the commands'],
])('%j is refused with advice', (args, words) => {
  const { status, stderr, stdout } = report(...args);
  expect([status, stdout]).toEqual([2, '']);
  expect(stderr).toContain(words);
});

test.each([
  [[SEED, SEED], 'one page tells of one trace'],
  [[IOMMU], '--output html is for traces of swiotlb'],
])('replay of %j as a page is refused with advice', (paths, words) => {
  const { status, stderr, stdout } = swiotlbReplay(['replay', ...paths, '--output', 'html']);
  expect([status, stdout]).toEqual([2, '']);
  expect(stderr).toContain(words);
});

test('the help has examples that run', () => {
  const examples = [...report('--help').stdout.matchAll(/^ {2}swiotlb-replay (.+)$/gm)];
  expect(examples.length).toBeGreaterThanOrEqual(3);
  for (const [, example] of examples) {
    const args = example
      .split(' ')
      .map((arg) => (/^\w+\.(html|svg)$/.test(arg) ? join(folder, arg) : arg));
    const { status, stderr } = swiotlbReplay(args);
    expect([status, stderr]).toEqual([1, '']);
  }
  expect(readdirSync(folder)).toEqual(expect.arrayContaining(['report.html', 'occupancy.svg']));
});
