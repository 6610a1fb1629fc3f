import type { Readable } from 'node:stream';

/** Bytes that hold whole lines only. */
export interface Block {
  /** The buffer is reused for the next block. */
  bytes: Buffer;
  /** End of the last line, newline included. */
  end: number;
  /** Set on the last block if the file's last line has no newline (one was added). */
  unfinished: boolean;
}

/** What was seen on the way. */
export interface BlockTally {
  bytes: number;
  /** Bytes of the file, as it lies there packed or not, that have been taken. */
  taken?: number;
  /** Lines that were longer than a block and have been cut. */
  cutLines: number;
  /** How the data ended before it should have, as in "breaks off"; a line cut by that is left out. */
  truncated?: string;
  /** NUL bytes that were made blanks, and the most of them in a row. */
  nuls?: number;
  longestNuls?: number;
}

/** Size of a block, and so the longest line that is read whole. */
const BLOCK_BYTES = 1 << 20;

/**
 * Bytes that are read at once, but for the first block, by which formats are told: what is looked at
 * more than once then comes from the processor's cache.
 */
const PIECE_BYTES = 1 << 18;

/** How much is kept of a line longer than a block. */
const CUT_LINE_BYTES = 1 << 16;

const NEWLINE = 0x0a;

/** Gives up to `length` bytes into `into` at `offset`; 0 at the end. */
export type ReadInto = (into: Buffer, offset: number, length: number) => number | Promise<number>;

/**
 * Cuts a stream of bytes into blocks of whole lines. Memory stays at one block, whatever comes: a
 * line longer than a block is cut and counted, and still is one line.
 */
export async function* blocksOfLines(
  read: ReadInto,
  tally: BlockTally,
  blockBytes = BLOCK_BYTES,
): AsyncGenerator<Block> {
  // One byte more than a block, for the newline that a last line may lack.
  const bytes = Buffer.allocUnsafe(blockBytes + 1);
  let filled = 0;
  let skipping = false;
  let isFirst = true;
  for (;;) {
    const room = blockBytes - filled;
    const answer = read(bytes, filled, isFirst ? room : Math.min(room, PIECE_BYTES));
    const got = typeof answer === 'number' ? answer : await answer;
    tally.bytes += got;
    const endsCut = skipping && got === 0;
    if (skipping) {
      const newline = bytes.subarray(filled, filled + got).indexOf(NEWLINE);
      if (newline < 0 && got > 0) continue;
      skipping = false;
      bytes[filled] = NEWLINE;
      const rest = newline < 0 ? 0 : got - newline - 1;
      if (rest > 0) bytes.copyWithin(filled + 1, filled + newline + 1, filled + got);
      filled += 1 + rest;
    } else {
      filled += got;
    }

    if (got === 0) {
      if (filled === 0) return;
      const lacksNewline = bytes[filled - 1] !== NEWLINE;
      if (lacksNewline && tally.truncated !== undefined) return;
      if (lacksNewline) bytes[filled++] = NEWLINE;
      yield { bytes, end: filled, unfinished: lacksNewline || endsCut };
      return;
    }

    const end = bytes.lastIndexOf(NEWLINE, filled - 1) + 1;
    if (end > 0) {
      isFirst = false;
      yield { bytes, end, unfinished: false };
      bytes.copyWithin(0, end, filled);
      filled -= end;
    } else if (filled === blockBytes) {
      tally.cutLines++;
      filled = Math.min(CUT_LINE_BYTES, blockBytes >> 1);
      skipping = true;
    }
  }
}

/**
 * Reads from a stream as `blocksOfLines` wants it: also what the stream still held when it failed.
 * @param over settles when the stream has ended or failed
 */
export function readFromStream(stream: Readable, over: Promise<unknown>): ReadInto {
  let chunk: Buffer = Buffer.alloc(0);
  let isOver = false;
  let wake = (): void => {};
  stream.on('readable', () => wake());
  over.then(() => {
    isOver = true;
    wake();
  });
  return async (into, offset, length) => {
    while (chunk.length === 0) {
      const next: Buffer | null = stream.read();
      if (next !== null) chunk = next;
      else if (isOver) return 0;
      else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
    const count = Math.min(length, chunk.length);
    chunk.copy(into, offset, 0, count);
    chunk = chunk.subarray(count);
    return count;
  };
}
