import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { UserError } from '../events/errors.js';
import { type Block, type BlockTally, blocksOfLines, type ReadInto } from './blocks.js';
import { refuseBinary } from './magics.js';
import { withoutNuls } from './nuls.js';
import type { ReadBytes, Unpacked } from './packing.js';
import { PACKINGS } from './unpack.js';

/** An opened input. */
export interface Source {
  /** The path as the user gave it, `<stdin>` for `-`. */
  name: string;
  /** The first bytes, unpacked, to tell by what it is; they come in the blocks again. */
  head: Buffer;
  blocks: AsyncGenerator<Block>;
  tally: BlockTally;
  /** Bytes of the file as it lies there, to hold `tally.taken` against; undefined where not known. */
  size: number | undefined;
  close(): void;
}

const HEAD_BYTES = 4096;

const BOM = Buffer.from('\ufeff');

/** What a source reads from. */
interface Origin {
  /** For messages. */
  name: string;
  read: ReadBytes;
  /** Bytes that will come; undefined where not known. */
  size: number | undefined;
  close(): void;
}

/**
 * Opens a file, or standard input for `-`, and unpacks it; how it is packed is told by content. What
 * cannot be unpacked to its end is read as far as it goes, and the tally says so.
 * @throws UserError for what cannot be read, is a directory, is empty, or is no text
 */
export async function openSource(path: string): Promise<Source> {
  const name = path === '-' ? '<stdin>' : path;
  const fd = path === '-' ? 0 : openFile(path);
  const close = (): void => {
    if (fd !== 0) closeSync(fd);
  };
  let size: number | undefined;
  try {
    size = fd === 0 ? undefined : fileSize(name, fd);
  } catch (error) {
    close();
    throw error;
  }
  return openOrigin({ name, read: readFromFd(name, fd), size, close });
}

/** As openSource, of bytes that are in memory. */
export function openBytes(name: string, bytes: Uint8Array): Promise<Source> {
  let at = 0;
  const read: ReadBytes = (into, offset, length) => {
    const piece = bytes.subarray(at, at + length);
    into.set(piece, offset);
    at += piece.length;
    return piece.length;
  };
  return openOrigin({ name, read, size: bytes.length, close() {} });
}

async function openOrigin(origin: Origin): Promise<Source> {
  const { name, size } = origin;
  const tally: BlockTally = { bytes: 0, cutLines: 0 };
  let unpacked: Unpacked | undefined;
  let closed = false;
  const close = (): void => {
    if (closed) return;
    closed = true;
    unpacked?.close();
    origin.close();
  };
  try {
    // Unpacking reads ahead in the background; after the close, a file's number may be another's.
    const readOpen: ReadBytes = (...to) => {
      const count = closed ? 0 : origin.read(...to);
      tally.taken = (tally.taken ?? 0) + count;
      if (count === 0 && !closed && size !== undefined && tally.taken < size) {
        tally.truncated ??= 'the file became shorter while it was read';
      }
      return count;
    };
    let head = await readHead(readOpen);
    const packed = withHead(head, readOpen);
    const packing = PACKINGS.find(({ magic }) => head.subarray(0, magic.length).equals(magic));
    let read: ReadInto = packed;
    if (packing !== undefined) {
      unpacked = await packing.unpack(name, packed, (how) => {
        tally.truncated ??= `the ${packing.what} data ${how}`;
      });
      head = await readHead(unpacked.read);
      read = withHead(head, unpacked.read);
    }
    if (head.length === 0) throw nothingIn(name, tally);
    refuseBinary(name, head);
    if (startsWithBom(head)) await read(Buffer.alloc(BOM.length), 0, BOM.length);
    return {
      name,
      head: startsWithBom(head) ? head.subarray(BOM.length) : head,
      blocks: blocksOfLines(withoutNuls(read, tally), tally),
      tally,
      size,
      close,
    };
  } catch (error) {
    close();
    throw error;
  }
}

function nothingIn(name: string, { truncated }: BlockTally): UserError {
  return new UserError(
    truncated === undefined
      ? `${name}: is empty: there is nothing to replay`
      : `${name}: cannot be unpacked: ${truncated}: fetch or pack the file again`,
  );
}

function startsWithBom(head: Buffer): boolean {
  return head.subarray(0, BOM.length).equals(BOM);
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
  const { message, syscall } = error as NodeJS.ErrnoException;
  const text = message.replace(/^[A-Z0-9]+: /, '');
  const path = text.indexOf(`, ${syscall}`);
  return path < 0 ? text : text.slice(0, path);
}

function readFromFd(name: string, fd: number): ReadBytes {
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

/** The first bytes, as many as there are. */
async function readHead(read: ReadInto): Promise<Buffer> {
  const head = Buffer.alloc(HEAD_BYTES);
  let filled = 0;
  while (filled < HEAD_BYTES) {
    const got = await read(head, filled, HEAD_BYTES - filled);
    if (got === 0) break;
    filled += got;
  }
  return head.subarray(0, filled);
}

/** A reader that gives `head` again before it goes on. */
function withHead<T extends number | Promise<number>>(
  head: Buffer,
  read: (into: Buffer, offset: number, length: number) => T,
): (into: Buffer, offset: number, length: number) => T | number {
  let rest = head;
  return (into, offset, length) => {
    if (rest.length === 0) return read(into, offset, length);
    const count = Math.min(length, rest.length);
    rest.copy(into, offset, 0, count);
    rest = rest.subarray(count);
    return count;
  };
}
