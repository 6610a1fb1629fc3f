/** Counts of numbers by size, exact below 16 and in eighths of an octave above: within 6 % of the truth. */
export interface LogHistogram {
  counts: Uint32Array;
  count: number;
  /** Exact; 0 where nothing was counted. */
  least: number;
  most: number;
}

/** Buckets of an octave, as a power of two. */
const SHIFT = 3;
const PER_OCTAVE = 1 << SHIFT;

/** Numbers up to 2^61; larger ones count as that. */
const BUCKETS = (61 - SHIFT + 1) * PER_OCTAVE;

/** Numbers of 2^32 and more are counted by their bits from this one on. */
const LOW_BITS = 29;

/** An empty histogram. */
export function createLogHistogram(): LogHistogram {
  return { counts: new Uint32Array(BUCKETS), count: 0, least: 0, most: 0 };
}

/** The bucket of a whole number from 0 on. Hot path. */
function bucketOf(value: number): number {
  if (value < 2 * PER_OCTAVE) return value;
  if (value < 2 ** 32) return bucketOfBits(value, 0);
  return bucketOfBits(Math.min(value / 2 ** LOW_BITS, 2 ** 32 - 1), LOW_BITS);
}

/** @param bits the number shifted right by `shift` */
function bucketOfBits(bits: number, shift: number): number {
  const octave = 31 - Math.clz32(bits);
  const eighth = (bits >>> (octave - SHIFT)) & (PER_OCTAVE - 1);
  return (octave + shift - SHIFT + 1) * PER_OCTAVE + eighth;
}

/** The middle of a bucket's numbers. */
function middleOf(bucket: number): number {
  if (bucket < 2 * PER_OCTAVE) return bucket;
  const width = 2 ** (Math.floor(bucket / PER_OCTAVE) - 1);
  return (PER_OCTAVE + (bucket % PER_OCTAVE)) * width + Math.floor((width - 1) / 2);
}

/** Counts a whole number from 0 on. */
export function addValue(histogram: LogHistogram, value: number): void {
  if (histogram.count++ === 0 || value < histogram.least) histogram.least = value;
  if (value > histogram.most) histogram.most = value;
  histogram.counts[bucketOf(value)]++;
}

/**
 * The number that a part of all is not above.
 * @param part 0 to 1
 */
export function quantile({ counts, count, least, most }: LogHistogram, part: number): number {
  let below = 0;
  for (let bucket = 0; bucket < counts.length; bucket++) {
    below += counts[bucket];
    if (below > 0 && below >= part * count)
      return Math.min(Math.max(middleOf(bucket), least), most);
  }
  return most;
}
