import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { afterAll, describe, expect, test } from 'vitest';
import { PROJECT, swiotlbReplay } from '../support/cli.js';
import { expectConfirmed } from '../support/sizeAnswers.js';
import { SWIOTLB_TRACES } from '../support/stories.js';

const folder = mkdtempSync(join(tmpdir(), 'size-'));
afterAll(() => rmSync(folder, { recursive: true }));

let files = 0;
function file(text: string): string {
  const path = join(folder, `trace${files++}.csv`);
  writeFileSync(path, text);
  return path;
}

const schema = JSON.parse(readFileSync(join(PROJECT, 'docs/schema/size-1.json'), 'utf8'));
const validate = new Ajv({ allErrors: true }).compile(schema);

/** Runs `size --json`, and holds its output against the schema. */
function size(...args: string[]) {
  const { status, stdout, stderr } = swiotlbReplay(['size', ...args, '--json']);
  expect(stderr).toBe('');
  const found = JSON.parse(stdout);
  expect(validate(found), JSON.stringify(validate.errors)).toBe(true);
  return { status, found };
}

/** Stories in which a search misses what it needs in a pool of any size. */
const UNSERVED: Readonly<Record<string, string>> = {
  'traces/odd-start/trace.csv': 'alignment',
  'traces/restricted-alone/trace.csv': 'area-skew',
};

describe.each(SWIOTLB_TRACES)('the story %s', (path) => {
  test('has an answer that replays confirm in both directions, or a request that no size serves', () => {
    const workload = join(folder, `${path.split('/')[1]}.jsonl`);
    const { status, found } = size(path, '--workload', workload);
    const cause = UNSERVED[path];
    if (cause !== undefined) {
      expect(status).toBe(1);
      expect(found).toMatchObject({ answers: [], unanswered: [{ failsAt: { cause } }] });
      return;
    }
    expect(status).toBe(found.losses.length > 0 ? 3 : 0);
    expect(found.answers.length).toBeGreaterThan(0);
    const isSame = found.held.requests === 0 && !found.traces[0].dynamic;
    expectConfirmed(found, path, workload, isSame);
  });
});

describe('an answer', () => {
  test('leaves out what no pool serves, and names it', () => {
    const { status, found } = size('traces/contradicting-masks/trace.csv');
    expect(status).toBe(0);
    expect(found).toMatchObject({
      answers: [{ nslabs: 128, parameter: '128,1', failsAt: null }],
      neverServed: [
        { line: 7, cause: 'unsatisfiable', device: '0000:3b:00.0', size: 512 },
        { line: 8, cause: 'unsatisfiable' },
      ],
      neverServedCount: 2,
    });
  });

  test('is in bytes for a region of the device tree', () => {
    const { found } = size('traces/freed-neighbour/trace.csv');
    expect(found.answers).toMatchObject([
      { pool: 'vsock', restricted: true, areas: 1, nslabs: 128, bytes: 262144, parameter: null },
    ]);
    const { stdout } = swiotlbReplay(['size', 'traces/freed-neighbour/trace.csv']);
    expect(stdout).toContain('a region of 262144 bytes is enough for vsock');
  });

  test('names the request that fails one step smaller, and what the load peaks at', () => {
    const { stdout, status } = swiotlbReplay(['size', 'traces/stepped-over/trace.csv']);
    expect(status).toBe(0);
    expect(stdout).toMatch(/on v6\.9: swiotlb=256,1 is enough: 256 slots \(512 KiB\)\n/);
    expect(stdout).toMatch(/swiotlb=256,1 +1 +256 +512 KiB +105 /);
    expect(stdout).toMatch(
      / {2}128 slots \(256 KiB\), 1 area: line 17: 2 KiB for nvme0: alignment: /,
    );
  });

  test('is the static pool that needs none of those that grew', () => {
    const { found } = size('traces/transient-odd-slot/trace.csv');
    expect(found.traces).toMatchObject([{ dynamic: true }]);
    expect(JSON.stringify(found.assumptions)).toContain('CONFIG_SWIOTLB_DYNAMIC');
  });

  test('counts requests that were refused, and says how long they are taken to live', () => {
    const { found } = size('traces/fragmented/trace.csv');
    expect(found.held).toEqual({ requests: 2, untilRetry: 0, medianLifetime: 2, forever: 0 });
    expect(JSON.stringify(found.assumptions)).toContain(
      'requests that were refused when they were recorded (2)',
    );
  });

  test('of an incomplete trace ends in exit status 3', () => {
    const { status, found } = size('traces/lost-unmap/trace.txt');
    expect(status).toBe(3);
    expect(found.losses.length).toBeGreaterThan(0);
  });

  test('tells where the trace does not fit the kernel that it names', () => {
    const path = file(
      '#kernel version=v6.12\n#pool base=0x80000000 nslabs=128 index=0\n' +
        'dev,op,orig_addr,size,tlb_addr\nd,map,0x1000,2048,0x80000000\nd,map,0x2000,2048,0x80000000\n',
    );
    const { found } = size(path);
    expect(JSON.stringify(found.assumptions)).toContain('1 of 2 recorded results are not what');
    expect(JSON.stringify(size(path, '--kernel', 'v6.9').found.assumptions)).not.toContain(
      '1 of 2',
    );
  });

  test('is not given where 4 GiB are not enough, with exit status 1', () => {
    const path = file(
      '#kernel version=v6.12\n#pool base=0x80000000 nslabs=65536 index=0\ndev,op,orig_addr,size,tlb_addr\n' +
        maps(300, 262144).join('\n'),
    );
    const { status, found } = size(path, '--scale', '64');
    expect(found.answers).toEqual([]);
    expect(found.unanswered).toMatchObject([
      { areas: 1, failsAt: { nslabs: 2 ** 21, cause: 'exhausted' } },
    ]);
    expect(status).toBe(1);
    const { stdout } = swiotlbReplay(['size', path, '--scale', '64']);
    expect(stdout).toContain('no pool up to 2097152 slots (4096 MiB) serves every request');
  });
});

