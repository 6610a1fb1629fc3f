import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { describe, expect, test } from 'vitest';
import { PROJECT, swiotlbReplay } from '../support/cli.js';

const STORY = 'traces/full-or-not/dmesg.log';
const validate = new Ajv().compile(
  JSON.parse(readFileSync(join(PROJECT, 'docs/schema/diagnosis-1.json'), 'utf8')),
);

function diagnose(args: string[], input?: string | Buffer) {
  return swiotlbReplay(['diagnose', ...args], input === undefined ? {} : { input });
}

/** One object per log, each held against the schema. */
function jsonOf(args: string[], input?: string | Buffer) {
  const { status, stdout } = diagnose([...args, '--json'], input);
  const results = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  for (const result of results) {
    validate(result);
    expect(validate.errors).toBeNull();
  }
  return { status, results };
}

describe('the story full-or-not', () => {
  test('has two lines on what it shows and where it comes from', () => {
    const text = readFileSync(join(PROJECT, 'traces/full-or-not/README.md'), 'utf8');
    expect(text.trimEnd().split('\n')).toHaveLength(2);
  });

  test('means three things by one message', () => {
    const { status, results } = jsonOf([STORY]);
    expect(status).toBe(1);
    const [{ kernel, pools, reports, problems, totals }] = results;
    expect(kernel).toBe('v6.5.9');
    expect(pools).toEqual([
      { name: 'default', base: '0xb4c00000', nslabs: 32768, areas: 4, restricted: false },
    ]);
    const rows = reports.map((row: Record<string, unknown>) => [
      row.line,
      row.verdict,
      row.suppressed,
    ]);
    expect(rows).toEqual([
      [7, 'too-large', 0],
      [8, 'too-large', 212],
      [10, 'too-large', 0],
      [11, 'not-full', 0],
      [12, 'full', 0],
      [13, 'full', 0],
    ]);
    expect(totals).toEqual({ reports: 6, omitted: 0, suppressed: 212, unlisted: 0 });
    expect(problems.map(({ id, line }: { id: string; line: number }) => [id, line])).toEqual([
      ['page-bits-compared', 11],
      ['dma-debug-leak', 14],
    ]);
  });

  test('says the verdict first, and folds what is equal', () => {
    const { status, stdout } = diagnose([STORY]);
    expect(status).toBe(1);
    const lines = stdout.split('\n');
    expect(lines[0]).toBe(
      `${STORY} on v6.5.9: 6 refused requests, 212 more suppressed; 2 other problems`,
    );
    expect(lines[1]).toBe(
      '3 too large for any pool, 1 refused though slots were free, 2 pool full',
    );
    expect(stdout).toContain(
      '1048576 bytes: 3 times, lines 7 to 10, 212 more suppressed; 308 to 310 of',
    );
    expect(stdout).toContain('Proved: no pool of any size can serve it');
    expect(stdout).toContain('dma-debug says that its driver leaks mappings');
    expect(stdout).toContain('Fixed by 14cebf689a78');
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(100);
  });
});

