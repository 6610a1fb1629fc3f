import { type EventBatch, Look, Op, Recorded } from '../events/batch.js';
import type { Assumption, Loss, TraceInfo } from '../events/trace.js';
import type { SessionOptions } from './devices.js';
import { createOrderSearch, type OrderSearch } from './orderSearch.js';
import {
  appendRows,
  createOrderWindow,
  emitAsRecorded,
  emitPlaced,
  insertRow,
  isRecordedRequest,
} from './orderWindow.js';
import { createScout, type Scout } from './scout.js';
import type { Taken } from './scoutSteps.js';

/**
 * Stands between a trace and its replay. Where the trace does not say exactly when calls took effect
 * it finds an order, near the recorded one, that gives the recorded addresses.
 */
export interface OrderFinder {
  /** Events of the trace; those whose order is settled are handed on. */
  run(batch: EventBatch): void;
  /** To be called once, after the last event; says in the trace's assumptions what was found. */
  finish(): void;
  tally: OrderTally;
}

/** What an order finder has done. */
export interface OrderTally {
  /** Whether no order was looked for in the end, as the model does not fit the trace. */
  gaveUp: boolean;
  /** Calls that were put before one recorded earlier, and the line of the first. */
  moved: number;
  movedLine: number;
  /** Searches that only their last area explains, and the line of the first. */
  aside: number;
  asideLine: number;
  /** Results that nothing explains, and the line of the first. */
  unexplained: number;
  unexplainedLine: number;
  /** Results for which no order was looked for, as the searches before had cost too much. */
  unsearched: number;
  /** Releases that the trace lacks. */
  lost: number;
}

/** Placed rows that may still be moved. */
const HISTORY = 2048;

/** Rows that are read before one is placed for good. */
const AHEAD = 2048;

/** Steps of the model that the searches in a trace may cost. */
export interface StepBudget {
  start: number;
  /** More for each event: the time stays linear. */
  perEvent: number;
}

const BUDGET: StepBudget = { start: 400_000, perEvent: 8 };

/** A first stretch with more unexplained results than this share says that the model is not the trace's. */
const HOPELESS = 0.25;

/** Whether a trace's order must be found before anything can be said of its events. */
export function needsOrder({ orderIsExact, mayLackEvents }: TraceInfo): boolean {
  return !orderIsExact || mayLackEvents;
}

/**
 * An order finder for a trace.
 * @param options the release that was recorded, with its pools
 * @param emit told of events in the order found; batches are reused
 * @param budget what searches may cost
 */
