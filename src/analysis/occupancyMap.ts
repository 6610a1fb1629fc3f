import { Op } from '../events/batch.js';
import type { Observer, Outcome } from '../replay/outcome.js';
import type { Session } from '../replay/session.js';
import type { Pool } from '../swiotlb/pool.js';
import {
  COLUMNS,
  changeSlots,
  createGrid,
  type Grid,
  HOLDERS,
  halveColumns,
  ROWS,
  SEVERAL,
  settle,
} from './occupancyGrid.js';

/** Which slots of one pool were in use, over time. */
export interface PoolOccupancy {
  pool: string;
  /** Address of slot 0. */
  base: number;
  nslabs: number;
  areas: number;
  /** Rows from the first slot that was ever taken to the last. */
  firstSlot: number;
  slotsPerRow: number;
  rows: number;
  /** Row by row, per column: the part of the slots that was in use, 0 to 1, as a mean over the column's events. */
  fraction: Float32Array;
  /** The same cells: index into `devices` of who held at least half of it, -1 where nobody surely did. */
  owner: Int16Array;
}

/**
 * The occupancy of a session's pools: bounded, however long the trace and however large the pools. Its
 * columns are the buckets of `coarser(timeline, COLUMNS)`.
 */
export interface OccupancyMap {
  /** Requests and releases. */
  events: number;
  columns: number;
  /** Of each column but the last, which may have fewer: a power of two. */
  eventsPerColumn: number;
  /** Names of owners, in the order of their first slots; the last may stand for all others. */
  devices: string[];
  pools: PoolOccupancy[];
  /** Pools that had slots in use and are left out. */
  omittedPools: number;
}

/** Watches occupancy; the map is there once the session is finished. */
export interface OccupancyWatch extends Observer {
  map(): OccupancyMap;
}

/** Pools that are drawn; a dynamic allocator may have hundreds. */
const MAX_POOLS = 4;

/**
 * Watches which slots are in use when, and whose they are. Transient pools, as large as their one
 * buffer, are left out. Time goes by events: a burst is as wide as the calls that it is made of.
 */
export function watchOccupancy(session: Session): OccupancyWatch {
  const grids = new Map<Pool, Grid>();
  /** By the device's number in the trace. */
  const holders: number[] = [];
  const names: string[] = [];
  const omitted = new Set<Pool>();
  let eventsPerColumn = 1;
  let events = 0;
  let last: Grid | undefined;

  function gridOf(pool: Pool): Grid | undefined {
    if (pool === last?.pool) return last;
    let grid = grids.get(pool);
    if (grid === undefined) {
      if (!session.allocators.some(({ pools }) => pools.includes(pool))) return undefined;
      if (grids.size === MAX_POOLS) {
        omitted.add(pool);
        return undefined;
      }
      grid = createGrid(pool, eventsPerColumn);
      grids.set(pool, grid);
    }
    last = grid;
    return grid;
  }

  function holderOf({ deviceNumber, device }: Outcome): number {
    const known = holders[deviceNumber];
    if (known !== undefined) return known;
    holders[deviceNumber] = Math.min(names.length, HOLDERS - 1);
    if (names.length === HOLDERS - 1) names.push('other devices');
    else if (names.length < HOLDERS) names.push(device.name);
    return holders[deviceNumber];
  }

  /** @returns the number of the event, from 0 */
  function count(): number {
    if (events === COLUMNS * eventsPerColumn) {
      for (const grid of grids.values()) {
        settle(grid, events);
        halveColumns(grid);
      }
      eventsPerColumn *= 2;
    }
    return events++;
  }

  return {
    onRequest(outcome) {
      const { answer, allocation } = outcome;
      const now = count();
      if (allocation < 0 || answer.pool === undefined) return;
      const grid = gridOf(answer.pool);
      if (grid === undefined) return;
      const { slot, plan } = answer;
      changeSlots(grid, slot, slot + plan.nslots, holderOf(outcome), now);
    },
    onRelease({ op, released }) {
      // What the recorded kernel had refused is given back in the same event.
      const now = op === Op.unmap || op === Op.free ? count() : events - 1;
      if (released.pool === undefined) return;
      const grid = gridOf(released.pool);
      if (grid === undefined) return;
      const { slot, nslots } = released;
      changeSlots(grid, slot, slot + nslots, -1, now);
    },
    atEnd() {
      for (const grid of grids.values()) settle(grid, events);
    },
    map() {
      const columns = Math.ceil(events / eventsPerColumn);
      return {
        events,
        columns,
        eventsPerColumn,
        pools: [...grids.values()].map((grid) => poolOccupancy(grid, events, columns)),
        devices: names,
        omittedPools: omitted.size,
      };
    },
  };
}

function poolOccupancy(grid: Grid, events: number, columns: number): PoolOccupancy {
  const { pool, shift, low, high, eventsPerColumn } = grid;
  const firstRow = (low - grid.first) >>> shift;
  const rows = Math.min(ROWS, ((high - 1 - grid.first) >>> shift) + 1) - firstRow;
  const fraction = new Float32Array(rows * columns);
  const owner = new Int16Array(rows * columns).fill(-1);
  const firstSlot = grid.first + (firstRow << shift);
  for (let row = 0; row < rows; row++) {
    const slots = Math.min(1 << shift, pool.nslabs - firstSlot - (row << shift));
    for (let column = 0; column < columns; column++) {
      const from = (firstRow + row) * COLUMNS + column;
      if (grid.sum[from] === 0) continue;
      const inColumn = Math.min(eventsPerColumn, events - column * eventsPerColumn);
      const at = row * columns + column;
      fraction[at] = Math.min(1, grid.sum[from] / (slots * inColumn));
      const isSure = grid.owner[from] !== SEVERAL && 2 * grid.lead[from] >= grid.sum[from];
      if (isSure) owner[at] = grid.owner[from];
    }
  }
  return {
    pool: pool.name,
    base: pool.base,
    nslabs: pool.nslabs,
    areas: pool.areas,
    firstSlot,
    slotsPerRow: 1 << shift,
    rows,
    fraction,
    owner,
  };
}
