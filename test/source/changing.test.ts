import { appendFileSync, existsSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openSource } from '../../src/source/open.js';
import { inTempDir, type Reading, readSource } from '../support/reading.js';

const HEADER =
  '#swiotlb-trace 1\n#pool name=default base=0x97ff0000 nslabs=7168\ndev,op,orig_addr,size\n';

/** Rows of 20 bytes, which fill a block of a megabyte more than twice. */
function rows(from: number, count: number): string {
  return Array.from({ length: count }, (_, n) => `d,map,0x1000,${1e6 + from + n}\n`).join('');
}
const COUNT = 150_000;

/** Reads a trace that is changed once it has been opened, and its first block has been read ahead. */
function readChanged(change: (path: string) => void): Promise<Reading> {
  return inTempDir(async (directory) => {
    const path = join(directory, 'trace.csv');
    writeFileSync(path, HEADER + rows(0, COUNT));
    const source = await openSource(path);
    const { blocks } = source;
    const first = await blocks.next();
    // The buffer of a block is used again for the next.
    const kept = first.done ? undefined : { ...first.value, bytes: Buffer.from(first.value.bytes) };
    change(path);
    source.blocks = (async function* () {
      if (kept !== undefined) yield kept;
      yield* blocks;
    })();
    try {
      return await readSource(source);
    } finally {
      source.close();
    }
  });
}

describe('a file that changes while it is read', () => {
  test('is read to its new end where it grows', async () => {
    const { events, info } = await readChanged((path) => appendFileSync(path, rows(COUNT, 7)));
    expect(events.map(({ size }) => size - 1e6)).toEqual(events.map((_, n) => n));
    expect(events).toHaveLength(COUNT + 7);
    expect(info.losses).toEqual([]);
  });

  test('is incomplete where it becomes shorter, and the line that was cut is no row', async () => {
    const { events, info } = await readChanged((path) => truncateSync(path, 2_000_010));
    expect(events.length).toBeGreaterThan(50_000);
    expect(events.length).toBeLessThan(COUNT);
    expect(events.map(({ size }) => size - 1e6)).toEqual(events.map((_, n) => n));
    expect(info.losses.map(({ message }) => message)).toEqual([
      expect.stringContaining('the file became shorter while it was read'),
    ]);
  });
});

test.skipIf(!existsSync('/proc/self/status'))(
  'a file that does not know its size is read to its end',
  async () => {
    const source = await openSource('/proc/self/status');
    expect(source.size).toBe(0);
    let bytes = 0;
    for await (const { end } of source.blocks) bytes += end;
    source.close();
    expect(bytes).toBeGreaterThan(100);
    expect(source.tally.truncated).toBeUndefined();
  },
);
