import type { DmaDevice } from '../../dma/device.js';
import { startCall } from '../../dma/system.js';
import { DMA_OPS, type DmaIommuTrace, type DmaRow } from '../../events/iommu.js';
import { nextTimer, runTimer, type TimerEvent } from '../../iommu/iovaDomain.js';
import type { IommuRelease } from '../../kernel/iommuRelease.js';
import { CALLS, type DmaCall } from './calls.js';
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
  /** What its op is. */
  call: DmaCall;
  player: Player;
  /** What the model gave; what it did besides is in `player.system.effects`. */
  played: Played;
  /**
   * The mapping that the row made, used, or ended (then as it was before, and to be used again after
   * this row); undefined where it failed or the trace knows of none by that id.
   */
  mapping: Mapping | undefined;
  /** What had the row's id before. */
  before: Mapping | undefined;
  /** Granules that the row added to its device's page table; below 0 where it unmapped. */
  added: number;
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

/** What each op does, by its number. */
const PLAYED = DMA_OPS.map((op) => PLAYS[op]);

function play(player: Player, device: DmaDevice, row: DmaRow, { number }: DmaCall): Played {
  const played = PLAYED[number]?.(player, device, row) ?? nothing;
  if (played.failed && !row.failed) player.missing.add(row.id);
  return played;
}

/** Whether a row is about what only the recorded kernel had mapped. */
function isMissing({ missing }: Player, { id }: DmaRow, { isFresh, ends }: DmaCall): boolean {
  if (missing.size === 0 || isFresh || !missing.has(id)) return false;
  if (ends) missing.delete(id);
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
    call: CALLS.map_page,
    player,
    played: nothing,
    mapping: undefined,
    before: undefined,
    added: 0,
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
      const call = CALLS[row.op];
      const device = player.devices[row.device];
      const { table } = device;
      const had = table.mapped;
      const before = player.live.get(row.id);
      player.current = before;
      outcome.row = row;
      outcome.call = call;
      outcome.cause = undefined;
      outcome.before = before;
      outcome.played = isMissing(player, row, call) ? skipped : play(player, device, row, call);
      const after = player.current;
      outcome.added = table.mapped - had;
      if (after !== undefined && after !== before) {
        after.granules = outcome.added;
        if (before === undefined) noteRecorded(after, row, table.granule);
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
