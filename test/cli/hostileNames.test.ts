import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { COMMANDS } from '../../src/cli/commands.js';
import { PROJECT, swiotlbReplay } from '../support/cli.js';
import {
  DANGEROUS,
  hostileCsv,
  hostileIommu,
  hostileJsonl,
  hostileLog,
} from '../support/hostile.js';

const DRIVER = 'test/fuzz/lines.mjs';

/**
 * Command lines that between them take every output of every command; a new one fails a test below until
 * it has a line. TRACE is each trace in turn, LOG a kernel log, IOMMU a trace behind an IOMMU, CORPUS a
 * folder of traces with expectations, OUT a new file.
 */
const LINES: Record<string, string> = {
  replay: `TRACE | TRACE --output text --strict | TRACE --json | TRACE --output html | TRACE --dmesg LOG
    | IOMMU | IOMMU --json | IOMMU --output html`,
  report: `TRACE --html OUT | TRACE --old v6.8 --new v6.9 --html - | TRACE --plot occupancy | TRACE --plot sizes
    | TRACE --plot fragmentation -o OUT`,
  verify: 'TRACE | TRACE --json | IOMMU | IOMMU --json',
  identify: 'TRACE | TRACE --json | IOMMU | IOMMU --json',
  diff: `TRACE --old v6.8 --new v6.9 --output text | TRACE --old v6.8 --new v6.9 --json
    | TRACE --old v6.8 --new v6.9 --output markdown | IOMMU --old v6.8 --new v5.15
    | IOMMU --old v6.8 --new v5.15 --output markdown | IOMMU --old v6.8 --new v5.15 --json
    | TRACE LOG --by findings | TRACE IOMMU --by findings --output markdown | TRACE TRACE --by findings --json
    | TRACE --by addresses --old v6.8 --new v6.9 -o OUT`,
  explain: 'TRACE --line 8 | TRACE --line 10 --json | TRACE --line 5',
  size: `TRACE --output text | TRACE --json | TRACE --sweep nslabs=256..512 --output csv
    | TRACE --sweep nslabs=256..512 --output heatmap | TRACE --workload OUT`,
  check: ['text', 'json', 'jsonl', 'ktap', 'junit', 'sarif', 'github', 'markdown']
    .map((output) => `CORPUS --jobs 1 --output ${output}`)
    .join(' | ')
    .concat(' | CORPUS --jobs 1 --json --report sarif=OUT'),
  diagnose: 'LOG | LOG --json | LOG --device *:min_align_mask=0xfff',
  capture: `--kernel \x1b[31m\u202e | --kernel 6.1.0-\x1b[31m --tool ftrace | --kernel 6.12-$(id);x --tool trace-cmd
    | --kernel 6.12.1-\u202e --tool perf | --kernel 6.12.1-a --tool bpftrace`,
  convert: `TRACE --to csv | TRACE --to jsonl | TRACE --to perfetto -o OUT | TRACE --to csv --anonymize
    | TRACE --to jsonl --only-device *\x1b*`,
  generate: '--events 3 --kernel \x1b[31m | --shape \u202e | --events 3 --swiotlb \x9b',
  kernels: '\x1b[31m | --json',
  completion: '\x1b[31m\u202e',
};

let folder: string;
let inputs: Record<string, string[]>;
let driven: ReturnType<typeof drive>;

function put(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'swiotlb-replay-'));
  const evil = join(folder, 'e\x1b[31m\u202e\nvil');
  mkdirSync(evil);
  const expected = {
    schema: 'swiotlb-replay/expect@1',
    cases: [
      { kernel: 'v6.8', findings: [{ rule: 'leak', line: 2 }] },
      { kernel: 'v6.9', findings: [], bounds: ['errors <= 0'] },
    ],
  };
  for (const name of ['::error::x%0A', '<b>\u2066"', 'plain']) {
    writeFileSync(join(evil, `${name}.csv`), hostileCsv());
    writeFileSync(join(evil, `${name}.csv.expect.json`), JSON.stringify(expected));
  }
  writeFileSync(join(evil, 'bad.csv.expect.json'), '{"\x9b\u202e": 1}');
  inputs = {
    TRACE: [put('a.csv', hostileCsv()), put('a.jsonl', hostileJsonl())],
    LOG: [put('a.log', hostileLog())],
    IOMMU: [put('a.iommu', hostileIommu())],
    CORPUS: [folder],
  };
  driven = drive(
    Object.keys(LINES).flatMap((command) => linesOf(command).map((words) => [command, ...words])),
  );
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true }));