describe('diagnose', () => {
  test('ends with 0 where there is nothing, and says what it looked for', () => {
    const { status, stdout } = diagnose(['-'], 'usb 1-1: new device\r\n\r\nall is well');
    expect(status).toBe(0);
    expect(stdout).toMatch(/^-: nothing found\n {2}read +3 lines without a word about swiotlb/);
  });

  test('ends with 1 for a problem that is no refusal', () => {
    const { status, results } = jsonOf(
      ['-'],
      'x 0:1: DMA-API: device driver maps memory from stack [addr=1]\n',
    );
    expect(status).toBe(1);
    expect(results[0].problems).toMatchObject([
      { id: 'dma-debug-forbidden-memory', device: '0:1', fixedBy: null },
    ]);
  });

  test('ends with 2 for what is no log, and still reads the others', () => {
    const { status, stdout, stderr } = diagnose(['no-such.log', STORY]);
    expect(status).toBe(2);
    expect(stderr).toContain('no-such.log: cannot be opened');
    expect(stdout).toContain('6 refused requests');
    expect(diagnose(['-'], '').status).toBe(2);
    expect(diagnose(['-'], Buffer.from([0, 1, 2])).status).toBe(2);
  });

  test('believes --kernel, and refuses one that is none', () => {
    const { results } = jsonOf([STORY, '--kernel', '6.9']);
    expect(results[0].kernel).toBe('v6.9');
    expect(results[0].problems.map(({ id }: { id: string }) => id)).toEqual(['dma-debug-leak']);
    const { status, stderr } = diagnose([STORY, '--kernel', 'v9.9']);
    expect(status).toBe(2);
    expect(stderr).toContain('unknown kernel v9.9');
  });

  test('believes --device', () => {
    const { results } = jsonOf([STORY, '--device', '0000:01:*:min_align_mask=0xfff']);
    expect(results[0].reports[3]).toMatchObject({ line: 11, verdict: 'too-large', proved: true });
  });

  test('writes to a file', () => {
    const folder = mkdtempSync(join(tmpdir(), 'swiotlb-replay-'));
    try {
      const file = join(folder, 'out.json');
      expect(diagnose([STORY, '--json', '-o', file])).toMatchObject({ status: 1, stdout: '' });
      expect(JSON.parse(readFileSync(file, 'utf8')).path).toBe(STORY);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('lets nothing through that drives a terminal', () => {
    const evil =
      '[1.0] Linux version 6.1.9 \x1b[31m\u202e (a@b) #1\n' +
      '[2.0] x \x1b]0;evil\x07\u202e: swiotlb buffer is full (sz: 4096 bytes), total 1 (slots), used 1 (slots)\n' +
      '[3.0] x e\x1b[2Jvil: DMA-API: device driver maps memory from stack \x1b[31m<script>\n' +
      '[4.0] software IO TLB: Reserved memory: created restricted DMA pool at 0x50000000, size 4 MiB\n' +
      '[4.0] OF: reserved mem: initialized node a\x1b[1m, compatible id restricted-dma-pool\n';
    for (const args of [['-'], ['-', '--json']]) {
      const { stdout, stderr } = diagnose(args, evil);
      expect(stdout).toContain('evil');
      expect(stdout + stderr).not.toMatch(/[^\n\P{Cc}]|\p{Cf}/u);
    }
  });

  test('has examples in its help that run', () => {
    const { stdout } = diagnose(['--help']);
    const examples = [...stdout.matchAll(/^ {2}swiotlb-replay (.+)$/gm)].map(([, args]) => args);
    expect(examples.length).toBeGreaterThanOrEqual(2);
    for (const example of examples) expect(swiotlbReplay(example.split(' ')).status).toBe(1);
  });
});

/** Logs that people have posted, where the environment names them. */
const LOGS = process.env.SWIOTLB_LOGS ?? '';
const logs = existsSync(LOGS) ? readdirSync(LOGS).filter((name) => name.endsWith('.log')) : [];

/** Verdicts of reports with their number, and ids of problems, by the number of the log; nothing for the others. */
const EXPECTED: Record<string, [verdicts: string, problems: string]> = {
  '05': ['1 full', ''],
  '06': ['2 full', ''],
  '07': ['1 full', ''],
  '08': ['1 unknown', ''],
  '10': ['1 too-large', ''],
  '11': ['1 full', ''],
  '13': ['8 too-large', ''],
  '14': ['8 too-large', 'cma-allocation'],
  '15': ['2 unknown', ''],
  '17': ['7 too-large', ''],
  '18': ['8 too-large', ''],
  '20': ['1 too-large', ''],
  '21': ['1 too-large', ''],
  '22': ['1 too-large', ''],
  '24': ['3 unknown', ''],
  '25': ['3 unknown', ''],
  '43': ['', 'dma-debug-size'],
  '44': ['', 'dma-debug-forbidden-memory'],
  '46': ['', 'iommu-fault'],
  '47': ['', 'iommu-fault'],
  '49': ['', 'iommu-fault'],
  '50': ['', 'iommu-fault iommu-fault'],
  '51': ['', 'iommu-fault'],
  '52': ['', 'iommu-fault'],
  '54': ['', 'iommu-fault'],
  '55': ['', 'iommu-fault'],
  '57': ['1 no-pool', ''],
  '59': ['1 too-large', ''],
  '61': ['2 too-large', ''],
  '62': ['', 'iommu-fault'],
  '69': ['', 'dma-debug-overlap'],
  '71': ['', 'dma-debug-overlap'],
  '72': ['', 'dma-debug-overlap'],
  '74': ['', 'iommu-fault'],
  '76': ['', 'iommu-fault'],
  '81': ['', 'iommu-fault'],
  '84': ['1 full', 'address-out-of-reach'],
  '87': ['5 too-large', ''],
  '88': ['1 too-large', ''],
  '89': ['3 not-full', ''],
  '93': ['2 too-large', ''],
  '94': ['1 not-full', ''],
  '102': ['', 'address-out-of-reach'],
  '103': ['', 'address-out-of-reach'],
  '105': ['', 'pool-setup'],
};

describe.skipIf(logs.length === 0)('logs that people have posted (SWIOTLB_LOGS)', () => {
  test('say what they should, and no more', () => {
    const { results } = jsonOf(logs.map((name) => join(LOGS, name)));
    expect(results).toHaveLength(logs.length);
    const found = results.map(({ reports, problems }, n) => {
      const counts = new Map<string, number>();
      for (const { verdict } of reports) counts.set(verdict, (counts.get(verdict) ?? 0) + 1);
      const verdicts = [...counts].map(([verdict, count]) => `${count} ${verdict}`).join(', ');
      const ids = problems.map(({ id }: { id: string }) => id).join(' ');
      return [logs[n].split('-')[0], [verdicts, ids]];
    });
    const wanted = logs.map((name) => {
      const number = name.split('-')[0];
      return [number, EXPECTED[number] ?? ['', '']];
    });
    expect(found).toEqual(wanted);
  });

  test('have their suppressed reports counted', () => {
    const suppressed = (number: string) => {
      const name = logs.find((log) => log.startsWith(`${number}-`)) ?? '';
      return jsonOf([join(LOGS, name)]).results[0].totals.suppressed;
    };
    expect(['87', '89', '93'].map(suppressed)).toEqual([4361, 74, 67451]);
  });
});
