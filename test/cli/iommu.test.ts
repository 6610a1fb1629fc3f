import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { describe, expect, test } from 'vitest';
import { PROJECT, swiotlbReplay } from '../support/cli.js';
import { filesOf, linesOf } from '../support/iommuVectors.js';

const FILES = [...filesOf('iova'), ...filesOf('dma-iommu')];

/** A vector by what its name begins and ends with. */
function vector(begin: string, version: string): string {
  const found = FILES.find(({ name }) => name.startsWith(begin) && name.endsWith(`-${version}`));
  if (found === undefined) throw new Error(`no vector ${begin} of ${version}`);
  return found.path;
}

const OLD = vector('dma-collision', 'v5.14');
const NEW = vector('dma-collision', 'v7.2.13');
const LAZY = vector('iova-lazy', 'v7.2.13');
const HANG = vector('dma-pool-full', 'v6.1');

function json(args: string[], input: string | Buffer = '') {
  const { status, stdout, stderr } = swiotlbReplay([...args, '--json'], { input });
  if (stdout === '') throw new Error(stderr);
  return { status, result: JSON.parse(stdout) };
}

/** The lines of a vector with one of them changed. */
function changed(path: string, change: (lines: string[]) => void): string {
  const lines = linesOf(path);
  change(lines);
  return lines.join('\n');
}

/** The number of the line of the first row for which something holds. */
function rowOf(lines: readonly string[], holds: (fields: string[]) => boolean): number {
  return lines.findIndex((line) => !line.startsWith('#') && holds(line.split(','))) + 1;
}

