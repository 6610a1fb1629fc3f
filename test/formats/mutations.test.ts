import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { UserError } from '../../src/events/errors.js';
import { devDbgLine } from '../support/devDbgLines.js';
import { type Reading, read } from '../support/reading.js';
import {
  BASE,
  type Body,
  bounced,
  lockedMap,
  lockedUnmap,
  probe,
  recordLine,
  type Shape,
  stock,
} from '../support/traceText.js';

const CSV_TRACE = [
  '#swiotlb-trace 1',
  '#kernel version=v6.8 page_size=4096 dynamic=0',
  '#pool name=default base=0x97ff0000 nslabs=7168 areas=2 index=1645:0',
  '#device name=0000:00:07.0 min_align_mask=0xfff seg_boundary_mask=0xffffffff pool=default',
  '# comment',
  'time,cpu,dev,op,orig_addr,size,alloc_align_mask,dir,attrs,tlb_addr',
  '0.001000,0,0000:00:07.0,map,0x1234000,4096,,to_device,,0x98326800',
  '0.002000,0,"0000:00:07.0",unmap,,4096,,to_device,,0x98326800',
  '0.003000,0,"a ""b"", c",alloc,,4096,,,,full',
  '0.004000,0,0000:00:07.0,sync_for_cpu,,4096,,to_device,,0x98326800',
  '#expect used=0 used_hiwater=2 index=1647:0',
  '',
].join('\n');

const DEV_DBG_TRACE = [
  'some text',
  devDbgLine(),
  `[   12.345678] ${devDbgLine({ slot: 1649, origAddr: 0x1234 })}`,
  `> ${devDbgLine({ slot: 1, device: 'eth0', tlbAddr: 0x180000800 })}`,
  '',
  devDbgLine({ slot: 1653 }),
  '',
].join('\n');

/** A few records of every kind that is read. */
const PROBE_BODIES: readonly Body[] = [
  bounced('eth0', 0x1000, 512),
  ...lockedMap('eth0', 0x1000, 512, BASE),
  probe('alloc', 'eth0', { size: 8192, mem_start: 0x50000000, mem_nslabs: 2048 }),
  probe('search', '', {
    pool: 0x50000000,
    nslabs: 2048,
    nareas: 1,
    transient: 0,
    area: 0,
    idx0: 3,
  }),
  probe('search_locked', '', { used: 0, idx: 3, pool: 0x50000000 }),
  probe('search_ret', '', { index: 4 }),
  probe('alloc_ret', '', { page: '0xfffffdffc0400e00' }),
  probe('mapx', 'sda', { orig_addr: 0x2a00, size: 9, align_mask: 0xfff, ret: BASE + 2048 }),
  probe('sync_cpu', 'eth0', { tlb_addr: BASE, size: 512, dir: 2 }),
  ...lockedUnmap('eth0', BASE, 512),
  probe('pool_add', '', { start: 0x4e680000, nslabs: 256, nareas: 2 }),
  probe('free', 'eth0', { page: '0xfffffdffc0400e00', size: 8192 }),
  probe('release', 'eth0', { tlb_addr: 0x50002000, pool: 0x50000000 }),
  probe('release_locked', '', { used: 5 }),
  probe('free_ret', '', { ret: 1 }),
];

