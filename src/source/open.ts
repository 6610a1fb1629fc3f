import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { UserError } from '../events/errors.js';
import {
  type Block,
  type BlockTally,
  blocksOfLines,
  type ReadInto,
  readFromStream,
} from './blocks.js';

/** An opened input. */
export interface Source {
  /** The path as the user gave it, `<stdin>` for `-`. */
  name: string;
  blocks: AsyncGenerator<Block>;
  tally: BlockTally;
  /** Bytes of the file on disk, to show progress by; undefined where not known. */
  size: number | undefined;
  close(): void;
}

/** Files that are told by their first bytes, and what to do with those that are not text. */
const MAGICS: readonly { bytes: readonly number[]; what: string; advice: string }[] = [
  {
    bytes: [0x28, 0xb5, 0x2f, 0xfd],
    what: 'zstd data',
    advice: 'unpack it first: zstd -dc FILE | swiotlb-replay -',
  },
  {
    bytes: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00],
    what: 'xz data',
    advice: 'unpack it first: xz -dc FILE | swiotlb-replay -',
  },
  {
    bytes: [0x17, 0x08, 0x44, 0x74, 0x72, 0x61, 0x63, 0x69, 0x6e, 0x67],
    what: 'a trace-cmd recording',
    advice: 'give its text: trace-cmd report -i FILE | swiotlb-replay -',
  },
  {
    bytes: [0x50, 0x45, 0x52, 0x46, 0x49, 0x4c, 0x45, 0x32],
    what: 'a perf recording',
    advice: 'give its text: perf script -i FILE | swiotlb-replay -',
  },
];

const HEAD_BYTES = 4096;

/**
 * Opens a file, or standard input for `-`, and unpacks gzip, told by content.
 * @throws UserError for what cannot be read, is a directory, is empty, or is no text
 */
export async function openSource(path: string): Promise<Source> {
  const name = path === '-' ? '<stdin>' : path;
  const fd = path === '-' ? 0 : openFile(path);
  let closed = false;
  const close = (): void => {
    if (fd !== 0 && !closed) closeSync(fd);
    closed = true;
  };
  try {
    const size = fd === 0 ? undefined : fileSize(name, fd);
    const readOpen = readFromFd(name, fd);
    // Unpacking reads ahead in the background; after the close, the number may be another file's.
    const readFd: typeof readOpen = (...to) => (closed ? 0 : readOpen(...to));
    const head = readHead(readFd);
    let read = withHead(head, readFd);
    let text: Buffer = head;
    if (head[0] === 0x1f && head[1] === 0x8b) {
      read = gunzip(name, read);
      text = await fill(read, Buffer.alloc(HEAD_BYTES));
      read = withHead(text, read);
    }
    if (text.length === 0) throw new UserError(`${name}: is empty: there is nothing to replay`);
    refuseBinary(name, text);
    const tally: BlockTally = { bytes: 0, cutLines: 0 };
    return { name, blocks: blocksOfLines(read, tally), tally, size, close };
  } catch (error) {
    close();
    throw error;
  }
}

function openFile(path: string): number {
  try {
    return openSync(path, 'r');
  } catch (error) {
    throw new UserError(`${path}: cannot be opened: ${reason(error)}`);
  }
}

function fileSize(name: string, fd: number): number | undefined {
  const stat = fstatSync(fd);
  if (stat.isDirectory()) {
    throw new UserError(`${name}: is a directory: name the trace files in it`);
  }
  return stat.isFile() ? stat.size : undefined;
}

/** The system's own words for an error, without Node's prefix and path. */
function reason(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/^[A-Z0-9]+: /, '').replace(/, \w+( '.*')?$/s, '');
}

function readFromFd(
  name: string,
  fd: number,
): (into: Buffer, offset: number, length: number) => number {
  return (into, offset, length) => {
    for (;;) {
      try {
        return readSync(fd, into, offset, length, null);
      } catch (error) {
        const code = (error as NodeJS.ErrnoException).code;
        if (code === 'EOF') return 0;
        if (code !== 'EAGAIN') throw new UserError(`${name}: cannot be read: ${reason(error)}`);
        // Standard input may be a pipe that does not block: wait a little for the writer.
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
      }
    }
  };
}

function readHead(read: (into: Buffer, offset: number, length: number) => number): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  let filled = 0;
  while (filled < HEAD_BYTES) {
    const got = read(head, filled, HEAD_BYTES - filled);
    if (got === 0) break;
    filled += got;
    if (head[0] === 0 || filled >= 16) break;
  }
  return head.subarray(0, filled);
}

async function fill(read: ReadInto, into: Buffer): Promise<Buffer> {
  const got = await read(into, 0, into.length);
  return into.subarray(0, got);
}

/** A reader that gives `head` again before it goes on. */
function withHead(head: Buffer, read: ReadInto): ReadInto {
  let rest = head;
  return (into, offset, length) => {
    if (rest.length === 0) return read(into, offset, length);
    const count = Math.min(length, rest.length);
    rest.copy(into, offset, 0, count);
    rest = rest.subarray(count);
    return count;
  };
}

function gunzip(name: string, read: ReadInto): ReadInto {
  const packed = new Readable({
    async read() {
      const chunk = Buffer.allocUnsafe(1 << 16);
      try {
        const got = await read(chunk, 0, chunk.length);
        this.push(got === 0 ? null : chunk.subarray(0, got));
      } catch (error) {
        this.destroy(error as Error);
      }
    },
  });
  const unpacked = createGunzip();
  packed.on('error', (error) => unpacked.destroy(error));
  const readUnpacked = readFromStream(packed.pipe(unpacked));
  return async (into, offset, length) => {
    try {
      return await readUnpacked(into, offset, length);
    } catch (error) {
      if (error instanceof UserError) throw error;
      throw new UserError(
        `${name}: cannot be unpacked: ${reason(error)}: fetch or pack the file again`,
      );
    }
  };
}

function refuseBinary(name: string, head: Buffer): void {
  for (const magic of MAGICS) {
    if (magic.bytes.every((byte, i) => head[i] === byte)) {
      throw new UserError(`${name}: is ${magic.what}: ${magic.advice}`);
    }
  }
  const nul = head.indexOf(0);
  if (nul >= 0) {
    throw new UserError(
      `${name}: is binary data (a NUL byte at offset ${nul}): give the text of a trace or log`,
    );
  }
}
