import { copyEvent, type EventBatch, Op, Recorded } from '../events/batch.js';
import type { DeviceDeclaration } from '../events/trace.js';

/** A place in a trace: a line, or a time as the trace writes it. */
export interface Place {
  by: 'line' | 'time';
  at: number;
}

/** Which part of a trace is wanted. */
export interface Selection {
  /** Undefined: all devices. */
  takesDevice: ((name: string) => boolean) | undefined;
  /** The first and the last place; both are in it. */
  from: Place | undefined;
  to: Place | undefined;
}

/** Where an event stands to the range of a selection. */
export type Standing = 'before' | 'within' | 'behind';

/** Tells where events stand, in their order: one without a time has that of the one before. */
export function createRange({ from, to }: Selection): (line: number, time: number) => Standing {
  let clock = Number.NEGATIVE_INFINITY;
  const where = ({ by }: Place, line: number): number => (by === 'line' ? line : clock);
  return (line, time) => {
    if (!Number.isNaN(time)) clock = time;
    if (from !== undefined && where(from, line) < from.at) return 'before';
    return to !== undefined && where(to, line) > to.at ? 'behind' : 'within';
  };
}

/** Takes what is selected out of a stream of events. */
export interface Selector {
  /** Appends the selected events of a batch to another, which has room. */
  select(batch: EventBatch, from: number, to: number, into: EventBatch): void;
  tally: SelectionTally;
}

/** What was left out, and what that leaves. */
export interface SelectionTally {
  kept: number;
  otherDevices: number;
  outside: number;
  /** Unmaps, frees and syncs in the range of what was mapped before it. */
  ofOlder: number;
  /** Mappings that were live where the range begins. */
  liveAtStart: number;
  /** Selected mappings that the selected events do not release. */
  liveAtEnd: number;
  /** An event had a time. */
  hasTimes: boolean;
}

/** A selector. @param devices of the trace; read again as they grow */
export function createSelector(
  selection: Selection,
  devices: readonly DeviceDeclaration[],
): Selector {
  const { takesDevice } = selection;
  const standing = createRange(selection);
  const older = new Set<number>();
  const live = new Set<number>();
  const taken: boolean[] = [];
  const tally: SelectionTally = {
    kept: 0,
    otherDevices: 0,
    outside: 0,
    ofOlder: 0,
    liveAtStart: 0,
    liveAtEnd: 0,
    hasTimes: false,
  };
  let hasBegun = false;

  function isTaken(device: number): boolean {
    taken[device] ??= takesDevice?.(devices[device].name) ?? true;
    return taken[device];
  }

  /** Keeps account of what an event that is left out maps or releases. */
  function seeOlder(op: number, address: number, hasAddress: boolean): void {
    if (!hasAddress) return;
    if (op === Op.map || op === Op.alloc) older.add(address);
    else if (isRelease(op)) older.delete(address);
  }

  /** Whether an event in the range is selected. */
  function takes(op: number, address: number, hasAddress: boolean): boolean {
    if (op === Op.map || op === Op.alloc) {
      if (hasAddress) live.add(address);
      // The slots are someone else's now: what was mapped before has been released.
      older.delete(address);
      return true;
    }
    if (older.has(address)) {
      tally.ofOlder++;
      if (isRelease(op)) older.delete(address);
      return false;
    }
    if (isRelease(op)) live.delete(address);
    return true;
  }

  return {
    tally,
    select(batch, from, to, into) {
      for (let n = from; n < to; n++) {
        const op = batch.op[n];
        const where = standing(batch.line[n], batch.time[n]);
        tally.hasTimes ||= !Number.isNaN(batch.time[n]);
        if (op !== Op.grow) {
          if (!isTaken(batch.device[n])) {
            tally.otherDevices++;
            continue;
          }
          const address = batch.tlbAddr[n];
          const hasAddress = batch.recorded[n] === Recorded.address;
          if (where === 'before') seeOlder(op, address, hasAddress);
          if (where !== 'within') {
            tally.outside++;
            continue;
          }
          if (!hasBegun) tally.liveAtStart = older.size;
          hasBegun = true;
          if (!takes(op, address, hasAddress)) continue;
        } else if (where === 'behind') {
          tally.outside++;
          continue;
        }
        // A pool that joined before the range is there in it.
        tally.kept++;
        copyEvent(batch, n, into, into.length++);
      }
      tally.liveAtEnd = live.size;
    },
  };
}

function isRelease(op: number): boolean {
  return op === Op.unmap || op === Op.free;
}
