import { describe, expect, test } from 'vitest';
import { csvRow } from '../../../src/render/csv.js';
import { sweepCsv } from '../../../src/render/size/csv.js';
import { sweepHeatMap } from '../../../src/render/size/heatMap.js';
import { sizeText } from '../../../src/render/size/text.js';
import type { SizeReport, SweepPoint } from '../../../src/report/sizeReport.js';

const POOL = { name: 'default', restricted: false };

function point(nslabs: number, failed: number, device = 'd'): SweepPoint {
  return {
    pool: POOL,
    kernel: 'v6.12',
    asked: { nslabs, areas: 1 },
    nslabs,
    areas: 1,
    bytes: nslabs * 2048,
    parameter: `${nslabs},1`,
    requests: 10_000,
    failed,
    never: 0,
    first:
      failed === 0
        ? undefined
        : { event: 0, path: 'x', line: 1, device, size: 1, cause: 'exhausted', reason: 'r' },
    peakSlots: 1,
    percentile999: 1,
  };
}

function report(sweep: SweepPoint[]): SizeReport {
  return {
    path: 'x',
    traces: [],
    merged: false,
    kernel: 'v6.12',
    kernelReason: undefined,
    pageSize: 4096,
    requests: 10_000,
    load: { scale: 1, cpus: undefined },
    cpus: 1,
    heldTally: { requests: 0, untilRetry: 0, medianLifetime: 0, forever: 0 },
    answers: [],
    unanswered: [],
    neverServed: [],
    never: 0,
    sweep,
    assumptions: [],
    losses: [],
  };
}

const PLAIN = { width: 100, colour: 0 as const, blocks: false, allocations: true };

describe('a CSV cell', () => {
  test.each([
    ['=HYPERLINK("http://x")', '"\'=HYPERLINK(""http://x"")"'],
    ['+1', '"\'+1"'],
    ['-1+2', '"\'-1+2"'],
    ['@SUM(A1)', '"\'@SUM(A1)"'],
    [' =1', '"\' =1"'],
    ['\t=1', '\\x09=1'],
    ['\r=1', '\\x0d=1'],
    ['a,b;c', '"a,b;c"'],
    ['a\nb', 'a\\x0ab'],
    ['\u202e=1', '\\u202e=1'],
    ['0000:00:07.0', '0000:00:07.0'],
  ])('of text is never a formula: %j', (text, cell) => {
    expect(csvRow([text])).toBe(`${cell}\n`);
  });

  test('of a number is the number', () => {
    expect(csvRow([-1, 2.5])).toBe('-1,2.5\n');
  });
});

describe('a sweep with a hostile device name', () => {
  const hostile = report([point(128, 5, '=cmd|\x1b[2J\u202e')]);

  test('is safe in a spreadsheet and on a terminal', () => {
    expect(sweepCsv(hostile)).toContain(",'=cmd|\\x1b[2J\\u202e,".replace(/,(.*),/, ',"$1",'));
    for (const text of [
      sweepCsv(hostile),
      sizeText(hostile, PLAIN),
      sweepHeatMap(hostile, PLAIN),
    ]) {
      expect(text).not.toContain('\x1b');
      expect(text).not.toContain('\u202e');
    }
  });
});

describe('the heat map', () => {
  const sweep = [point(128, 5000), point(256, 500), point(512, 50), point(1024, 5), point(2048, 0)];

  test('is darker where more requests fail', () => {
    const lines = sweepHeatMap(report(sweep), PLAIN).split('\n');
    expect(lines[1].trim().split(/ +/)).toEqual(['128', '256', '512', '1024', '2048']);
    expect(lines[2]).toBe('  v6.12, 1 area    ██   ▓▓   ▒▒   ░░   ··');
  });

  test('leaves out what no kernel sets up, and has colours where the terminal has them', () => {
    const older = { ...point(512, 0), kernel: 'v6.0' };
    const lines = sweepHeatMap(report([...sweep, older]), PLAIN).split('\n');
    expect(lines[3]).toBe('  v6.0, 1 area               ··');
    expect(sweepHeatMap(report(sweep), { ...PLAIN, colour: 1 })).toContain('\x1b[31m██\x1b[39m');
  });
});