describe('verify of IOMMU traces', () => {
  test('has nothing to say of rows that tell requests alone', () => {
    const head = linesOf(NEW).filter((line) => line.startsWith('#') || line.startsWith('time,'));
    const device = /^#device name=(\S+)/m.exec(head.join('\n'))?.[1];
    const map = `0.001,0,${device},map_page,0,0x40200200,512,1,0x0,,,,,,,,,,`;
    const { status, result } = json(['verify', '-'], [...head, map, ''].join('\n'));
    expect({ status, result }).toMatchObject({
      status: 3,
      result: { recorded: 0, mismatches: [] },
    });
  });

  test('reproduces every row of every vector', () => {
    const { stdout, status } = swiotlbReplay([
      'verify',
      '--strict',
      '--json',
      ...FILES.map(({ path }) => path),
    ]);
    const results = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(results.length).toBe(FILES.length);
    for (const result of results) {
      expect(result).toMatchObject({ schema: 'swiotlb-replay/verify@1', mismatches: [] });
      expect(result.recorded).toBeGreaterThan(0);
      expect(result.reproduced).toBe(result.recorded);
    }
    expect(status).toBe(0);
  });

  // Column by its number in a row, and a value that is wrong there.
  test.each([
    ['dma', 9, '0x1234'],
    ['result', 10, '0x7'],
    ['granules', 11, '9999'],
    ['slots', 12, '9999'],
    ['leaked', 13, '99999'],
    ['to_bounce', 14, '9:99'],
    ['from_bounce', 15, '8:88'],
    ['arch', 16, 'D0x1000+4'],
    ['warn', 17, '77'],
    ['crc', 18, '00c0ffee'],
  ])('names the column %s where it differs', (name, column, value) => {
    let line = 0;
    const text = changed(OLD, (lines) => {
      line = rowOf(lines, ([, , , op]) => op === (name === 'crc' ? 'cpu_read' : 'map_page'));
      const fields = lines[line - 1].split(',');
      fields[column] = value;
      lines[line - 1] = fields.join(',');
    });
    const { result, status } = json(['verify', '-'], text);
    const [first] = result.mismatches;
    expect(first.line).toBe(line);
    expect(first.recorded).toContain(`${name} ${value}`);
    expect(first.replayed).toContain(`${name} `);
    expect(status).toBe(1);
  });

  test('does not ask for a state that a row does not record', () => {
    const text = changed(OLD, (lines) => {
      for (const [n, line] of lines.entries()) {
        if (!/^\d/.test(line)) continue;
        const fields = line.split(',');
        for (const column of [11, 12, 13, 14, 15, 17]) fields[column] = '';
        lines[n] = fields.join(',');
      }
    });
    const { result, status } = json(['verify', '--strict', '-'], text);
    expect(result.mismatches).toEqual([]);
    expect(status).toBe(0);
  });

  test.each(['fq_timeout', 'dma_alloc'])('compares %s rows of an iova trace', (wanted) => {
    let line = 0;
    const text = changed(LAZY, (lines) => {
      line = rowOf(lines, ([, , , op]) => op === wanted);
      const fields = lines[line - 1].split(',');
      if (wanted === 'dma_alloc') fields[8] = '0x5';
      else fields[1] = fields[1] === '0' ? '1' : '0';
      lines[line - 1] = fields.join(',');
    });
    const many = text.replace(/ cpus=\d+/, ' cpus=4');
    const { result, status } = json(['verify', '-'], many);
    expect(result.mismatches[0]).toMatchObject({ line });
    expect(status).toBe(1);
  });

  test('misses a timer that the trace does not record', () => {
    const text = changed(LAZY, (lines) => {
      const first = rowOf(lines, ([, , , op]) => op === 'fq_timeout');
      const next = lines.findIndex((line, n) => n >= first && line.includes(',fq_timeout,'));
      lines.splice(next, 1);
    });
    const { result } = json(['verify', '-'], text);
    expect(result.mismatches[0].replayed).toContain('fq_timeout at');
  });

  test('says where another release parts from the record', () => {
    const { stdout, status } = swiotlbReplay(['verify', NEW, '--kernel', 'v5.14']);
    expect(stdout).toMatch(/^DIFFERS {2}.* v5\.14: \d+ of \d+ recorded rows/);
    expect(stdout).toMatch(/line \d+ {2}recorded \w+: .*; v5\.14 gives /);
    expect(status).toBe(1);
  });

  test('goes on behind a search that never ends as if its call had not been made', () => {
    const text = changed(vector('dma-pool-full', 'v6.1'), (lines) => {
      const last = lines.findLastIndex((line) => line !== '');
      const state = lines[last - 1].split(',').slice(11, 14).join(',');
      lines.splice(last + 1, 0, `0.046,0,usb,fq_timeout,,,,,,,,${state},0:0,0:0,,0,`);
    });
    const { result } = json(['verify', '-'], text);
    const differing = result.mismatches.flatMap(({ replayed }: { replayed: string }) =>
      replayed.split(', '),
    );
    // What is mapped and used is still what it was; the timer is none that the model has.
    expect(differing).toHaveLength(1);
  });
});

/** What is wrong with an output by a schema of docs/schema; null for nothing. */
function errorsBy(name: string, output: unknown): unknown {
  const schema = JSON.parse(readFileSync(join(PROJECT, `docs/schema/${name}-1.json`), 'utf8'));
  const validate = new Ajv({ allErrors: true, allowUnionTypes: true }).compile(schema);
  validate(output);
  return validate.errors;
}

const MANY = [OLD, NEW, LAZY, HANG, vector('iova-depot', 'v5.19')];

describe('JSON of IOMMU traces', () => {
  test.each(MANY)('keeps to the schema of each command: %s', (path) => {
    const sides = ['--old', 'v5.14', '--new', 'v6.12'];
    expect(errorsBy('iommu-report', json([path]).result)).toBeNull();
    expect(errorsBy('iommu-diff', json(['diff', path, ...sides]).result)).toBeNull();
    expect(errorsBy('identify', json(['identify', path]).result)).toBeNull();
    const damaged = json(['verify', path, '--kernel', 'v5.13'], '').result;
    expect(errorsBy('verify', damaged)).toBeNull();
  });

  test('of other traces keeps to them, too', () => {
    const trace = 'traces/page-bits/trace.csv';
    expect(errorsBy('verify', json(['verify', trace, '--kernel', 'v6.9']).result)).toBeNull();
    expect(errorsBy('identify', json(['identify', trace]).result)).toBeNull();
  });

  test('counts findings by their own level', () => {
    const { result, status } = json([vector('dma-trusted-sg', 'v5.14'), '--fail-on', 'warning']);
    expect(result.summary).toMatchObject({
      levels: { error: 0, warning: 0, note: 3 },
      findings: { 'granule-exposure': 3 },
    });
    expect(status).toBe(0);
    const { stdout } = swiotlbReplay([vector('dma-trusted-sg', 'v5.14')]);
    expect(stdout).toMatch(/^.*: nothing wrong found\n/);
    expect(stdout).toMatch(/^ {2}note {2}granule-exposure \(3\)/m);
    const exposing = json([
      'traces/iommu-granule-exposure/trace.csv',
      '--kernel',
      'v5.14+s1-5',
      '--fail-on',
      'warning',
    ]);
    expect(exposing.result.summary.levels.warning).toBeGreaterThan(0);
    expect(exposing.status).toBe(1);
  });
});

