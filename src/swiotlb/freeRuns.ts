import { IO_TLB_SEGSIZE } from '../kernel/constants.js';

/**
 * How many free runs of each length a pool has, kept up with every change of the free-run list, so
 * that fragmentation can be watched at every event without a scan. Not part of the kernel's state.
 */
export interface FreeRuns {
  /** countOf[n]: free runs of n slots; a run never crosses the end of a segment. */
  countOf: Int32Array;
  /** Slots in all runs. */
  slots: number;
  /** Length of the longest run, 0 when there is none. */
  longest: number;
  /** Set when the kernel's own counters were damaged (a release of free slots), until the next count. */
  stale: boolean;
}

/** Counts of a pool without free runs. */
export function createFreeRuns(): FreeRuns {
  return { countOf: new Int32Array(2 * IO_TLB_SEGSIZE + 1), slots: 0, longest: 0, stale: false };
}

/** A free run of `length` slots appeared. */
export function addRun(runs: FreeRuns, length: number): void {
  if (length === 0) return;
  runs.countOf[length]++;
  runs.slots += length;
  if (length > runs.longest) runs.longest = length;
}

/** A free run of `length` slots is gone. */
export function removeRun(runs: FreeRuns, length: number): void {
  if (length === 0) return;
  runs.countOf[length]--;
  runs.slots -= length;
  while (runs.longest > 0 && runs.countOf[runs.longest] === 0) runs.longest--;
}

/** Calls `visit(slot, length)` for each free run of a free-run list, from slot 0 up. */
export function eachRun(
  list: Uint16Array,
  nslabs: number,
  visit: (slot: number, length: number) => void,
): void {
  let slot = 0;
  while (slot < nslabs) {
    const length = list[slot];
    if (length === 0) {
      slot++;
    } else {
      visit(slot, Math.min(length, nslabs - slot));
      slot += length;
    }
  }
}

/** Counts a free-run list afresh. */
export function recountRuns(runs: FreeRuns, list: Uint16Array, nslabs: number): void {
  runs.countOf.fill(0);
  runs.slots = 0;
  runs.longest = 0;
  runs.stale = false;
  eachRun(list, nslabs, (_, length) => addRun(runs, length));
}