export function createOrderFinder(
  info: TraceInfo,
  options: SessionOptions,
  emit: (batch: EventBatch) => void,
  budget = BUDGET,
): OrderFinder {
  const tally = emptyTally();
  let mode: 'new' | 'exact' | 'finding' = 'new';
  const window = createOrderWindow();
  let scout: Scout;
  let search: OrderSearch;
  let granted = budget.start;
  let isTrial = true;
  let loss: Loss | undefined;

  /** Slots in use twice: what held them has been released, and the trace lacks it. */
  function addLostReleases(): boolean {
    const { rows, next } = window;
    if (!info.mayLackEvents || !isRecordedRequest(rows, next)) return false;
    const range = scout.recordedRange(rows, next);
    if (range === undefined) return false;
    const held = scout
      .holders(range)
      .filter((taken) => taken.line < rows.line[next] && isKnown(taken));
    for (const taken of held) addRelease(taken);
    return held.length > 0;
  }

  /** Whether an unmap of its address would be an unmap of it. */
  function isKnown(taken: Taken): boolean {
    return scout.find(taken.recordedAddr) === taken;
  }

  function addRelease(taken: Taken): void {
    const at = window.next;
    insertRow(window, at);
    const { rows } = window;
    rows.op[at] = taken.op === Op.alloc ? Op.free : Op.unmap;
    rows.slack[at] = rows.line[at];
    rows.cpu[at] = taken.cpu;
    rows.device[at] = taken.deviceNumber;
    rows.size[at] = taken.size;
    rows.allocSize[at] = Number.NaN;
    rows.origAddr[at] = Number.NaN;
    rows.dir[at] = taken.dir;
    rows.recorded[at] = Recorded.address;
    rows.tlbAddr[at] = taken.recordedAddr;
    rows.flag[at] = 0;
    rows.look[at] = Look.whole;
  }

  function settle(ahead: number): void {
    while (window.next < window.rows.length - ahead) {
      if (search.placeNext() || addLostReleases()) continue;
      const maySearch = search.spent < granted;
      if (!maySearch) tally.unsearched++;
      search.resolve(maySearch);
    }
  }

  /** Counts what is about to be handed on. */
  function note(row: number, isAhead: boolean): void {
    const { rows, marks } = window;
    const line = rows.line[row];
    if (marks.added[row]) noteLoss(line);
    if (isAhead && tally.moved++ === 0) tally.movedLine = line;
    if (rows.look[row] === Look.lastArea && tally.aside++ === 0) tally.asideLine = line;
    if (marks.unexplained[row] && isRecordedRequest(rows, row) && tally.unexplained++ === 0) {
      tally.unexplainedLine = line;
    }
  }

  function noteLoss(line: number): void {
    if (loss === undefined) {
      loss = { line, events: 0, message: '' };
      info.losses.push(loss);
    }
    loss.events = ++tally.lost;
    loss.message =
      'releases: slots were taken again that were in use; each buffer there was taken to be released' +
      ' just before that';
  }

  function handOn(keep: number): void {
    if (window.order.length <= keep) return;
    if (isTrial && isHopeless()) {
      giveUp();
      return;
    }
    isTrial = false;
    emitPlaced(window, keep, emit, note);
    scout.forget(window.order.length);
  }

  /** Whether the first stretch shows that the model is not the trace's: another kernel's, say. */
  function isHopeless(): boolean {
    const { rows, marks, order } = window;
    const requests = order.filter((row) => isRecordedRequest(rows, row));
    const unexplained = requests.filter((row) => marks.unexplained[row]);
    return unexplained.length > HOPELESS * requests.length;
  }

  function giveUp(): void {
    mode = 'exact';
    emitAsRecorded(window, emit);
    Object.assign(tally, emptyTally(), { gaveUp: true });
    info.assumptions.push({
      line: undefined,
      message:
        'the order of the calls is not recorded, and was taken as the trace has it: no order near it' +
        ` gives the recorded addresses on ${options.release.name}`,
    });
  }

  return {
    tally,
    run(batch) {
      if (mode === 'new') {
        mode = needsOrder(info) ? 'finding' : 'exact';
        if (mode === 'finding') {
          scout = createScout(info, options);
          search = createOrderSearch(window, scout);
        }
      }
      if (mode === 'exact') {
        emit(batch);
        return;
      }
      appendRows(window, batch);
      granted += budget.perEvent * batch.length;
      settle(AHEAD);
      handOn(HISTORY);
    },
    finish() {
      if (mode !== 'finding') return;
      settle(0);
      handOn(0);
      if (mode === 'finding') info.assumptions.push(...assumptionsOf(tally));
    },
  };
}

/** What a reader of the verdicts must know of how they were come by. */
function assumptionsOf(tally: OrderTally): Assumption[] {
  const { moved, aside, unexplained, unsearched } = tally;
  const said: Assumption[] = [];
  const say = (line: number, message: string): void => {
    said.push({ line, message });
  };
  if (moved > 0) {
    say(
      tally.movedLine,
      `the order of ${several(moved, 'call')} was found by trying: it is not recorded, and as` +
        ` ${moved === 1 ? 'it stands' : 'they stand'} the recorded addresses cannot be had`,
    );
  }
  if (aside > 0) {
    say(
      tally.asideLine,
      `${several(aside, 'search', 'searches')} ${aside === 1 ? 'was' : 'were'} taken to have found the areas` +
        ' before the recorded one full, by an interrupt between the locks of two areas',
    );
  }
  if (unexplained > 0) {
    const cut =
      unsearched > 0
        ? ` (for ${unsearched} none was looked for: the searches before had cost too much)`
        : '';
    say(
      tally.unexplainedLine,
      `${several(unexplained, 'recorded result')} ${unexplained === 1 ? 'is' : 'are'} explained by no order` +
        ` that was tried${cut}; the replay went on from where the trace has ${unexplained === 1 ? 'it' : 'them'}`,
    );
  }
  return said;
}

/** `1 call`, `3 calls, here and further on,`: a count that is told at the line of the first. */
function several(count: number, singular: string, plural = `${singular}s`): string {
  return count === 1 ? `1 ${singular}` : `${count} ${plural}, here and further on,`;
}

function emptyTally(): OrderTally {
  return {
    gaveUp: false,
    moved: 0,
    movedLine: 0,
    aside: 0,
    asideLine: 0,
    unexplained: 0,
    unexplainedLine: 0,
    unsearched: 0,
    lost: 0,
  };
}