/** Rows of maps that are never given back. */
function maps(count: number, bytes: number, cpu = ''): string[] {
  return Array.from(
    { length: count },
    (_, n) =>
      `${cpu}d,map,0x${(2 ** 32 + n * bytes).toString(16)},${bytes},0x${(0x80000000 + n * bytes).toString(16)}`,
  );
}

const HEAD = '#kernel version=v6.12\n#pool base=0x80000000 nslabs=4096 areas=1 index=0\n';

describe('the load', () => {
  const path = file(`${HEAD}dev,op,orig_addr,size,tlb_addr\n${maps(100, 4096).join('\n')}\n`);

  test.each([
    ['1', 200],
    ['1.5', 300],
    ['2', 400],
    ['7', 1400],
  ])('is laid over itself by --scale %s', (scale, peak) => {
    const { found } = size(path, '--scale', scale);
    expect(found.scale).toBe(Number(scale));
    expect(Math.abs(found.answers[0].peakSlots - peak)).toBeLessThanOrEqual(4);
  });

  test('of a half more is what an answer tells as a burst', () => {
    const [answer] = size(path).found.answers;
    const [larger] = size(path, '--scale', '1.5').found.answers;
    expect(answer.burst).toEqual({
      areas: larger.areas,
      nslabs: larger.nslabs,
      bytes: larger.bytes,
      parameter: larger.parameter,
    });
  });

  test('is spread over CPUs by --cpus, and each number of areas up to that has an answer', () => {
    const { found } = size(path, '--cpus', '6');
    expect(found.cpus).toBe(6);
    const areas = found.answers.map((answer: { areas: number }) => answer.areas);
    expect([...areas].sort()).toEqual([1, 2, 4, 8]);
    const sizes = found.answers.map((answer: { nslabs: number }) => answer.nslabs);
    expect(sizes).toEqual([...sizes].sort((a, b) => a - b));
    const copy = join(folder, 'spread.jsonl');
    size(path, '--cpus', '6', '--workload', copy);
    const cpus = readFileSync(copy, 'utf8')
      .match(/"cpu":\d/g)
      ?.slice(0, 7);
    expect(cpus?.map((cpu) => Number(cpu.at(-1)))).toEqual([0, 1, 2, 3, 4, 5, 0]);
  });

  test('of a scaled trace can be replayed from --workload', () => {
    const workload = join(folder, 'scaled.jsonl');
    const { found } = size(path, '--scale', '2.5', '--workload', workload);
    expectConfirmed(found, path, workload, false);
  });
});

