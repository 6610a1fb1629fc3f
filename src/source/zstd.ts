import { ZSTDDecoder } from 'zstddec/stream';
import { UserError } from '../events/errors.js';
import type { ReadBytes, Unpack } from './packing.js';

const FRAME_MAGIC = 0xfd2fb528;

/** The 16 magics of frames that hold something else, which readers pass over. */
const SKIPPABLE_MAGIC = 0x184d2a50;

/** Block_Maximum_Size of RFC 8878. */
const MAX_BLOCK = 1 << 17;

/** What zstd itself unpacks without being asked to, and what memory it may cost here. */
const MAX_WINDOW = 1 << 27;

const COMPRESSED_RLE = 1;
const RESERVED = 3;

/** Why packed data ends before it should; caught in this file. */
class Damage extends Error {}

/**
 * Unpacks zstd (RFC 8878) with the reference implementation as WebAssembly. It takes the data piece by
 * piece as it comes to them, so that memory stays at the window and one block, whatever is unpacked.
 *
 * zstddec does not look at the decoder's errors. So the data is cut here where its blocks end: a good
 * decoder answers a block at once, and one that has to be asked about the same block again has failed.
 */
export const unpackZstd: Unpack = async (name, packed, damaged) => {
  const decoder = new ZSTDDecoder();
  await decoder.init();
  let given = 0;
  let over = false;
  let rest: Uint8Array = new Uint8Array(0);

  function* pieces(): Generator<Uint8Array> {
    try {
      for (const piece of piecesOf(name, packed)) {
        given++;
        yield piece;
        if (over) return;
      }
    } catch (error) {
      if (!(error instanceof Damage)) throw error;
      damaged(error.message);
    }
  }
  const unpacked = decoder.decodeStreaming(pieces());

  /** The next unpacked bytes, perhaps none; undefined at the end. */
  function next(): Uint8Array | undefined {
    const before = given;
    try {
      const { value, done } = unpacked.next();
      if (done) return undefined;
      if (given > before) return value;
      damaged('is damaged (a block or checksum is wrong)');
    } catch (error) {
      if (error instanceof UserError) throw error;
      // Said of data that breaks off, which was noticed before, and of a decoder that ran into a trap.
      damaged('is damaged (it cannot be decoded)');
    }
    return undefined;
  }

  return {
    read(into, offset, length) {
      while (rest.length === 0 && !over) {
        const chunk = next();
        if (chunk === undefined) over = true;
        else rest = chunk;
      }
      const count = Math.min(length, rest.length);
      into.set(rest.subarray(0, count), offset);
      rest = rest.subarray(count);
      return count;
    },
    close() {
      // Once its input ends, the decoder gives its memory back.
      if (!over) {
        over = true;
        next();
      }
    },
  };
};

/** Frame headers, blocks and checksums, each a piece. */
function* piecesOf(name: string, packed: ReadBytes): Generator<Buffer> {
  for (;;) {
    const magic = take(packed, 4, true);
    if (magic.length === 0) return;
    const number = magic.readUInt32LE();
    if ((number & 0xfffffff0) >>> 0 === SKIPPABLE_MAGIC) {
      skip(packed, take(packed, 4).readUInt32LE());
    } else if (number === FRAME_MAGIC) {
      yield* frame(name, packed, magic);
    } else {
      throw new Damage('has bytes behind its end that are no zstd frame');
    }
  }
}

function* frame(name: string, packed: ReadBytes, magic: Buffer): Generator<Buffer> {
  const descriptor = take(packed, 1);
  const isSingleSegment = (descriptor[0] & 0x20) !== 0;
  const hasChecksum = (descriptor[0] & 0x04) !== 0;
  const idBytes = [0, 1, 2, 4][descriptor[0] & 3];
  const sizeBytes = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor[0] >> 6];
  const window = take(packed, isSingleSegment ? 0 : 1);
  const id = take(packed, idBytes);
  const size = take(packed, sizeBytes);
  if (id.some((byte) => byte !== 0)) {
    throw new UserError(
      `${name}: is zstd data that needs its dictionary: unpack it first: zstd -dc -D DICTIONARY FILE | swiotlb-replay -`,
    );
  }
  if ((isSingleSegment ? contentSize(size) : windowSize(window[0])) > MAX_WINDOW) {
    throw new UserError(
      `${name}: is zstd data with a window above 128 MiB: unpack it first: zstd -dc --long=31 FILE | swiotlb-replay -`,
    );
  }
  yield Buffer.concat([magic, descriptor, window, id, size]);
  for (let isLast = false; !isLast; ) {
    const head = take(packed, 3);
    const bits = head.readUIntLE(0, 3);
    isLast = (bits & 1) !== 0;
    const type = (bits >> 1) & 3;
    const bytes = bits >> 3;
    if (type === RESERVED || bytes > MAX_BLOCK) {
      throw new Damage('is damaged (a block has an impossible head)');
    }
    yield Buffer.concat([head, take(packed, type === COMPRESSED_RLE ? 1 : bytes)]);
  }
  if (hasChecksum) yield take(packed, 4);
}

/** Frame_Content_Size; its two-byte form starts at 256. */
function contentSize(field: Buffer): number {
  if (field.length === 8) return Number(field.readBigUInt64LE());
  return field.readUIntLE(0, field.length) + (field.length === 2 ? 256 : 0);
}

/** Window_Descriptor: exponent and eighths. */
function windowSize(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >> 3));
  return base + (base / 8) * (descriptor & 7);
}

/** The next `count` bytes; none, where `mayEnd`, at the end. */
function take(packed: ReadBytes, count: number, mayEnd = false): Buffer {
  const bytes = Buffer.allocUnsafe(count);
  let filled = 0;
  while (filled < count) {
    const got = packed(bytes, filled, count - filled);
    if (got === 0) {
      if (mayEnd && filled === 0) return bytes.subarray(0, 0);
      throw new Damage('breaks off');
    }
    filled += got;
  }
  return bytes;
}

function skip(packed: ReadBytes, count: number): void {
  for (let left = count; left > 0; ) left -= take(packed, Math.min(left, MAX_BLOCK)).length;
}