const SG = 'sda dir=TO_DEVICE nents=2/2 dma_addrs={0x7c700800,0x7c701000} sizes={0x200,0x300}';
const STOCK_BODIES: readonly Body[] = [
  stock('dma', 'dma_map_page', 'eth0 dir=TO_DEVICE dma_addr=7c700200 size=9 phys_addr=200 attrs='),
  stock('dma', 'dma_map_sg', `${SG} phys_addrs={0x3000,0x4000} attrs=NO_WARN`),
  stock(
    'dma',
    'dma_map_sg',
    'device=sda truncated=0 phys_addrs=ARRAY[00, 00, 03, 00, 00, 00, 00, 00]' +
      ' dma_addrs=ARRAY[00, 08, 70, 7c, 00, 00, 00, 00] lengths=ARRAY[00, 02, 00, 00] dir=2',
  ),
  stock('dma', 'dma_sync_sg_for_cpu', SG),
  stock('dma', 'dma_unmap_sg', 'sda dir=TO_DEVICE phys_addrs={0x3000,0x4000} attrs='),
  bounced('eth0', 0x1000, 512),
  stock('dma', 'dma_map_phys', 'eth0 dir=NONE dma_addr=ffffffffffffffff size=9 phys_addr=2 attrs='),
  stock('dma', 'dma_unmap_page', 'eth0 dir=TO_DEVICE dma_addr=7c700200 size=9 attrs='),
];

function textOf(shape: Shape, bodies: readonly Body[]): string {
  return [
    '# entries-in-buffer/entries-written: 9/9   #P:4',
    '[    0.000000] software IO TLB: mapped [mem 0x000000007c700000-0x000000007c900000] (2MB)',
    ...bodies.map((body, n) =>
      recordLine(shape, body, { pid: 1 + (n % 2), cpu: n % 2, seconds: n }),
    ),
    ...bodies.map((body, n) => recordLine(shape, body, { pid: 7, seconds: 50 + n })),
    'CPU:3 [LOST 12 EVENTS]',
    '',
  ].join('\n');
}

const TRACE_TEXTS: readonly string[] = (
  ['ftrace, 5 flags', 'trace-cmd -R', 'perf'] as const
).flatMap((shape) => [textOf(shape, PROBE_BODIES), textOf(shape, STOCK_BODIES)]);

/** Replaces `remove` bytes at a place, given as a part of the length, by others. */
interface Mutation {
  place: number;
  remove: number;
  insert: readonly number[];
}

/** Bytes that mean something to a parser turn up often. */
const BYTE = fc.oneof(
  fc.constantFrom(...Buffer.from('\n\r",#=: 0x9f-/()\t')),
  fc.constantFrom(0, 0x1b, 0x80, 0xc3, 0xff),
  fc.nat(255),
);

const MUTATION: fc.Arbitrary<Mutation> = fc.record({
  place: fc.nat(10_000).map((part) => part / 10_000),
  remove: fc.oneof(fc.nat(2), fc.nat(80)),
  insert: fc.array(BYTE, { maxLength: 4 }),
});

function mutate(trace: string, mutations: readonly Mutation[]): Buffer {
  let bytes = Buffer.from(trace);
  for (const { place, remove, insert } of mutations) {
    const at = Math.floor(place * bytes.length);
    bytes = Buffer.concat([
      bytes.subarray(0, at),
      Buffer.from(insert),
      bytes.subarray(at + remove),
    ]);
  }
  return bytes;
}

/** Lines in bytes; a last one without a newline is one, too. */
function lineCount(bytes: Buffer): number {
  const newlines = bytes.filter((byte) => byte === 0x0a).length;
  return bytes.length > 0 && bytes.at(-1) !== 0x0a ? newlines + 1 : newlines;
}

/** Lines that begin with `#`, behind a byte order mark in the first. */
function hashLines(bytes: Buffer): number {
  const lines = bytes
    .toString('latin1')
    .replace(/^\xef\xbb\xbf/, '')
    .split('\n');
  return lines.filter((line) => line.startsWith('#')).length;
}

async function readUnlessRefused(bytes: Buffer): Promise<Reading | undefined> {
  try {
    return await read(bytes);
  } catch (error) {
    if (error instanceof UserError) return undefined;
    throw error;
  }
}

/** Lines that became an event, a problem, or are known to be something else or part of these. */
function accountedFor({ events, info }: Reading): number {
  return events.length + info.problems.count + info.otherLines + info.joinedLines;
}

