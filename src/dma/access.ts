import { Right, runAt, runsOf } from '../iommu/pageTable.js';
import type { DeviceAddress, DmaDevice } from './device.js';
import { type Piece, read, write } from './memory.js';
import type { DmaSystem } from './system.js';

/** Physical bytes that a device reached. */
interface Reached {
  phys: number;
  length: number;
}

/** The bytes from a device address on that a right lets the device reach, up to the first that it does not. */
function reach(
  { table }: DmaDevice,
  { pfn, offset }: DeviceAddress,
  size: number,
  right: number,
): Reached[] {
  const { granule } = table;
  const reached: Reached[] = [];
  let at = pfn;
  let skipped = offset;
  let left = size;
  while (left > 0) {
    const run = runAt(table, at);
    if (run === undefined || (run.rights & right) === 0) break;
    const room = (run.hi + 1 - at) * granule - skipped;
    const length = Math.min(left, room);
    reached.push({ phys: run.phys + (at - run.lo) * granule + skipped, length });
    left -= length;
    at = run.hi + 1;
    skipped = 0;
  }
  return reached;
}

/** What a device reads from an address on; less than `size` bytes where it may not read further. */
export function deviceRead(
  system: DmaSystem,
  device: DmaDevice,
  address: DeviceAddress,
  size: number,
): Piece[] {
  const reached = reach(device, address, size, Right.read);
  return reached.flatMap(({ phys, length }) => read(system.memory, phys, length));
}

/**
 * A device writes from an address on; the write has the number of the call.
 * @param first position of the first byte in what is written
 * @returns bytes written; less than `size` where it may not write further
 */
export function deviceWrite(
  system: DmaSystem,
  device: DmaDevice,
  address: DeviceAddress,
  size: number,
  first = 0,
): number {
  let written = 0;
  for (const { phys, length } of reach(device, address, size, Right.write)) {
    write(system.memory, phys, length, system.call, first + written, 0);
    written += length;
  }
  return written;
}

/** Physical bytes. */
export interface ByteRange {
  start: number;
  length: number;
}

/** Ranges joined where they touch or overlap, sorted. */
function join(ranges: readonly ByteRange[]): ByteRange[] {
  const joined: ByteRange[] = [];
  for (const { start, length } of [...ranges].sort((a, b) => a.start - b.start)) {
    const last = joined.at(-1);
    if (last !== undefined && start <= last.start + last.length) {
      last.length = Math.max(last.length, start + length - last.start);
    } else {
      joined.push({ start, length });
    }
  }
  return joined;
}

/** The number of the first of sorted, joined ranges that ends behind an address. */
function firstBehind(ranges: readonly ByteRange[], address: number): number {
  let below = 0;
  let above = ranges.length;
  while (below < above) {
    const middle = (below + above) >>> 1;
    if (ranges[middle].start + ranges[middle].length <= address) below = middle + 1;
    else above = middle;
  }
  return below;
}

/** What is left of a range without others that are sorted and joined. */
function subtract({ start, length }: ByteRange, others: readonly ByteRange[]): ByteRange[] {
  const left: ByteRange[] = [];
  const end = start + length;
  let at = start;
  for (let n = firstBehind(others, start); n < others.length && others[n].start < end; n++) {
    if (others[n].start > at) left.push({ start: at, length: others[n].start - at });
    at = others[n].start + others[n].length;
  }
  if (at < end) left.push({ start: at, length: end - at });
  return left;
}

/** Where the bytes of a range come from that are not in others; zeroes included. */
export function readOutside(
  { memory }: DmaSystem,
  range: ByteRange,
  others: readonly ByteRange[],
): Piece[] {
  return subtract(range, join(others)).flatMap(({ start, length }) => read(memory, start, length));
}

/**
 * What a device can reach at this moment beyond what is its own.
 * @param owned the bytes of its live mappings, where their device addresses lead
 * @returns each byte as often as device addresses lead to it, with where it comes from; zeroes included
 */
export function exposed(
  system: DmaSystem,
  { table }: DmaDevice,
  owned: readonly ByteRange[],
): Piece[] {
  const reachable: ByteRange[] = [];
  for (const { lo, hi, phys } of runsOf(table)) {
    reachable.push({ start: phys, length: (hi - lo + 1) * table.granule });
  }
  const own = join(owned);
  const foreign = reachable.flatMap((range) => subtract(range, own));
  return foreign.flatMap(({ start, length }) => read(system.memory, start, length));
}
