import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type CliResult, PROJECT, swiotlbReplay } from '../support/cli.js';
import { SWIOTLB_TRACES } from '../support/stories.js';

/** Recordings: the full set where the environment names it, the small ones otherwise. */
const ROOT = process.env.SWIOTLB_REAL ?? join(PROJECT, 'test/vectors/real');
const FILES = readdirSync(ROOT)
  .filter((run) => !run.includes('iommu'))
  .flatMap((run) => ['trace.csv.gz', 'trace.txt.gz'].map((file) => join(ROOT, run, file)))
  .filter((path) => existsSync(path));

/** Ways to convert, which the recordings take in turns: each is a replay of a real kernel's load. */
const WAYS = [[], ['--to', 'jsonl'], ['--anonymize']];
const RECORDINGS = FILES.map((path, n): [string, string[]] => [path, WAYS[n % WAYS.length]]);

function convert(path: string, ...args: string[]): CliResult {
  return swiotlbReplay(['convert', path, ...args]);
}

function verify(args: string[], input?: string): Record<string, unknown> {
  const { stdout } = swiotlbReplay(['verify', '--json', ...args], input ? { input } : {});
  const { kernel, recorded, reproduced, assumed, incomplete, expect: met } = JSON.parse(stdout);
  return { kernel, recorded, reproduced, assumed, incomplete, ok: met?.ok };
}

/** What is found, where: rules by the number of the event, which names and addresses do not change. */
function findings(args: string[], input?: string): unknown {
  const { stdout } = swiotlbReplay(['--json', ...args], input ? { input } : {});
  const { summary, findings: found, allocations } = JSON.parse(stdout);
  const ordinal = new Map(allocations.map(({ line }: { line: number }, n: number) => [line, n]));
  return {
    findings: summary.findings,
    pages: summary.doubleAllocatedPages.length,
    at: found.map(({ rule, line }: { rule: string; line: number }) => [rule, ordinal.get(line)]),
    slots: allocations.map(({ slot, nslots, cause }: Record<string, unknown>) => [
      slot,
      nslots,
      cause,
    ]),
  };
}

