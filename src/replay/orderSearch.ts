import { Look, Op, Recorded } from '../events/batch.js';
import {
  earliest,
  isRecordedRequest,
  latest,
  mayPrecede,
  type OrderWindow,
  Resort,
} from './orderWindow.js';
import type { Scout, SlotRange } from './scout.js';

/** Finds places for rows whose recorded result the model does not give where they stand. */
export interface OrderSearch {
  /** Places the window's next row if the model gives its recorded result. */
  placeNext(): boolean;
  /**
   * Places the next row, which `placeNext` could not, by whatever explains most of what follows:
   * another order, a search of the last area alone, or the trace's word.
   * @param maySearch whether another order may be tried
   */
  resolve(maySearch: boolean): void;
  /** Steps that searches have cost so far. */
  spent: number;
}

/** Results that an order must reproduce from the doubtful one on to be taken at once. */
const CONFIRMING = 24;

/** Rows behind the doubtful one among which a search looks for a call that came before it. */
const AHEAD = 2048;

/** Moves that are tried together. */
const MOST_MOVES = 3;

/** Steps of the model that one search may cost. */
const MOST_STEPS = 6000;

/** What looking for candidates in the window costs, in steps. */
const STEPS_PER_SCAN = 64;

/**
 * The search on a window, with a scout whose steps are the window's placed rows.
 */