describe('a trace with damaged bytes', () => {
  const damage = fc.array(MUTATION, { minLength: 1, maxLength: 6 });
  const runs = { numRuns: 1500 };

  test('in CSV ends in a UserError or has every line counted', async () => {
    let understood = 0;
    await fc.assert(
      fc.asyncProperty(damage, async (mutations) => {
        const bytes = mutate(CSV_TRACE, mutations);
        const reading = await readUnlessRefused(bytes);
        if (reading === undefined) return;
        understood++;
        expect(reading.tally.lines).toBe(lineCount(bytes));
        // The header and good directives are what is left.
        const left = reading.tally.lines - accountedFor(reading);
        expect(left).toBeGreaterThanOrEqual(1);
        expect(left).toBeLessThanOrEqual(1 + hashLines(bytes));
      }),
      runs,
    );
    expect(understood).toBeGreaterThan(100);
  });

  test('of debug lines ends in a UserError or has every line accounted for', async () => {
    let understood = 0;
    await fc.assert(
      fc.asyncProperty(damage, async (mutations) => {
        const bytes = mutate(DEV_DBG_TRACE, mutations);
        const reading = await readUnlessRefused(bytes);
        if (reading === undefined) return;
        understood++;
        expect(reading.tally.lines).toBe(lineCount(bytes));
        expect(accountedFor(reading)).toBe(reading.tally.lines);
      }),
      runs,
    );
    expect(understood).toBeGreaterThan(100);
  });

  test('of tracers ends in a UserError or has every line counted, and no event is impossible', async () => {
    let understood = 0;
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...TRACE_TEXTS), damage, async (text, mutations) => {
        const bytes = mutate(text, mutations);
        const { events, tally, info } = (await readUnlessRefused(bytes)) ?? {};
        if (events === undefined || tally === undefined || info === undefined) return;
        understood++;
        expect(tally.lines).toBe(lineCount(bytes));
        expect(info.otherLines).toBeLessThanOrEqual(tally.lines);
        const lines = events.map((event) => event.line);
        expect(lines).toEqual([...lines].sort((a, b) => a - b));
        expect(lines.every((line) => line >= 1 && line <= tally.lines)).toBe(true);
        for (const { op, origAddr, size, allocAlignMask, result } of events) {
          for (const address of [origAddr, size, result]) {
            if (typeof address === 'number') expect(address >= 2 ** 52 || address < 0).toBe(false);
          }
          if (op === 'map' || op === 'alloc') expect(size).not.toBeNaN();
          if (op !== 'map' && op !== 'alloc' && op !== 'grow') expect(result).toBeTypeOf('number');
          expect(allocAlignMask >= 0 && allocAlignMask < 2 ** 32).toBe(true);
        }
        for (const { base, nslabs, areas } of info.pools) {
          expect(base % 2048 === 0 && nslabs > 0 && nslabs <= 2 ** 24 && areas <= nslabs).toBe(
            true,
          );
        }
      }),
      runs,
    );
    expect(understood).toBeGreaterThan(1000);
  });

  test('gives events in the order of their lines, with numbers in range', async () => {
    const trace = fc.constantFrom(CSV_TRACE, DEV_DBG_TRACE);
    await fc.assert(
      fc.asyncProperty(trace, damage, async (text, mutations) => {
        const { events, tally, info } = (await readUnlessRefused(mutate(text, mutations))) ?? {};
        if (events === undefined || tally === undefined || info === undefined) return;
        const lines = events.map((event) => event.line);
        expect(lines).toEqual([...new Set(lines)].sort((a, b) => a - b));
        expect(lines.every((line) => line >= 1 && line <= tally.lines)).toBe(true);
        for (const { origAddr, size, allocAlignMask, result } of events) {
          for (const address of [origAddr, size, result]) {
            if (typeof address === 'number') expect(address >= 2 ** 52 || address < 0).toBe(false);
          }
          expect(allocAlignMask >= 0 && allocAlignMask < 2 ** 32).toBe(true);
        }
        expect(info.problems.first).toHaveLength(Math.min(10, info.problems.count));
      }),
      runs,
    );
  });
});
