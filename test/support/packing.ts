import { spawnSync } from 'node:child_process';

/** Whether an xz program is installed, which the reading of xz data needs. */
export const HAS_XZ = spawnSync('xz', ['--version']).status === 0;

/** Data packed by the xz program. */
export function xzSync(data: string | Uint8Array): Buffer {
  return spawnSync('xz', ['-c'], { input: data, maxBuffer: 1 << 28 }).stdout;
}

/** Block_Maximum_Size of RFC 8878. */
const MAX_BLOCK = 1 << 17;

/** A zstd frame of blocks that are not compressed, without a checksum. */
export function zstdFrame(data: string | Uint8Array): Buffer {
  const bytes = Buffer.from(data);
  const blocks: Buffer[] = [];
  for (let at = 0; at < bytes.length || at === 0; at += MAX_BLOCK) {
    const body = bytes.subarray(at, at + MAX_BLOCK);
    blocks.push(blockHead(0, body.length, at + MAX_BLOCK >= bytes.length), body);
  }
  return Buffer.concat([frameHead(), ...blocks]);
}

/** A zstd frame of `count` blocks of 128 KiB of the same byte: four bytes each. */
export function zstdBomb(byte: number, count: number): Buffer {
  const blocks = Array.from({ length: count }, (_, n) =>
    Buffer.concat([blockHead(1, MAX_BLOCK, n === count - 1), Buffer.from([byte])]),
  );
  return Buffer.concat([frameHead(), ...blocks]);
}

/** A zstd frame that readers pass over. */
export function skippableFrame(data: string): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32LE(0x184d2a57);
  head.writeUInt32LE(data.length, 4);
  return Buffer.concat([head, Buffer.from(data)]);
}

/** Magic, descriptor without flags or with those given, window of 128 KiB or as given. */
export function frameHead(descriptor = 0, window = 7 << 3): Buffer {
  return Buffer.from([0x28, 0xb5, 0x2f, 0xfd, descriptor, window]);
}

function blockHead(type: number, size: number, isLast: boolean): Buffer {
  const head = Buffer.alloc(3);
  head.writeUIntLE((size << 3) | (type << 1) | Number(isLast), 0, 3);
  return head;
}