describe('replay of IOMMU traces', () => {
  test('tells mappings, copies, caches and what was mapped beyond need', () => {
    const { result, status } = json([OLD]);
    const [device] = result.devices;
    expect(device).toMatchObject({ name: 'nvme', granule: 4096, untrusted: true });
    const lines = linesOf(OLD).map((line) => line.split(','));
    const made = lines.filter(([, , , op, , , , , , dma]) => op === 'map_page' && dma !== 'error');
    const sum = (column: number): number =>
      lines.reduce((total, fields) => total + Number(fields[column]?.split(':')[1] ?? 0), 0);
    expect(device.mappings.made).toBe(made.length);
    expect(device.mappings.bytes).toBe(
      made.reduce((total, fields) => total + Number(fields[6]), 0),
    );
    expect(device.granulesMapped).toBe(Number(lines.at(-2)?.[11]));
    expect(result.effects.bytesIn).toBe(sum(14));
    expect(result.effects.bytesOut).toBe(sum(15));
    expect(result.pool.usedPeak).toBe(
      Math.max(...lines.map((fields) => Number(fields[12] ?? 0)).filter((n) => !Number.isNaN(n))),
    );
    const hits = device.caches.map(({ hits: n }: { hits: number }) => n);
    expect(Math.max(...hits)).toBeGreaterThan(0);
    expect(device.mappings.beyondNeed).toBeGreaterThan(0);
    expect([0, 1]).toContain(status);
  });

  test('tells the flush queue and the free address space of a domain', () => {
    const rows = linesOf(LAZY).filter((line) => /^\d/.test(line));
    const { result } = json([LAZY]);
    const [domain] = result.devices;
    const count = (op: string): number => rows.filter((row) => row.includes(`,${op},`)).length;
    expect(domain.lazy).toBe(true);
    expect(domain.queue.queued).toBe(count('dma_free'));
    expect(domain.mappings).toMatchObject({ made: count('dma_alloc'), failed: 0 });
    expect(domain.mappings.live).toBe(count('dma_alloc') - count('dma_free'));
    expect(domain.space.usedPeak).toBeGreaterThanOrEqual(domain.space.used);
    const { largestGap, lastAllowed } = domain.space;
    expect(largestGap).toBeLessThanOrEqual(lastAllowed);
    expect(result.effects).toBeNull();
  });

  test('says that a kernel hangs, and exits with 1', () => {
    const { stdout, status } = swiotlbReplay([HANG]);
    expect(stdout).toMatch(/^.*never ends: this kernel hangs/);
    expect(status).toBe(1);
    expect(json([HANG]).result.summary.findings).toMatchObject({ 'endless-search': 1 });
    expect(swiotlbReplay([HANG, '--fail-on', 'never']).status).toBe(0);
  });

  test('puts the options on top of what the trace declares', () => {
    const plain = json([OLD]).result;
    const trusted = json([OLD, '--device', 'nv*:untrusted=0']).result;
    expect(plain.effects.bytesIn).toBeGreaterThan(0);
    expect(trusted.effects.bytesIn).toBe(0);
    const lazy = json([OLD, '--iommu', 'lazy=1']).result;
    expect(lazy.devices[0].queue.queued).toBeGreaterThan(0);
    const large = json([NEW, '--page-size', '64K', '--iommu', 'granule=64K,pci=0']).result;
    expect(large).toMatchObject({ pageSize: 65536, devices: [{ granule: 65536 }] });
    const small = json([OLD, '--pool', 'nslabs=64']).result;
    expect(small.pool.nslabs).toBe(64);
    expect(small.devices[0].mappings.failed).toBeGreaterThan(plain.devices[0].mappings.failed);
  });

  test('tells iova rows from dma rows by the option, too', () => {
    const { stderr, status } = swiotlbReplay([LAZY, '--input-format', 'dma-iommu']);
    expect(stderr).toContain('no row of this dma-iommu trace');
    expect(status).toBe(2);
    expect(json([LAZY, '--input-format', 'iova']).result.trace.format).toBe('iova');
  });

  test('writes to a file', () => {
    const { stdout, status } = swiotlbReplay([LAZY, '-o', '/dev/null']);
    expect(stdout).toBe('');
    expect(status).toBe(0);
  });
});