export function createOrderSearch(window: OrderWindow, scout: Scout): OrderSearch {
  /** Recorded results among the placed rows. */
  let reproduced = 0;
  /** What `reproduced` has to reach. */
  let goal = 0;
  let stepsLeft = 0;
  let best: { reproduced: number; from: number; order: number[] };

  function charge(steps: number): void {
    search.spent += steps;
    stepsLeft -= steps;
  }

  /** Places a row if the model gives its recorded result, or as was decided for it before. */
  function place(row: number): boolean {
    const { rows, marks } = window;
    charge(1);
    rows.look[row] = Look.whole;
    marks.unexplained[row] = 0;
    if (scout.apply(rows, row)) {
      push(row);
      return true;
    }
    return marks.resort[row] !== Resort.none && placeByResort(row);
  }

  function placeByResort(row: number): boolean {
    const { rows, marks } = window;
    const resort = marks.resort[row];
    if (resort === Resort.asReplayed) {
      scout.accept(rows, row);
    } else {
      rows.look[row] = resort;
      if (!scout.apply(rows, row)) return false;
    }
    marks.unexplained[row] = resort === Resort.lastArea ? 0 : 1;
    push(row);
    return true;
  }

  function push(row: number): void {
    const { marks, order, rows } = window;
    order.push(row);
    marks.placed[row] = 1;
    if (isReproduced(row)) reproduced++;
    while (window.next < rows.length && marks.placed[window.next]) window.next++;
  }

  function isReproduced(row: number): boolean {
    return isRecordedRequest(window.rows, row) && window.marks.unexplained[row] === 0;
  }

  function unplaceLast(): number {
    const row = window.order.pop() as number;
    charge(1);
    scout.undo();
    window.marks.placed[row] = 0;
    if (isReproduced(row)) reproduced--;
    if (row < window.next) window.next = row;
    return row;
  }

  /** Back to a state in which the rows from place `from` on are `order`. */
  function restore(from: number, order: readonly number[]): void {
    while (window.order.length > from) unplaceLast();
    for (const row of order) place(row);
  }

  /** Whether the step at a place of the order can be undone, and all behind it. */
  function firstUndoable(): number {
    let at = scout.steps.length;
    while (at > 0 && !scout.steps[at - 1].isFinal) at--;
    return at;
  }

  /** Places rows in the order of the trace until one fails or the goal is reached. */
  function advance(): boolean {
    while (reproduced < goal && window.next < window.rows.length) {
      if (!place(window.next)) return false;
    }
    return true;
  }

  /**
   * Tries an order of rows from the place where the window's order ends now.
   * @param movesLeft how many more moves may be made where it fails further on
   */
  function attempt(sequence: readonly number[], movesLeft: number): boolean {
    const from = window.order.length;
    const before = reproduced;
    for (const row of sequence) {
      if (place(row)) continue;
      restore(from, []);
      return false;
    }
    if (advance()) return true;
    if (reproduced > best.reproduced) {
      best = { reproduced, from: best.from, order: window.order.slice(best.from) };
    }
    const mayGoOn = movesLeft > 0 && stepsLeft > 0 && reproduced > before;
    if (mayGoOn && tryMoves(movesLeft)) return true;
    restore(from, []);
    return false;
  }

  /** Tries what may have come otherwise, with the next row failing where it stands. */
  function tryMoves(moves: number): boolean {
    const doubtful = window.next;
    const floor = firstUndoable();
    charge(STEPS_PER_SCAN);
    if (place(doubtful)) return advance();
    const missed = scout.missed;
    return (
      tryLaterCalls(doubtful, moves - 1) ||
      tryEarlier(doubtful, floor, moves - 1) ||
      (missed !== undefined && tryLaterReleases(doubtful, missed, floor, moves - 1)) ||
      (missed !== undefined && tryLaterCallsEarlier(doubtful, missed, floor, moves - 1))
    );
  }

  /** Rows behind a doubtful one that can have come before it and all others that are not placed. */
  function* laterCalls(doubtful: number): Generator<number> {
    const { rows, marks } = window;
    const end = Math.min(rows.length, doubtful + AHEAD);
    let bound = latest(rows, doubtful);
    for (let row = doubtful + 1; row < end; row++) {
      if (marks.placed[row]) continue;
      const changesPool = rows.op[row] !== Op.syncForCpu && rows.op[row] !== Op.syncForDevice;
      if (changesPool && earliest(rows, row) < bound) yield row;
      bound = Math.min(bound, latest(rows, row));
    }
  }

  /** A call that returned later took effect just before the doubtful one. */
  function tryLaterCalls(doubtful: number, movesLeft: number): boolean {
    for (const row of laterCalls(doubtful)) {
      if (stepsLeft <= 0) return false;
      if (attempt([row], movesLeft)) return true;
    }
    return false;
  }

  /** A row took effect before some that are placed, the nearest place first. */
  function tryEarlier(row: number, floor: number, movesLeft: number): boolean {
    const from = window.order.length;
    const undone: number[] = [];
    const { rows, order } = window;
    while (order.length > floor && stepsLeft > 0) {
      if (!mayPrecede(rows, row, order[order.length - 1])) break;
      undone.push(unplaceLast());
      if (rows.op[undone[undone.length - 1]] >= Op.syncForCpu) continue;
      if (attempt([row, ...undone.toReversed()], movesLeft)) return true;
    }
    restore(from - undone.length, undone.reverse());
    return false;
  }

  /** Releases whose slots the model gave away too early took effect later. */
  function tryLaterReleases(
    doubtful: number,
    missed: SlotRange,
    floor: number,
    movesLeft: number,
  ): boolean {
    const places = releasesOf(missed, floor).filter((at) => mayBeLater(at, doubtful));
    const choices = places.length > 1 ? [...places.map((at) => [at]), places] : [places];
    for (const choice of choices) {
      if (choice.length === 0 || stepsLeft <= 0) return false;
      const from = Math.min(...choice);
      const late = new Set(choice.map((at) => window.order[at]));
      const tail = window.order.slice(from);
      restore(from, []);
      if (attempt([...tail.filter((row) => !late.has(row)), doubtful], movesLeft)) return true;
      restore(from, tail);
    }
    return false;
  }

  /** Places of the order at which slots of a range were released, the last first. */
  function releasesOf({ pool, slot, nslots }: SlotRange, floor: number): number[] {
    const places: number[] = [];
    for (let at = scout.steps.length - 1; at >= floor; at--) {
      const { released } = scout.steps[at];
      if (released?.pool !== pool || pool === undefined) continue;
      if (released.slot < slot + nslots && slot < released.slot + released.nslots) places.push(at);
    }
    return places;
  }

  /** Whether a placed row can have come after all rows placed behind it, and after another. */
  function mayBeLater(at: number, than: number): boolean {
    const { rows, order } = window;
    const row = order[at];
    if (!mayPrecede(rows, than, row)) return false;
    for (let k = at + 1; k < order.length; k++) if (!mayPrecede(rows, order[k], row)) return false;
    return true;
  }

  /** A call that returned later, and got slots that the model gave away, took effect earlier still. */
  function tryLaterCallsEarlier(
    doubtful: number,
    missed: SlotRange,
    floor: number,
    movesLeft: number,
  ): boolean {
    for (const row of laterCalls(doubtful)) {
      if (stepsLeft <= 0) return false;
      const got = scout.recordedRange(window.rows, row);
      if (got?.pool !== missed.pool || !isRecordedRequest(window.rows, row)) continue;
      if (got.slot >= missed.slot + missed.nslots || missed.slot >= got.slot + got.nslots) continue;
      if (tryEarlier(row, floor, movesLeft)) return true;
    }
    return false;
  }

  /** Results reproduced if the next row is placed by a last resort. */
  function reachedBy(row: number, resort: number): number {
    const from = window.order.length;
    window.marks.resort[row] = resort;
    const reached = place(row) ? reachedFromHere() : 0;
    restore(from, []);
    window.marks.resort[row] = Resort.none;
    return reached;
  }

  function reachedFromHere(): number {
    advance();
    return reproduced;
  }

  /** Finds another order; where it explains all that can be seen it is taken. */
  function findOrder(): boolean {
    for (let moves = 1; moves <= MOST_MOVES && stepsLeft > 0; moves++) {
      if (tryMoves(moves)) return true;
    }
    return false;
  }

  function resolve(maySearch: boolean): void {
    const { rows, marks, next: row, order } = window;
    if (!isRecordedRequest(rows, row)) {
      marks.resort[row] = Resort.asReplayed;
      place(row);
      return;
    }
    const from = firstUndoable();
    stepsLeft = maySearch ? MOST_STEPS : 0;
    goal = reproduced + (maySearch ? CONFIRMING : 1);
    best = { reproduced, from, order: order.slice(from) };
    if (findOrder()) return;
    const hasAddress = rows.recorded[row] === Recorded.address;
    const hasAreas = hasAddress && scout.areasFor(rows, row) > 1;
    const aside = hasAreas ? reachedBy(row, Resort.lastArea) : 0;
    const followed = hasAddress ? reachedBy(row, Resort.asRecorded) : 0;
    if (best.reproduced > reproduced && best.reproduced >= Math.max(aside, followed)) {
      restore(from, best.order);
      return;
    }
    if (aside > reproduced && aside >= followed) marks.resort[row] = Resort.lastArea;
    else if (followed > 0) marks.resort[row] = Resort.asRecorded;
    else marks.resort[row] = Resort.asReplayed;
    if (place(row)) return;
    // Whatever was measured: the trace must go on.
    marks.resort[row] = Resort.asReplayed;
    place(row);
  }

  const search: OrderSearch = {
    placeNext: () => place(window.next),
    resolve,
    spent: 0,
  };
  return search;
}