describe('several traces', () => {
  /** A hundred buffers that stay to the end, and a hundred that go at once. */
  const timed = (start: number): string => {
    const rows = maps(200, 2048);
    const release = (n: number): string => `d,unmap,,2048,${rows[n].split(',').at(-1)}`;
    const events = rows.flatMap((row, n) => (n < 100 ? [row] : [row, release(n)]));
    const ends = rows.slice(0, 100).map((_, n) => release(n));
    const lines = [...events, ...ends].map((row, n) => `${start + n * 0.5},${row}`);
    return file(`${HEAD}time,dev,op,orig_addr,size,tlb_addr\n${lines.join('\n')}\n`);
  };
  const first = timed(10);
  const second = timed(5000);

  test('are alternatives: the answer must hold for each', () => {
    const small = file(`${HEAD}dev,op,orig_addr,size,tlb_addr\n${maps(1, 2048).join('\n')}\n`);
    const { found } = size(small, first);
    expect(found).toMatchObject({ merged: false, path: `${small} ${first}` });
    expect(found.answers[0]).toMatchObject({ nslabs: 128, peakSlots: 101 });
    const doubled = size(small, first, '--scale', '2').found.answers[0];
    expect(doubled).toMatchObject({ nslabs: 256, failsAt: { nslabs: 128, path: first } });
  });

  test('are one load with --merge, by the clock or from one start', () => {
    const byClock = size(first, second, '--merge').found;
    expect(byClock).toMatchObject({ merged: true, answers: [{ peakSlots: 101, nslabs: 128 }] });
    const fromStart = size(first, second, '--merge', 'start').found;
    expect(fromStart.answers[0]).toMatchObject({ peakSlots: 202, nslabs: 256 });
  });

  test('can be merged only where they tell times', () => {
    const silent = 'traces/fragmented/trace.csv';
    const { status, stderr } = swiotlbReplay(['size', first, silent, '--merge']);
    expect(status).toBe(2);
    expect(stderr).toContain(`${silent}: does not tell the times of its events`);
  });

  test('of different kernels need a word on whose pool is meant', () => {
    const { status, stderr } = swiotlbReplay(['size', first, 'traces/stepped-over/trace.csv']);
    expect(status).toBe(2);
    expect(stderr).toMatch(/is of v6\.12, and .* of v6\.9: say with --kernel/);
    expect(size(first, 'traces/stepped-over/trace.csv', '--kernel', 'v6.12').status).toBe(0);
  });
});

