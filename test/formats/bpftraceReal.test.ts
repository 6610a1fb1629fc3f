import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { type ReadEvent, read } from '../support/reading.js';

const RUN = new URL('../vectors/real/6.1-7/trace.csv.gz', import.meta.url);

/** The kernel's number of each direction. */
const KERNEL_DIRS: Record<string, number> = { bidirectional: 0, to_device: 1, from_device: 2 };

/** A line as the program of `capture --tool bpftrace` would have printed it on v6.1. */
function lineOf(event: ReadEvent, n: number): string {
  const { op, cpu, device, origAddr, size, allocSize, allocAlignMask, result } = event;
  const dir = KERNEL_DIRS[event.dir];
  const ns = 1_000_000 + n * 1000;
  const at = result === 'full' ? '0xffffffffffffffff' : `0x${Number(result).toString(16)}`;
  const head = `${ns},${cpu}`;
  if (op === 'unmap') return `unmap,${head},${at},${size},,${dir},0x0,${device}`;
  if (op !== 'map') return `sync_cpu,${head},${at},${size},${dir},${device}`;
  const origin = `${ns - 500},0x${origAddr.toString(16)},${size},${allocSize}`;
  return `map,${head},${origin},0x${allocAlignMask.toString(16)},${dir},0x0,${at},${device}`;
}

test('a real run, as bpftrace would have printed it, is read to the same events', async () => {
  const csv = await read(gunzipSync(readFileSync(RUN)));
  const lines = csv.events.map(lineOf);
  const printed = await read(`#swiotlb-bpftrace 1\n${lines.join('\n')}\n`);
  expect(csv.events.length).toBeGreaterThan(1000);
  expect(csv.events.some(({ op }) => op === 'unmap')).toBe(true);
  expect(printed.info.problems.count).toBe(0);
  const bare = (events: ReadEvent[]) => events.map(({ line, ...event }) => event);
  expect(bare(printed.events)).toEqual(bare(csv.events));
});