describe('identify and diff of IOMMU traces', () => {
  test.each([OLD, NEW, LAZY])('names the releases that are recorded as identical: %s', (path) => {
    const [, version] = / identical=(\S+)/.exec(linesOf(path)[1]) ?? [];
    const { result, status } = json(['identify', path]);
    const tags = version.split(',').map((name) => name.replace(/^(v\d+\.\d+)\.\d+$/, '$1'));
    for (const tag of tags) expect(result.matches).toContain(tag);
    for (const { kernel, firstMismatch } of result.others) {
      expect(tags).not.toContain(kernel);
      expect(firstMismatch).toBeGreaterThan(0);
    }
    expect(status).toBe(0);
  });

  test('finds no release for rows that none gives', () => {
    const text = changed(LAZY, (lines) => {
      const at = rowOf(lines, ([, , , op]) => op === 'dma_alloc') - 1;
      lines[at] = lines[at].replace(/0x[0-9a-f]+$/, '0x77');
    });
    const { stdout, status } = swiotlbReplay(['identify', '-'], { input: text });
    expect(stdout).toContain('no release gives all');
    expect(status).toBe(1);
  });

  test('shows both sides of the rows that differ', () => {
    const { result, status } = json(['diff', OLD, '--old', 'v5.14', '--new', 'v5.16']);
    expect(result).toMatchObject({ schema: 'swiotlb-replay/iommu-diff@1', isDifferent: true });
    expect(result.differences[0]).toMatchObject({ op: 'map_page' });
    expect(result.differences[0].old).not.toBe(result.differences[0].new);
    const copied = result.statistics.find(
      ({ name }: { name: string }) => name === 'bytes copied out',
    );
    expect(copied.old).toBeGreaterThan(copied.new);
    expect(status).toBe(1);
    const { stdout } = swiotlbReplay(['diff', OLD, '--old', 'v5.14', '--new', 'v5.16']);
    expect(stdout).toMatch(/v5\.14 to v5\.16: \d+ of \d+ rows differ/);
  });

  test('tells regressions alone, and by them the exit status', () => {
    const story = 'traces/iommu-lost-sync/trace.csv';
    const forth = swiotlbReplay([
      'diff',
      story,
      '--old',
      'v5.14',
      '--new',
      'v5.16',
      '--only-regressions',
    ]);
    expect(forth.stdout).toContain(': no regression');
    expect(forth.status).toBe(0);
    const back = ['diff', story, '--old', 'v5.16', '--new', 'v5.14', '--only-regressions'];
    expect(swiotlbReplay(back).stdout).toMatch(
      /1 regression\nAppear with v5\.14: 1 finding\n {2}error +line 9 /,
    );
    const { result, status } = json(back);
    expect(result).toMatchObject({ vanished: [], appeared: [{ rule: 'lost-sync' }] });
    expect(status).toBe(1);
  });

  test('is told as Markdown, in which no name of a device does harm', () => {
    const text = linesOf(OLD).join('\n').replaceAll('nvme', 'n|<b>`@me');
    const args = ['diff', '-', '--old', 'v5.14', '--new', 'v5.16', '--output', 'markdown'];
    const { stdout } = swiotlbReplay(args, { input: text });
    expect(stdout).toMatch(/^### -: v5\.14 to v5\.16\n\n\*\*\d+ of \d+ rows differ/);
    expect(stdout).toContain('| line | call | v5.14 | v5.16 |');
    expect(stdout).toContain('n\\|&#60;b&#62;\\`&#64;me');
    expect(stdout).not.toMatch(/<b>|@me/);
  });

  test('compares pools as well as releases', () => {
    const pools = ['--kernel', 'v5.16', '--old-pool', 'nslabs=8', '--new-pool', 'nslabs=512'];
    const { result } = json(['diff', OLD, ...pools]);
    expect([result.old.pool.nslabs, result.new.pool.nslabs]).toEqual([8, 512]);
    const full = result.rules.find(({ rule }: { rule: string }) => rule === 'pool-full');
    expect(full.old).toBeGreaterThan(0);
    expect(full.new).toBe(0);
    const { stdout } = swiotlbReplay(['diff', OLD, ...pools]);
    expect(stdout).toContain('v5.16 (old) to v5.16 (new)');
  });

  test.each([
    [OLD, [], 'what is compared?'],
    [OLD, ['--old', 'v5.14'], 'which releases are compared?'],
    [OLD, ['--old', 'v5.14', '--new', 'v5.16', '--new-swiotlb', '512'], '--new-pool change it'],
    [LAZY, ['--new-pool', 'nslabs=8'], 'in an iova trace nothing is bounced'],
    [OLD, [NEW, '--by', 'findings'], 'diff of two sides'],
  ])('is wrong usage: %#', (path, args, message) => {
    const { status, stderr } = swiotlbReplay(['diff', path, ...args]);
    expect(stderr).toContain(message);
    expect(status).toBe(2);
  });

  test('finds no difference between releases that are alike', () => {
    const { stdout, status } = swiotlbReplay(['diff', NEW, '--old', 'v7.1', '--new', 'v7.2']);
    expect(stdout).toContain('no difference');
    expect(status).toBe(0);
  });

  test('goes on where one of two releases hangs', () => {
    const { result } = json(['diff', HANG, '--old', 'v6.1', '--new', 'v6.12']);
    expect(result.vanished.map(({ rule }: { rule: string }) => rule)).toContain('endless-search');
    expect(result.rows).toBe(43);
  });
});

describe('IOMMU runs of running kernels', () => {
  const root = process.env.SWIOTLB_REAL ?? join(PROJECT, 'test/vectors/real');
  const present = (['6.1-iommu-1', '6.12-iommu-1'] as const)
    .map((run) => ({ run, path: join(root, run, 'iova.csv.gz') }))
    .filter(({ path }) => existsSync(path));

  test('are there', () => {
    expect(present.length).toBeGreaterThan(0);
  });

  test.each(present)('are reproduced up to a call inside another: $run', ({ run, path }) => {
    const { result, status } = json(['verify', path]);
    if (run === '6.1-iommu-1') {
      expect(result).toMatchObject({ recorded: 56_711, reproduced: 56_711, mismatches: [] });
      expect(status).toBe(0);
    } else {
      // Row 59,317: an allocation made in an interrupt, inside another. Nine lines stand above the rows.
      expect(result.mismatches[0].line).toBe(59_317 + 9);
      expect(status).toBe(1);
    }
  });
});

test('docs/formats.md shows traces that are reproduced without a complaint', () => {
  const text = readFileSync(join(PROJECT, 'docs/formats.md'), 'utf8');
  const traces = [...text.matchAll(/^ {4}#(?:iova|dma-iommu)-trace 1\n(?: {4}.*\n)+/gm)];
  expect(traces.length).toBe(2);
  for (const [trace] of traces) {
    const { result } = json(['verify', '-', '--strict'], trace.replace(/^ {4}/gm, ''));
    expect(result).toMatchObject({ recorded: 2, reproduced: 2 });
  }
});
