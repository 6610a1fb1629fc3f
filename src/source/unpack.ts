import { spawn } from 'node:child_process';
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { UserError } from '../events/errors.js';
import { type ReadInto, readFromStream } from './blocks.js';
import type { ReadBytes, Unpack } from './packing.js';
import { unpackZstd } from './zstd.js';

/** How files may be packed, told by their first bytes. */
export const PACKINGS: readonly { what: string; magic: Buffer; unpack: Unpack }[] = [
  { what: 'gzip', magic: Buffer.from([0x1f, 0x8b]), unpack: unpackGzip },
  { what: 'zstd', magic: Buffer.from([0x28, 0xb5, 0x2f, 0xfd]), unpack: unpackZstd },
  { what: 'xz', magic: Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]), unpack: unpackXz },
];

/** Packed bytes that are handed on at once. */
const PIECE_BYTES = 1 << 14;

/** The end of the packed bytes that gunzip gets in small pieces, and how small. */
const TAIL_BYTES = 1 << 12;
const TAIL_PIECE_BYTES = 64;

/** CRC and size at the end of a gzip member. */
const GZIP_TRAILER_BYTES = 8;

/** Unpacks all members of gzip data. */
function unpackGzip(...[, packed, damaged]: Parameters<Unpack>): ReturnType<Unpack> {
  const unpacker = createGunzip();
  const source = Readable.from(gzipPieces(packed), { objectMode: false });
  source.on('error', (error) => unpacker.destroy(error)).pipe(unpacker);
  const failure = new Promise<Error | undefined>((resolve) => {
    unpacker.on('end', () => resolve(undefined)).on('error', resolve);
  });
  return {
    read: readUntil(unpacker, failure, ({ message }) => {
      if (message === 'unexpected end of file') damaged('breaks off');
      else if (message === 'incorrect header check') {
        damaged('has bytes behind its end that are no gzip member');
      } else damaged(`is damaged (${message})`);
    }),
    close() {
      source.destroy();
      unpacker.destroy();
    },
  };
}

/**
 * A piece that gunzip finds fault with takes what it had unpacked of it along, and the faults that a
 * whole trace may be got from are at the end: its checksum, or bytes behind it. So that end, and the
 * checksum again, come in small pieces.
 */
function* gzipPieces(packed: ReadBytes): Generator<Buffer> {
  let held: Buffer = Buffer.alloc(0);
  for (const piece of pieces(packed)) {
    held = Buffer.concat([held, piece]);
    if (held.length <= TAIL_BYTES) continue;
    yield held.subarray(0, -TAIL_BYTES);
    held = held.subarray(-TAIL_BYTES);
  }
  const trailer = Math.max(0, held.length - GZIP_TRAILER_BYTES);
  for (let at = 0; at < trailer; at += TAIL_PIECE_BYTES) {
    yield held.subarray(at, Math.min(at + TAIL_PIECE_BYTES, trailer));
  }
  yield held.subarray(trailer);
}

function* pieces(packed: ReadBytes): Generator<Buffer> {
  for (;;) {
    const piece = Buffer.allocUnsafe(PIECE_BYTES);
    const got = packed(piece, 0, PIECE_BYTES);
    if (got === 0) return;
    yield piece.subarray(0, got);
  }
}

/** Memory that xz may take: ten times what its default settings need. A user's own XZ_DEFAULTS counts more. */
const XZ_DEFAULTS = '--memlimit-decompress=512MiB';

/** How much of xz's complaints is kept. */
const KEPT_COMPLAINT = 1000;

/** Unpacks xz data with the xz program. */
function unpackXz(...[name, packed, damaged]: Parameters<Unpack>): ReturnType<Unpack> {
  const xz = spawn('xz', ['-dc'], { env: { XZ_DEFAULTS, ...process.env, LC_ALL: 'C' } });
  const source = Readable.from(pieces(packed), { objectMode: false });
  let complaint = '';
  xz.stderr.setEncoding('utf8').on('data', (text: string) => {
    if (complaint.length < KEPT_COMPLAINT) complaint += text;
  });
  const failure = new Promise<Error | undefined>((resolve) => {
    xz.on('error', (error: NodeJS.ErrnoException) => {
      const why =
        error.code === 'ENOENT' ? 'there is no xz program' : `xz cannot be run (${error.message})`;
      const advice =
        'install it (xz-utils), or unpack where there is one: xz -dc FILE | swiotlb-replay -';
      resolve(new UserError(`${name}: is xz data, and ${why}: ${advice}`));
    });
    source.on('error', (error) => {
      xz.kill();
      resolve(error);
    });
    xz.on('close', (code, signal) => {
      resolve(code === 0 ? undefined : new Error(complaint.trim() || `xz ended with ${signal}`));
    });
  });
  // A program that ended early, or never began, says so itself.
  xz.stdin.on('error', () => source.destroy());
  source.pipe(xz.stdin);
  return {
    read: readUntil(xz.stdout, failure, ({ message }) => {
      const words = message.replace(/^xz: \(stdin\): /, '');
      damaged(words === 'Unexpected end of input' ? 'breaks off' : `is damaged (xz: ${words})`);
    }),
    close() {
      source.destroy();
      xz.kill();
    },
  };
}

/** Reads all that a stream gives until it ends or fails; tells of a failure that is not the user's to mend. */
function readUntil(
  stream: Readable,
  failure: Promise<Error | undefined>,
  failed: (error: Error) => void,
): ReadInto {
  const read = readFromStream(stream, failure);
  let over = false;
  return async (into, offset, length) => {
    if (over) return 0;
    const got = await read(into, offset, length);
    if (got > 0) return got;
    over = true;
    const error = await failure;
    if (error instanceof UserError) throw error;
    if (error !== undefined) failed(error);
    return 0;
  };
}
