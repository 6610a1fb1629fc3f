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

/** Numbers up to 2^63; larger ones count as that. */
const BUCKETS = (63 - SHIFT) * PER_OCTAVE + 2 * PER_OCTAVE;

/** An empty histogram. */
export function createLogHistogram(): LogHistogram {
  return { counts: new Uint32Array(BUCKETS), count: 0, least: 0, most: 0 };
}

/** The bucket of a whole number from 0 on. */
function bucketOf(value: number): number {
  if (value < 2 * PER_OCTAVE) return value;
  let high = value;
  let octave = 31;
  if (value >= 2 ** 32) {
    high = Math.min(value / 2 ** 32, 2 ** 31);
    octave = 63;
  }
  octave -= Math.clz32(high);
  const eighth = Math.floor(value / 2 ** (octave - SHIFT)) & (PER_OCTAVE - 1);
  return (octave - SHIFT + 1) * PER_OCTAVE + eighth;
}

/** The middle of a bucket's numbers. */
function middleOf(bucket: number): number {
  if (bucket < 2 * PER_OCTAVE) return bucket;
  const width = 2 ** (Math.floor(bucket / PER_OCTAVE) - 1);
  return (PER_OCTAVE + (bucket % PER_OCTAVE)) * width + (width - 1) / 2;
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