describe('a sweep', () => {
  const args = [
    'traces/stepped-over/trace.csv',
    '--sweep',
    'nslabs=128..512|300,kernel=v5.19|v6.9',
  ];

  test('has a point for each kernel, number of areas and size, rounded as the kernel rounds', () => {
    const { status, found } = size(...args);
    expect(status).toBe(0);
    expect(found.answers).toEqual([]);
    const points = found.sweep.map((point: Record<string, unknown>) => [
      point.kernel,
      (point.asked as { nslabs: number }).nslabs,
      point.nslabs,
      point.failed,
    ]);
    expect(points).toEqual([
      ['v5.19', 128, 128, 0],
      ['v5.19', 256, 256, 0],
      ['v5.19', 512, 512, 0],
      ['v5.19', 300, 384, 0],
      ['v6.9', 128, 128, 1],
      ['v6.9', 256, 256, 0],
      ['v6.9', 512, 512, 0],
      ['v6.9', 300, 512, 0],
    ]);
    expect(found.sweep[4].first).toMatchObject({ line: 17, cause: 'alignment' });
  });

  test('is a table, CSV, or a map of shades', () => {
    const [text, csv, map] = ['text', 'csv', 'heatmap'].map((output) =>
      swiotlbReplay(['size', ...args, '--output', output]).stdout.split('\n'),
    );
    expect(text.find((line) => line.includes('128,1'))).toMatch(
      /v5\.19 +128,1 +1 +128 +256 KiB +0 /,
    );
    expect(csv).toHaveLength(10);
    expect(csv[5]).toBe(
      'default,v6.9,128,1,128,1,262144,10,1,0,traces/stepped-over/trace.csv,17,nvme0,alignment,105,105',
    );
    expect(map[1].trim().split(/ +/)).toEqual(['128', '256', '300', '512']);
    expect(map[3].trim().split(/ +/).slice(-4)).toEqual(['██', '··', '··', '··']);
  });

  test.each([
    ['areas=2', 'which sizes'],
    ['nslabs=0', '0 is no size'],
    ['nslabs=512..128', 'is no range'],
    ['nslabs=1..2*1', 'is no range'],
    ['nslabs=1..2+0', 'is no range'],
    ['nslabs=1..16777216+1', 'more than 10000'],
    ['nslabs=1..9000+1,areas=1|2', 'are more than the 10000'],
    ['nslabs=128,kernel=v1.0', 'unknown kernel v1.0'],
    ['nslabs=99999999', 'is not a number below'],
  ])('that cannot be made is refused: %s', (sweep, words) => {
    const { status, stderr } = swiotlbReplay([
      'size',
      'traces/stepped-over/trace.csv',
      '--sweep',
      sweep,
    ]);
    expect(status).toBe(2);
    expect(stderr).toContain(words);
  });
});

describe('the options', () => {
  test.each([
    [['--output', 'csv'], 'say with --sweep'],
    [['--swiotlb', '512'], 'is what this command finds'],
    [['--scale', '0.5'], 'from 1 to 64'],
    [['--cpus', '0'], 'from 1 to 4096'],
    [['--merge', 'time'], 'Allowed choices are clock, start'],
    [['--jobs', '0'], 'from 1 to 999'],
  ])('%s are refused', (args, words) => {
    const { status, stderr } = swiotlbReplay(['size', 'traces/stepped-over/trace.csv', ...args]);
    expect(status).toBe(2);
    expect(stderr).toContain(words);
  });

  test('a policy of the user is sized as a release is', () => {
    const { found } = size(
      'traces/page-bits/trace.csv',
      '--kernel',
      './docs/policies/first-fix.mjs',
    );
    expect(found).toMatchObject({
      kernel: 'v6.8+first-fix',
      answers: [{ nslabs: 256, peakSlots: 132 }],
    });
  });

  test('an IOMMU trace is refused', () => {
    const { status, stderr } = swiotlbReplay(['size', 'traces/iommu-lost-sync/trace.csv']);
    expect(status).toBe(2);
    expect(stderr).toContain('is an IOMMU trace');
  });
});

describe('on several processors', () => {
  /** 24,000 events on four CPUs: enough for workers to be started. */
  const long = file(
    `${HEAD}cpu,dev,op,orig_addr,size,tlb_addr\n${Array.from({ length: 12_000 }, (_, n) => {
      const address = `0x${(0x80000000 + (n % 512) * 16384).toString(16)}`;
      const late = `0x${(0x80000000 + ((n + 1) % 512) * 16384).toString(16)}`;
      const bytes = 512 + ((n * 7919) % 15000);
      return `${n % 4},d,map,0x${(2 ** 32 + n * 4096 + (n % 5) * 512).toString(16)},${bytes},${address}\n0,d,unmap,,,${late}`;
    }).join('\n')}\n`,
  );

  test.each([
    [['--json']],
    [['--sweep', 'nslabs=512..4096,areas=1|4,kernel=v6.1|v6.12', '--json']],
  ])('the result is the same: %s', (args) => {
    const [one, two, five] = ['1', '2', '5'].map(
      (jobs) => swiotlbReplay(['size', long, ...args, '--jobs', jobs]).stdout,
    );
    expect(JSON.parse(one).requests).toBe(12_000);
    expect(two).toBe(one);
    expect(five).toBe(one);
  });
});
