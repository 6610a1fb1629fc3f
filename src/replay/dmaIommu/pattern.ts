import { Origin, type Piece } from '../../dma/memory.js';

/** The byte that the recorders of dma-iommu vectors write at position x: never 0. */
function patternByte(x: number): number {
  return 1 + ((Math.imul(x | 0, 0x9e3779b1) >>> 24) % 255);
}

const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let value = n;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

/**
 * CRC-32 of bytes that are told by where they come from.
 * @param ramBase the address whose byte was pattern byte 0 before the trace
 */
export function crcOf(pieces: readonly Piece[], ramBase: number): number {
  let crc = 0xffffffff;
  for (const { origin, at, length } of pieces) {
    const from = origin === Origin.before ? at - ramBase : at;
    for (let i = 0; i < length; i++) {
      const byte = origin === Origin.zeroed ? 0 : patternByte(from + i);
      crc = TABLE[(crc ^ byte) & 0xff] ^ (crc >>> 8);
    }
  }
  return ~crc >>> 0;
}
