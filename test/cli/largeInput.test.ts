import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PROJECT } from '../support/cli.js';
import { zstdBomb, zstdFrame } from '../support/packing.js';

const HEAD = [
  '#swiotlb-trace 1',
  '#kernel version=v6.8',
  '#pool name=default base=0x97ff0000 nslabs=7168 index=0',
  'dev,op,orig_addr,size,tlb_addr',
  'd,map,0x1000,2048,0x97ff0000',
  '',
].join('\n');
const TAIL = '\nd,map,0x1000,2048,0x97ff0800\n';

/** Memory that the program may take, whatever comes: it takes 60 MB for a line, and more for unpacking. */
const MOST_MEMORY = 200e6;

/** Writes a gigabyte of one line to standard output. */
const GIGABYTE_LINE = `
  const { writeSync } = require('node:fs');
  const put = (bytes) => { for (let at = 0; at < bytes.length; ) at += writeSync(1, bytes, at); };
  put(Buffer.from(${JSON.stringify(HEAD)}));
  const piece = Buffer.alloc(1 << 20, 'd,map,0x1000,');
  for (let n = 0; n < 1024; n++) put(piece);
  put(Buffer.from(${JSON.stringify(TAIL)}));`;

/** Told on a pipe of its own when the program ends: kilobytes. */
const TELL_MEMORY =
  'data:text/javascript,import{writeSync}from"node:fs";' +
  'process.on("exit",()=>writeSync(3,String(process.resourceUsage().maxRSS)))';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'swiotlb-replay-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function file(content: Buffer): string {
  const path = join(folder, 'trace');
  writeFileSync(path, content);
  return path;
}

/** Replays a file, or what a script writes. */
async function replay(path: string, script?: string) {
  const writer =
    script === undefined
      ? undefined
      : spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const words = ['--import', TELL_MEMORY, 'bin/swiotlb-replay.js', path];
  const child = spawn(process.execPath, [...words, '--json', '--no-allocations'], {
    cwd: PROJECT,
    stdio: [writer?.stdout ?? 'ignore', 'pipe', 'pipe', 'pipe'],
  });
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  const [, stdout, stderr, memory] = child.stdio;
  const texts = [stdout, stderr, memory].map((stream) => text(stream as NodeJS.ReadableStream));
  const [json, complaints, kilobytes] = await Promise.all(texts);
  const status = await ended;
  expect(complaints).toBe('');
  expect(Number(kilobytes) * 1024).toBeGreaterThan(1e6);
  expect(Number(kilobytes) * 1024).toBeLessThan(MOST_MEMORY);
  return { status, report: JSON.parse(json) };
}

describe('a line without an end in sight is one line that was cut, told of, and all around it is replayed', () => {
  test.each([
    ['a gigabyte through a pipe', () => replay('-', GIGABYTE_LINE)],
    [
      '256 MB in a zstd file of 8 KB',
      () => replay(file(Buffer.concat([zstdFrame(HEAD), zstdBomb(0x61, 2048), zstdFrame(TAIL)]))),
    ],
  ])('%s', async (_, run) => {
    const { status, report } = await run();
    expect(report.trace).toMatchObject({ lines: 7, events: 2, skipped: 1 });
    expect(report.summary).toMatchObject({ maps: 2, mismatches: 0 });
    expect(report.losses).toEqual([
      expect.objectContaining({
        message: expect.stringContaining('1 of the lines had more than a megabyte'),
      }),
    ]);
    expect(status).toBe(3);
  });
});

describe('what unpacks to much more than it was is read as it comes', () => {
  /** So many copies of a packed piece, one behind the other, unpack to one text. */
  const bomb = (piece: string | Buffer, copies: number): Buffer => {
    const packed = gzipSync(piece);
    return Buffer.concat([gzipSync(HEAD), ...Array(copies).fill(packed), gzipSync(TAIL)]);
  };

  test('a line of 256 MB in gzip', async () => {
    const { status, report } = await replay(file(bomb(Buffer.alloc(1 << 24, 'a'), 16)));
    expect(report.trace).toMatchObject({ lines: 7, events: 2, skipped: 1 });
    expect(status).toBe(3);
  });

  test('a million times the same row', async () => {
    const row = 'd,map,0x1000,300000,full\n';
    const { status, report } = await replay(file(bomb(row.repeat(50_000), 20)));
    expect(report.trace).toMatchObject({ lines: 1_000_007, events: 1_000_002, skipped: 0 });
    expect(report.summary).toMatchObject({ failed: 1_000_000, mismatches: 0 });
    expect(status).toBe(1);
  });

  test('a million lines that nobody understands', async () => {
    const { status, report } = await replay(file(bomb('what is this\n'.repeat(50_000), 20)));
    expect(report.trace).toMatchObject({ lines: 1_000_007, events: 2, skipped: 1_000_000 });
    expect(report.problems.length).toBeLessThan(100);
    expect(status).toBe(0);
  });
});
