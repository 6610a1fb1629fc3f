import type { DmaDevice } from '../../dma/device.js';
import { startCall } from '../../dma/system.js';
import type { DmaIommuTrace, DmaRow } from '../../events/iommu.js';
import { nextTimer, runTimer, type TimerEvent } from '../../iommu/iovaDomain.js';
import type { IommuRelease } from '../../kernel/iommuRelease.js';
import {
  createPlayer,
  type Mapping,
  noteRecorded,
  nothing,
  type Played,
  type Player,
  reuseMapping,
} from './player.js';
import { PLAYS, skipped } from './plays.js';

/** What became of one row. Reused for every row of a replay, as are the row and what was played. */
export interface DmaOutcome {
  row: DmaRow;
  player: Player;
  /** What the model gave; what it did besides is in `player.system.effects`. */
  played: Played;
  /**
   * The mapping that the row made, used, or ended (then as it was before, and to be used again after
   * this row); undefined where it failed or the trace knows of none by that id.
   */
  mapping: Mapping | undefined;
  /** Why nothing was mapped, in a word, once a check has proved it. */
  cause: string | undefined;
  /** Flush-queue timers that ran since the row before, in order. */
  timers: (TimerEvent & { device: number })[];
}

/** Watches a replay. */
export interface DmaObserver {
  onRow?(outcome: DmaOutcome): void;
  atEnd?(): void;
}

/** A dma-iommu trace replayed in one release. */
export interface DmaSession {
  release: IommuRelease;
  player: Player;
  observers: DmaObserver[];
  /** Replays one row; one whose search would never end as if its call had not been made. */
  run(row: DmaRow): void;
  /** To be called once, after the last row. */
  finish(): void;
}

/** Calls after which nothing has their id. */
const ENDS: ReadonlySet<DmaRow['op']> = new Set(['unmap_page', 'unmap_sg', 'free', 'iova_destroy']);

/** Rows that are about no mapping that exists. */
const HAS_NO_MAPPING: ReadonlySet<DmaRow['op']> = new Set([
  'cpu_write',
  'cpu_read',
  'map_page',
  'map_sg',
  'alloc',
  'iova_alloc',
]);

function play(player: Player, device: DmaDevice, row: DmaRow): Played {
  const played = PLAYS[row.op]?.(player, device, row) ?? nothing;
  if (played.failed && !row.failed) player.missing.add(row.id);
  return played;
}

/** Whether a row is about what only the recorded kernel had mapped. */
function isMissing({ missing }: Player, { op, id }: DmaRow): boolean {
  if (missing.size === 0 || HAS_NO_MAPPING.has(op) || !missing.has(id)) return false;
  if (ENDS.has(op)) missing.delete(id);
  return true;
}

/**
 * A session on the machine that a trace declares.
 * @param trace its declarations must be complete when the first row comes
 */
export function createDmaSession(trace: DmaIommuTrace, release: IommuRelease): DmaSession {
  const player = createPlayer(trace, release);
  const observers: DmaObserver[] = [];
  const outcome: DmaOutcome = {
    row: undefined as unknown as DmaRow,
    player,
    played: nothing,
    mapping: undefined,
    cause: undefined,
    timers: [],
  };

  /** Runs the timers that are due, the earliest first. A hot path: there hardly ever is one. */
  function runTimers(now: number): void {
    const { devices } = player;
    if (outcome.timers.length > 0) outcome.timers = [];
    for (;;) {
      let first = Number.POSITIVE_INFINITY;
      let device = -1;
      for (let n = 0; n < devices.length; n++) {
        const due = nextTimer(devices[n].domain);
        if (due >= first) continue;
        first = due;
        device = n;
      }
      if (device < 0 || first > now) return;
      outcome.timers.push({ ...runTimer(devices[device].domain), device });
    }
  }

  return {
    release,
    player,
    observers,
    run(row) {
      runTimers(row.time);
      startCall(player.system, row.line, row.cpu, row.time);
      outcome.row = row;
      outcome.cause = undefined;
      const device = player.devices[row.device];
      const before = player.live.get(row.id);
      outcome.played = isMissing(player, row) ? skipped : play(player, device, row);
      const after = player.live.get(row.id);
      if (before === undefined && after !== undefined) {
        noteRecorded(after, row, device.table.granule);
      }
      outcome.mapping = after ?? before;
      for (const observer of observers) observer.onRow?.(outcome);
      if (before !== undefined && before !== after) reuseMapping(player, before);
    },
    finish() {
      for (const observer of observers) observer.atEnd?.();
    },
  };
}