/** The command lines of a command, with files in the place of words. */
function linesOf(command: string): string[][] {
  return LINES[command].split('|').flatMap((line) => {
    const words = line.trim().split(/\s+/);
    return (words.includes('TRACE') ? inputs.TRACE : ['']).map((trace) =>
      words.map((word) => {
        if (word === 'TRACE') return trace;
        if (word.endsWith('OUT')) return word.replace('OUT', join(folder, `out.${command}`));
        return inputs[word]?.[0] ?? word;
      }),
    );
  });
}

interface Run {
  words: string[];
  status: number;
  stdout: string;
  stderr: string;
}

/** Runs command lines one after the other in one child process, which also tells what options there are. */
function drive(lines: readonly (readonly string[])[]): {
  runs: Run[];
  commands: { name: string; options: { long: string; choices: string[] }[] }[];
} {
  const { status, stdout, stderr } = spawnSync(process.execPath, [DRIVER], {
    cwd: PROJECT,
    env: { PATH: process.env.PATH },
    input: JSON.stringify(lines),
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return JSON.parse(stdout);
}

/** What a browser, a viewer of mail or the runner of a CI would take for its own. */
const ALIVE: Record<string, RegExp> = {
  html: /<img src|<script>alert|]]><!--/,
  junit: /<img|<script|]]>-->/,
  markdown: /(?<!\\)<img|<script|(?<!\\)\[x\]\(javascript/,
  github: /^::error::(?!.*file=)%0Aforged/m,
  ktap: /^not ok 99/m,
};

/** Where a pattern is in a text, with a few characters around it: pages are long. */
function around(pattern: RegExp, content: string): string | undefined {
  const at = content.search(pattern);
  return at < 0 ? undefined : content.slice(Math.max(0, at - 40), at + 40);
}

function rowsOf(trace: string): string[] {
  return trace.split('\n').filter((line) => line.includes(',map,'));
}

describe('names that are hostile', () => {
  test.each(COMMANDS.map(({ name }) => name))('are shown harmlessly: %s', (command) => {
    const runs = driven.runs.filter(({ words }) => words[0] === command);
    expect(runs.length).toBeGreaterThan(0);
    for (const { words, status, stdout, stderr } of runs) {
      const line = JSON.stringify(words);
      const output = /--html|--plot/.test(line) ? 'html' : words[words.indexOf('--output') + 1];
      expect([0, 1, 2, 3], line).toContain(status);
      expect(around(DANGEROUS, stdout), line).toBeUndefined();
      expect(around(DANGEROUS, stderr), line).toBeUndefined();
      expect(around(/internal error/, stderr), line).toBeUndefined();
      const alive = Object.hasOwn(ALIVE, output) ? ALIVE[output] : /undefined|\[object|NaN/;
      expect(around(alive, stdout), line).toBeUndefined();
    }
    const file = join(folder, `out.${command}`);
    if (!existsSync(file)) return;
    const content = readFileSync(file, 'utf8');
    expect(around(DANGEROUS, content)).toBeUndefined();
    if (command === 'report') expect(around(ALIVE.html, content)).toBeUndefined();
  });

  test('that are formulas come back from a canonical trace as they were', () => {
    const names = ['=1+1', '@SUM(1)', '-1', '+1', '=cmd|A0'];
    const trace = (rows: string[]) =>
      ['#pool base=0x80000000 nslabs=64', 'dev,op,orig_addr,size', ...rows, ''].join('\n');
    const first = swiotlbReplay(['convert', '-', '--to', 'csv'], {
      input: trace(names.map((name) => `${name},map,0x1000,512`)),
    });
    expect(first.status).toBe(0);
    for (const name of names) expect(first.stdout).toContain(`,${name},map,`);
    const again = swiotlbReplay(['convert', '-', '--to', 'csv'], { input: first.stdout });
    expect(rowsOf(again.stdout)).toEqual(rowsOf(first.stdout));
  });

  test('meet every command and every output that it has', () => {
    const commands = driven.commands.filter(({ name }) => name !== 'help');
    expect(Object.keys(LINES)).toEqual(commands.map(({ name }) => name));
    for (const { name, options } of commands) {
      const words = LINES[name].split(/\s+/);
      for (const { long, choices } of options) {
        const isTold = (choice: string): boolean =>
          words.includes(choice) || (choice === 'json' && words.includes('--json'));
        if (['--output', '--plot', '--by', '--tool'].includes(long)) {
          expect(choices.filter(isTold), `${name} ${long}`).toEqual(choices);
        }
        if (['--json', '--html', '--workload', '--report', '--to', '--anonymize'].includes(long)) {
          expect(words, name).toContain(long);
        }
      }
    }
  });
});
