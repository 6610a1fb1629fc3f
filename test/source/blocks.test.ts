import { once } from 'node:events';
import { Readable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type BlockTally, blocksOfLines, readFromStream } from '../../src/source/blocks.js';
import { inChunks } from '../support/reading.js';

interface Cutting {
  blocks: string[];
  /** `unfinished` of each block. */
  unfinished: boolean[];
  tally: BlockTally;
}

async function cut(text: string, chunks: number[], blockBytes?: number): Promise<Cutting> {
  const tally: BlockTally = { bytes: 0, cutLines: 0 };
  const cutting: Cutting = { blocks: [], unfinished: [], tally };
  const read = inChunks(Buffer.from(text), chunks);
  for await (const block of blocksOfLines(read, tally, blockBytes)) {
    cutting.blocks.push(block.bytes.toString('utf8', 0, block.end));
    cutting.unfinished.push(block.unfinished);
  }
  return cutting;
}

/** Text of which newlines make up a good part, so that lines are short, empty and long. */
const TEXT = fc
  .array(fc.constantFrom('\n', 'a', 'bc', '\r\n', '0123456789', 'xyz'), { maxLength: 60 })
  .map((parts) => parts.join(''));
const CHUNKS = fc.array(fc.integer({ min: 1, max: 24 }), { minLength: 1, maxLength: 8 });

/** The lines of a text, each without its newline; the last may lack it. */
function linesOf(text: string): string[] {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines;
}

describe('cutting bytes into blocks of lines', () => {
  test('blocks hold whole lines and together give the text, for any chunks', async () => {
    await fc.assert(
      fc.asyncProperty(
        TEXT,
        CHUNKS,
        fc.integer({ min: 0, max: 40 }),
        async (text, chunks, room) => {
          const longest = Math.max(0, ...linesOf(text).map((line) => line.length));
          const { blocks, tally } = await cut(text, chunks, longest + 1 + room);
          const finished = text === '' || text.endsWith('\n') ? text : `${text}\n`;
          expect(blocks.join('')).toBe(finished);
          expect(blocks.every((block) => block.endsWith('\n'))).toBe(true);
          expect(tally).toEqual({ bytes: text.length, cutLines: 0 });
        },
      ),
    );
  });

  test('the first block is whole, those behind it are pieces, and a longer line is whole again', async () => {
    const lines = 'x'.repeat(1023).concat('\n').repeat(1536);
    const long = `${'y'.repeat(600_000)}\n`;
    const { blocks } = await cut(lines + long, [1 << 21]);
    expect(blocks.map((block) => block.length)).toEqual([
      1 << 20,
      ...[1 << 18, 1 << 18],
      long.length,
    ]);
  });

  test('a line longer than a block is cut, counted, and stays one line', async () => {
    await fc.assert(
      fc.asyncProperty(
        TEXT,
        CHUNKS,
        fc.integer({ min: 1, max: 12 }),
        async (text, chunks, size) => {
          const { blocks, tally } = await cut(text, chunks, size);
          const given = linesOf(text);
          const got = linesOf(blocks.join(''));
          expect(got.length).toBe(given.length);
          got.forEach((line, i) => {
            expect(given[i].startsWith(line)).toBe(true);
          });
          // A line and its newline must fit in a block.
          expect(tally.cutLines).toBe(given.filter((line) => line.length >= size).length);
          expect(tally.bytes).toBe(text.length);
        },
      ),
    );
  });

  test('only the last block is unfinished, if the text lacks its last newline', async () => {
    await fc.assert(
      fc.asyncProperty(
        TEXT,
        CHUNKS,
        fc.integer({ min: 1, max: 30 }),
        async (text, chunks, size) => {
          const { unfinished } = await cut(text, chunks, size);
          const lacksNewline = text !== '' && !text.endsWith('\n');
          expect(unfinished.slice(0, -1)).not.toContain(true);
          expect(unfinished.at(-1) ?? false).toBe(lacksNewline);
        },
      ),
    );
  });

  test('nothing in gives no block', async () => {
    expect((await cut('', [1])).blocks).toEqual([]);
  });

  test('blocks are a megabyte, and of a longer line 64 KiB are kept', async () => {
    const long = 'x'.repeat((1 << 20) + 1);
    const { blocks, tally } = await cut(`first\n${long}\nlast\n`, [1 << 16]);
    expect(blocks.join('')).toBe(`first\n${'x'.repeat(1 << 16)}\nlast\n`);
    expect(tally.cutLines).toBe(1);
  });
});

describe('reading from a stream', () => {
  test('gives all chunks in order, empty ones skipped, whatever length is asked for', async () => {
    const parts = ['ab', '', 'cdefg', '', '', 'h'].map((part) => Buffer.from(part));
    const stream = Readable.from(parts, { objectMode: false });
    const readInto = readFromStream(stream, once(stream, 'end'));
    const into = Buffer.alloc(100);
    let filled = 0;
    for (;;) {
      const got = await readInto(into, filled, 3);
      expect(got).toBeLessThanOrEqual(3);
      if (got === 0) break;
      filled += got;
    }
    expect(into.toString('utf8', 0, filled)).toBe('abcdefgh');
  });

  test('gives what a stream still holds when it fails', async () => {
    const stream = new Readable({ read() {} });
    stream.push('held');
    const failed = once(stream, 'error');
    stream.destroy(new Error('broken'));
    const into = Buffer.alloc(10);
    const readInto = readFromStream(stream, failed);
    expect(await readInto(into, 0, 10)).toBe(4);
    expect(await readInto(into, 4, 6)).toBe(0);
  });
});

test('a line that the end of truncated data cuts is left out', async () => {
  const tally: BlockTally = { bytes: 0, cutLines: 0, truncated: 'the data breaks off' };
  const blocks: string[] = [];
  for await (const { bytes, end } of blocksOfLines(inChunks(Buffer.from('a\nb')), tally)) {
    blocks.push(bytes.toString('utf8', 0, end));
  }
  expect(blocks).toEqual(['a\n']);
});
