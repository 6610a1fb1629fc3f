import { IO_TLB_SIZE } from '../kernel/constants.js';
import type { Outcome } from '../replay/outcome.js';

/** What requests of one size class cost beyond what they asked for. */
export interface SizeClass {
  /** Bytes of the largest request: a power of two. */
  upTo: number;
  requests: number;
  /** Bytes asked for. */
  asked: number;
  /** Bytes in front of the data: the offset inside the slot, and padding slots. */
  front: number;
  /** Bytes behind it: the rest of the last slot, and what alloc_size adds. */
  behind: number;
}

/** The smallest class holds requests up to 256 bytes, the largest those of 256 KiB and more. */
const SMALLEST_SHIFT = 8;
const CLASSES = 11;

/** Numbers of a class in the counts: requests, bytes asked for, bytes in front of the data, slots. */
const WIDTH = 4;

/** Counts per size class; `addRequest` fills them. */
export function createSizeCounts(): Float64Array {
  return new Float64Array(CLASSES * WIDTH);
}

/** Counts a request that was served. Hot path. */
export function addRequest(counts: Float64Array, { size, answer }: Outcome): void {
  const { offset, nslots } = answer.plan;
  const bits = size <= 1 << SMALLEST_SHIFT ? SMALLEST_SHIFT : 32 - Math.clz32(size - 1);
  const at = Math.min(bits - SMALLEST_SHIFT, CLASSES - 1) * WIDTH;
  counts[at]++;
  counts[at + 1] += size;
  counts[at + 2] += offset;
  counts[at + 3] += nslots;
}

/** The classes that have requests, smallest first. */
export function sizeClasses(counts: Float64Array): SizeClass[] {
  const classes: SizeClass[] = [];
  for (let n = 0; n < CLASSES; n++) {
    const [requests, asked, front, slots] = counts.subarray(n * WIDTH, (n + 1) * WIDTH);
    if (requests === 0) continue;
    const behind = slots * IO_TLB_SIZE - front - asked;
    classes.push({ upTo: 2 ** (n + SMALLEST_SHIFT), requests, asked, front, behind });
  }
  return classes;
}

/** The part of all bytes taken that nobody asked for, 0 to 1. */
export function wastedPart(classes: readonly SizeClass[]): number {
  let asked = 0;
  let wasted = 0;
  for (const each of classes) {
    asked += each.asked;
    wasted += each.front + each.behind;
  }
  return wasted > 0 ? wasted / (asked + wasted) : 0;
}
