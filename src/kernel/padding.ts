/** Bytes that a map zeroes in the pool. */
export interface ZeroFill {
  /** Physical address. */
  start: number;
  /** Bytes; negative where the kernel's unsigned subtraction wraps to nearly 2^64. */
  length: number;
}

/** Two at most. */
export type ZeroFills = readonly [ZeroFill, ZeroFill];

/** To be filled over and over: a hot path. */
export function emptyFills(): ZeroFills {
  return [
    { start: 0, length: 0 },
    { start: 0, length: 0 },
  ];
}

/** The byte of a granule, a power of two, at which an address lies; modulo of doubles takes longer. */
export function offsetIn(address: number, granule: number): number {
  return (address | 0) & (granule - 1);
}

function set(fill: ZeroFill, start: number, length: number): void {
  fill.start = start;
  fill.length = length;
}

/**
 * What a release zeroes around the data of a bounce buffer, so that an untrusted device reads nothing
 * that is not meant for it.
 * @param data physical address of the first data byte in the pool
 * @param size bytes of data
 * @param granule bytes of the smallest IOMMU page
 * @param keepsData whether the data was copied in for the device: to-device or bidirectional, and
 *   without DMA_ATTR_SKIP_CPU_SYNC
 * @param fills takes what is zeroed
 * @returns how many of them count
 */
export type PaddingPolicy = (
  data: number,
  size: number,
  granule: number,
  keepsData: boolean,
  fills: ZeroFills,
) => number;

function roundUp(value: number, granule: number): number {
  return Math.ceil(value / granule) * granule;
}

/**
 * v5.11 to v6.9: from the data's end, or from its start where the device is to write it all, as far as
 * the size rounded up reaches. What lies in front is never zeroed (82612d66d51d, 9b49bbc2c4df).
 */
export const zeroFromData: PaddingPolicy = (data, size, granule, keepsData, [fill]) => {
  const kept = keepsData ? size : 0;
  set(fill, data + kept, roundUp(size, granule) - kept);
  return 1;
};

/**
 * Patch 5 of the series of August 2021: from the granule's start, and behind the data, but no further
 * than the size alone rounded up: negative where offset and size need a granule more.
 */
export const zeroFromGranule: PaddingPolicy = (data, size, granule, keepsData, fills) => {
  const offset = offsetIn(data, granule);
  const start = data - offset;
  const rounded = roundUp(size, granule);
  set(fills[0], start, keepsData ? offset : rounded);
  if (!keepsData) return 1;
  set(fills[1], data + size, rounded - offset - size);
  return 2;
};

/** v6.10 and later: all of the buffer's granules but the data, whatever the direction (2650073f1b58). */
export const zeroAroundData: PaddingPolicy = (data, size, granule, _, [front, back]) => {
  const start = data - offsetIn(data, granule);
  const end = data + size;
  set(front, start, data - start);
  set(back, end, roundUp(end, granule) - end);
  return 2;
};
