import type { PoolOccupancy } from '../../analysis/occupancyMap.js';
import type { Timeline } from '../../analysis/timeline.js';
import type { Finding } from '../../check/finding.js';
import type { Drawing } from './drawing.js';

const SLOT_BYTES = 2048;

/** Where in a report's maps something is. */
export interface Place {
  /** The map's id in the page. */
  map: string;
  column: number;
  /** Undefined where it is about no slot. */
  slot: number | undefined;
}

/** The bucket that holds a line of the trace, or the last before it. */
function bucketOf(line: number, { firstLine, buckets }: Timeline): number {
  let from = 0;
  let to = buckets;
  while (from + 1 < to) {
    const middle = (from + to) >> 1;
    if (firstLine[middle] <= line) from = middle;
    else to = middle;
  }
  return from;
}

/** The slot of a pool in which an address lies; undefined where it lies outside. */
function slotIn(pool: PoolOccupancy, address: number | undefined): number | undefined {
  if (address === undefined) return undefined;
  const slot = Math.floor((address - pool.base) / SLOT_BYTES);
  return slot >= 0 && slot < pool.nslabs ? slot : undefined;
}

/** Where a finding shows; undefined where nothing is drawn. */
export function placeOf(finding: Finding, drawing: Drawing): Place | undefined {
  const { pools } = drawing.occupancy;
  if (pools.length === 0) return undefined;
  const at = pools.findIndex((pool) => slotIn(pool, finding.address) !== undefined);
  const pool = Math.max(0, at);
  return {
    map: mapId(drawing, pool),
    column: bucketOf(finding.line, drawing.columns),
    slot: slotIn(pools[pool], finding.address),
  };
}

/** The id of a pool's map. */
export function mapId({ side }: Drawing, pool: number): string {
  return `map-${side}${pool}`;
}