describe.each(SWIOTLB_TRACES)('the story %s', (path) => {
  const format = SWIOTLB_TRACES.indexOf(path) % 2 === 0 ? 'csv' : 'jsonl';

  test(`as ${format} verifies as before`, () => {
    const { status, stdout } = convert(path, '--to', format);
    expect(status).toBe(0);
    expect(verify(['-', '--input-format', format, '--strict'], stdout)).toEqual(verify([path]));
  });

  test('without names and places tells the same story', () => {
    const { stdout, stderr } = convert(path, '--anonymize');
    expect(stderr).not.toContain('may find something else');
    expect(findings(['-'], stdout)).toEqual(findings([path]));
    expect(stdout).not.toMatch(/0000:|nvme|eth0|virtio|vsock|sda|^# /m);
  });
});

test.each(RECORDINGS)('the recording %s, converted with %j, verifies as before', (path, way) => {
  const dmesg = path.includes('trace.csv') ? [] : ['--dmesg', join(path, '../dmesg.txt')];
  const { status, stdout } = convert(path, ...dmesg, ...way);
  expect(status).toBe(0);
  const before = verify([path, ...dmesg]);
  expect(verify(['-'], stdout)).toEqual(before);
  expect(before.recorded).toBeGreaterThan(1000);
});

/** Two devices; the second one's mapping lives across the middle. */
const TRACE = `#swiotlb-trace 1
#kernel version=v6.8 page_size=4096
#pool name=default base=0x80000000 nslabs=128 areas=1 index=5
#device name=disk min_align_mask=0xfff
time,dev,op,orig_addr,size,dir,tlb_addr
1.0,disk,map,0x101000,2048,to_device,0x80003000
1.5,net,map,0x200000,1500,to_device,0x80003800
2.0,disk,unmap,,2048,to_device,0x80003000
2.5,disk,map,0x102000,2048,to_device,0x80004000
3.0,net,sync_for_cpu,,100,to_device,0x80003800
3.5,net,unmap,,1500,to_device,0x80003800
4.0,disk,unmap,,2048,to_device,0x80004000
#expect used=0
`;

function rowsOf(text: string): string[] {
  return text.split('\n').filter((line) => /^[\d,]/.test(line));
}

function convertText(input: string, ...args: string[]): CliResult {
  return swiotlbReplay(['convert', '-', ...args], { input });
}

describe('a part of a trace', () => {
  test('of one device', () => {
    const { stdout, stderr } = convertText(TRACE, '--only-device', 'n?t');
    expect(rowsOf(stdout).map((row) => row.split(',')[3])).toEqual([
      'map',
      'sync_for_cpu',
      'unmap',
    ]);
    expect(stdout).not.toContain('#device name=disk');
    expect(stdout).not.toContain('#expect');
    expect(stderr).toContain('3 events kept; left out: 0 outside the range, 4 of other devices');
    expect(stderr).toContain('#expect of the whole trace was left out');
  });

  test.each([
    ['lines', ['--from', '8', '--to', '11']],
    ['times', ['--from', '2.0s', '--to', 'csv', '--to', '3.5s']],
  ])('by %s begins with nothing mapped, and where the searches stood', (_, args) => {
    const { status, stdout, stderr } = convertText(TRACE, ...args);
    expect(status).toBe(0);
    expect(rowsOf(stdout).map((row) => row.split(',').slice(0, 4))).toEqual([
      ['2.500000', '0', 'disk', 'map'],
    ]);
    // Slot 7, of 0x80003800, was the last one taken.
    expect(stdout).toContain('areas=1 index=8');
    expect(stderr).toContain('1 event kept; left out: 3 outside the range, 0 of other devices');
    expect(stderr).toContain('2 mappings were live where the range begins');
    expect(stderr).toContain('3 events about them left out');
    expect(stderr).toContain('1 mapping is live at the end');
    expect(verify(['-'], stdout)).toMatchObject({ recorded: 1, reproduced: 1 });
  });

  test('keeps a pool that joined before it', () => {
    const trace = `#kernel version=v6.12 page_size=4096 dynamic=1
#pool name=default base=0x80000000 nslabs=128 areas=1 index=0
dev,op,orig_addr,size,tlb_addr
a,map,0x1000,4096,0x80000000
,grow,0x90000000,128,
a,map,0x2000,4096,0x80001000
`;
    const { stdout } = convertText(trace, '--from', '6');
    expect(rowsOf(stdout).map((row) => row.split(',')[3])).toEqual(['grow', 'map']);
  });

  test.each([
    [['--only-device', 'nobody'], 'no event has such a device, line or time'],
    [['--from', '100'], 'no event has such a device, line or time'],
    [['--from', '9', '--to', '8'], '--from is behind --to'],
    [['--from', '1.5'], 'a line such as 500, or a time such as 12.5s'],
    [['--to', 'xml'], 'It is one of csv, jsonl, perfetto'],
  ])('that cannot be is refused: %j', (args, words) => {
    const { status, stdout, stderr } = convertText(TRACE, ...args);
    expect(status).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toContain(words);
  });

  test('by time of a trace without times says to give lines', () => {
    const { stderr } = convertText(TRACE.replace('time,', 'x,'), '--from', '1s');
    expect(stderr).toContain('the trace tells no times: give lines');
  });
});

test('what CSV cannot hold is told, and JSON lines hold it', () => {
  const jsonl = convertText(TRACE, '--to', 'jsonl').stdout.replaceAll(
    '"net"',
    '"net  \\u001b[31m"',
  );
  const { stdout, stderr } = convertText(jsonl);
  expect(stderr).toContain('is called net__\\x1b[31m: CSV holds no such name');
  expect(rowsOf(stdout)[1]).toContain(',net__\\x1b[31m,');
  expect(convertText(jsonl, '--to', 'jsonl').stdout).toContain('"net  \\u001b[31m"');
});

test('what was inferred is written down, and what was lost stays lost', () => {
  const { stdout } = convert('traces/lost-unmap/trace.txt');
  expect(stdout).toMatch(/^# assumed: line \d+ of that: /m);
  expect(stdout).toMatch(/^# lost: releases/m);
  expect(stdout).toMatch(/^#lost events=1$/m);
  expect(convertText(stdout, '--anonymize').stdout).toMatch(/^#lost events=1$/m);
});

test('lines that are not understood are told, and an error with --strict', () => {
  const trace = TRACE.replace('unmap,,2048', 'unmap,,many');
  expect(convertText(trace)).toMatchObject({ status: 0 });
  expect(convertText(trace).stderr).toContain(
    '1 line not understood and left out; the first is line 8',
  );
  expect(convertText(trace, '--strict')).toMatchObject({ status: 2 });
});

test('traces behind an IOMMU are left to others', () => {
  const { status, stderr } = convert('traces/iommu-lost-sync/trace.csv');
  expect(status).toBe(2);
  expect(stderr).toContain('is an IOMMU trace (dma-iommu), which convert does not write');
});
