import { copyEvent, createBatch, type EventBatch, Op } from '../../src/events/batch.js';
import { emptyTraceInfo, type TraceInfo } from '../../src/events/trace.js';
import { readTrace } from '../../src/formats/read.js';
import type { Release } from '../../src/kernel/release.js';
import { findRelease } from '../../src/kernel/select.js';
import type { SessionOptions } from '../../src/replay/devices.js';
import { createOrderFinder, type OrderTally } from '../../src/replay/order.js';
import type { Observer } from '../../src/replay/outcome.js';
import { createSession, type Session } from '../../src/replay/session.js';
import { openSource } from '../../src/source/open.js';

/** A trace in memory, in the order of the allocator. */
export interface Recording {
  info: TraceInfo;
  rows: EventBatch;
}

/** The release of that name. */
export function releaseNamed(name: string): Release {
  const release = findRelease(name);
  if (release === undefined) throw new Error(`no release ${name}`);
  return release;
}

/** What replaying a recording in a release needs to be told. */
export function optionsFor(info: TraceInfo, release: Release): SessionOptions {
  return { release, pageSize: info.pageSize ?? 4096, pools: [], devices: [] };
}

/** Some rows, in the order given. */
export function rowsOf(from: EventBatch, picked: readonly number[]): EventBatch {
  const rows = createBatch(picked.length);
  for (const n of picked) copyEvent(from, n, rows, rows.length++);
  return rows;
}

/** Numbers from `from` up to before `end`. */
export function range(from: number, end: number): number[] {
  return Array.from({ length: end - from }, (_, n) => from + n);
}

/** Reads a trace whole. */
export async function recordingOf(path: string): Promise<Recording> {
  const info = emptyTraceInfo();
  const rows = createBatch(1 << 16);
  const source = await openSource(path);
  try {
    await readTrace(source, info, { format: undefined, pageSize: 4096 }, (batch) => {
      for (let n = 0; n < batch.length; n++) copyEvent(batch, n, rows, rows.length++);
    });
  } finally {
    source.close();
  }
  return { info, rows };
}

/** Whole numbers below a bound, always the same ones. */
export function randomNumbers(): (below: number) => number {
  let state = 1;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** For each map that is unmapped and each unmap of a map the row of the other one. */
function partnersIn(rows: EventBatch): Map<number, number> {
  const partners = new Map<number, number>();
  const mapped = new Map<number, number>();
  for (let row = 0; row < rows.length; row++) {
    if (rows.op[row] === Op.map) mapped.set(rows.tlbAddr[row], row);
    const map = mapped.get(rows.tlbAddr[row]);
    if (rows.op[row] !== Op.unmap || map === undefined) continue;
    partners.set(map, row).set(row, map);
    mapped.delete(rows.tlbAddr[row]);
  }
  return partners;
}

/**
 * A recording as probes would have seen it: one of ten maps is known by its return, up to `far` rows
 * after it took effect, and one of ten unmaps by its entry, as long before. Each stays on its side of
 * its partner. Lines count the rows in the true order, so that `slack` can be told exactly.
 */
export function displaced(rows: EventBatch, far: number): EventBatch {
  const random = randomNumbers();
  const partners = partnersIn(rows);
  const lines = range(0, rows.length).map((row) => {
    if (random(10) > 0) return row;
    const distance = random(far) + 0.5;
    const partner = partners.get(row);
    if (rows.op[row] === Op.map) return Math.min(row + distance, (partner ?? rows.length) - 0.25);
    if (rows.op[row] !== Op.unmap || partner === undefined) return row;
    return Math.min(row, Math.max(row - distance, partner + far + 1));
  });
  const shown = range(0, rows.length).sort((a, b) => lines[a] - lines[b] || a - b);
  const batch = rowsOf(rows, shown);
  shown.forEach((row, n) => {
    batch.line[n] = lines[row];
    batch.slack[n] = row;
  });
  return batch;
}

/** What a replay in the order found gives. */
export interface Ordered {
  session: Session;
  tally: OrderTally;
  /** The events as the session saw them. */
  seen: EventBatch;
}

/** Replays rows in the order that is found for them. */
export function replayOrdered(
  info: TraceInfo,
  rows: EventBatch,
  release: Release,
  { followsLook = true, observer }: { followsLook?: boolean; observer?: Observer } = {},
): Ordered {
  const options = optionsFor(info, release);
  const session = createSession(info, { ...options, followsLook });
  if (observer) session.observers.push(observer);
  const seen = createBatch(2 * rows.length + 1);
  const finder = createOrderFinder(info, options, (batch) => {
    for (let n = 0; n < batch.length; n++) copyEvent(batch, n, seen, seen.length++);
    session.run(batch);
  });
  for (let from = 0; from < rows.length; from += 5000) {
    finder.run(rowsOf(rows, range(from, Math.min(rows.length, from + 5000))));
  }
  finder.finish();
  session.finish();
  return { session, tally: finder.tally, seen };
}
