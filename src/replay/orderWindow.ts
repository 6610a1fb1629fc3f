import {
  copyEvent,
  createBatch,
  type EventBatch,
  isFull,
  Look,
  Op,
  Recorded,
} from '../events/batch.js';

/** What is known of a row, in columns. */
interface RowMarks {
  /** 1 for rows that stand in the order. */
  placed: Uint8Array;
  /** 1 for rows that are not in the trace: releases that it lacks. */
  added: Uint8Array;
  /** One of `Resort`: how the row may be placed where the model does not give its recorded result. */
  resort: Uint8Array;
  /** 1 for placed rows whose recorded result nothing explains. */
  unexplained: Uint8Array;
}

/** How a row may be placed where nothing else helps; the values of `Look`, and one more. */
export const Resort = {
  none: Look.whole,
  lastArea: Look.lastArea,
  asRecorded: Look.asRecorded,
  /** With whatever the model gives. */
  asReplayed: 3,
} as const;

/**
 * The stretch of a trace whose order can still change: events in the order of the trace, and the
 * order in which they have been placed so far.
 */
export interface OrderWindow {
  rows: EventBatch;
  marks: RowMarks;
  /** Rows in the order found. */
  order: number[];
  /** The first row that is not placed. */
  next: number;
  /** For rows that are handed out; used again, as is the rest. */
  out: EventBatch;
  /** 1 for rows that have been handed out. */
  gone: Uint8Array;
  /** Where rows that are left move to. */
  to: Int32Array;
}

function createMarks(capacity: number): RowMarks {
  return {
    placed: new Uint8Array(capacity),
    added: new Uint8Array(capacity),
    resort: new Uint8Array(capacity),
    unexplained: new Uint8Array(capacity),
  };
}

function copyMarks(from: RowMarks, n: number, to: RowMarks, at: number): void {
  to.placed[at] = from.placed[n];
  to.added[at] = from.added[n];
  to.resort[at] = from.resort[n];
  to.unexplained[at] = from.unexplained[n];
}

function clearMarks(marks: RowMarks, n: number, added: number): void {
  marks.placed[n] = 0;
  marks.added[n] = added;
  marks.resort[n] = Resort.none;
  marks.unexplained[n] = 0;
}

/** An empty window. */
export function createOrderWindow(): OrderWindow {
  const rows = createBatch();
  const capacity = rows.line.length;
  return {
    rows,
    marks: createMarks(capacity),
    order: [],
    next: 0,
    out: createBatch(),
    gone: new Uint8Array(capacity),
    to: new Int32Array(capacity),
  };
}

/** The earliest line at which a row can have taken effect. */
export function earliest({ line, slack }: EventBatch, n: number): number {
  return Math.min(line[n], slack[n]);
}

/** The latest line at which a row can have taken effect. */
export function latest({ line, slack }: EventBatch, n: number): number {
  return Math.max(line[n], slack[n]);
}

/** Whether row `a` can have come before row `b`. */
export function mayPrecede(rows: EventBatch, a: number, b: number): boolean {
  return earliest(rows, a) < latest(rows, b);
}

/** Whether a row is a request whose result the trace records. */
export function isRecordedRequest({ op, recorded }: EventBatch, n: number): boolean {
  return (op[n] === Op.map || op[n] === Op.alloc) && recorded[n] !== Recorded.none;
}

function reserve(window: OrderWindow, more: number): void {
  const { rows, marks } = window;
  const needed = rows.length + more;
  if (needed <= rows.line.length) return;
  const capacity = Math.max(needed, 2 * rows.line.length);
  window.rows = createBatch(capacity);
  window.marks = createMarks(capacity);
  window.gone = new Uint8Array(capacity);
  window.to = new Int32Array(capacity);
  window.rows.length = rows.length;
  for (let n = 0; n < rows.length; n++) moveRow(rows, marks, n, window, n);
}

function moveRow(
  rows: EventBatch,
  marks: RowMarks,
  n: number,
  to: Pick<OrderWindow, 'rows' | 'marks'>,
  at: number,
): void {
  copyEvent(rows, n, to.rows, at);
  copyMarks(marks, n, to.marks, at);
}

/** Events of the trace join the end. */
export function appendRows(window: OrderWindow, batch: EventBatch): void {
  reserve(window, batch.length);
  const { rows, marks } = window;
  for (let n = 0; n < batch.length; n++) {
    clearMarks(marks, rows.length, 0);
    copyEvent(batch, n, rows, rows.length++);
  }
}

/** Makes room for a row that the trace lacks, in front of row `at`, which is not placed. */
export function insertRow(window: OrderWindow, at: number): void {
  reserve(window, 1);
  const { rows, marks, order } = window;
  for (let n = rows.length; n > at; n--) moveRow(rows, marks, n - 1, window, n);
  rows.length++;
  clearMarks(marks, at, 1);
  for (let k = 0; k < order.length; k++) if (order[k] >= at) order[k]++;
}

/**
 * Hands out all but the last `keep` placed rows, in the order found.
 * @param visit told of each row, and whether it stands before one that is earlier in the trace
 */
export function emitPlaced(
  window: OrderWindow,
  keep: number,
  emit: (batch: EventBatch) => void,
  visit: (row: number, isAhead: boolean) => void,
): void {
  const count = Math.max(0, window.order.length - keep);
  const { rows, order, out, gone } = window;
  gone.fill(0);
  let first = 0;
  for (let place = 0; place < count; place++) {
    const row = order[place];
    copyEvent(rows, row, out, out.length++);
    gone[row] = 1;
    while (gone[first]) first++;
    visit(row, row > first);
    if (isFull(out)) flush(out, emit);
  }
  flush(out, emit);
  order.splice(0, count);
  closeGaps(window);
}

/** Hands out all events of the trace as it has them. */
export function emitAsRecorded(window: OrderWindow, emit: (batch: EventBatch) => void): void {
  const { rows, marks, out } = window;
  for (let row = 0; row < rows.length; row++) {
    if (marks.added[row]) continue;
    copyEvent(rows, row, out, out.length);
    out.look[out.length++] = Look.whole;
    if (isFull(out)) flush(out, emit);
  }
  flush(out, emit);
}

function flush(out: EventBatch, emit: (batch: EventBatch) => void): void {
  if (out.length > 0) emit(out);
  out.length = 0;
}

/** Moves the rows that are left to the front. */
function closeGaps(window: OrderWindow): void {
  const { rows, marks, order, gone, to } = window;
  let count = 0;
  for (let n = 0; n < rows.length; n++) {
    if (gone[n]) continue;
    to[n] = count;
    moveRow(rows, marks, n, window, count++);
  }
  rows.length = count;
  for (let k = 0; k < order.length; k++) order[k] = to[order[k]];
  window.next = 0;
  while (window.next < count && marks.placed[window.next]) window.next++;
}
