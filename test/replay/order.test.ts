import { describe, expect, test } from 'vitest';
import { watchMismatches } from '../../src/analysis/mismatches.js';
import {
  createBatch,
  type EventBatch,
  Look,
  OP_NAMES,
  Op,
  Recorded,
} from '../../src/events/batch.js';
import { emptyTraceInfo, type TraceInfo } from '../../src/events/trace.js';
import { candidateReleases } from '../../src/kernel/select.js';
import { createOrderFinder } from '../../src/replay/order.js';
import { explainingRelease } from '../../src/replay/recordedRelease.js';
import { createSession } from '../../src/replay/session.js';
import { shippedVectorsOf, vectorsOf } from '../support/vectors.js';
import {
  displaced,
  optionsFor,
  randomNumbers,
  range,
  recordingOf,
  releaseNamed,
  replayOrdered,
  rowsOf,
} from './displacing.js';

const BASE = 0x8000_0000;
const RELEASE = releaseNamed('v6.12');

/** One slot mapped or unmapped, at a line; the slot that was recorded, or `full`. */
type Call = [
  line: number,
  op: 'map' | 'unmap',
  slot: number | 'full',
  more?: { slack?: number; slots?: number },
];

function rowsFrom(calls: readonly Call[]): EventBatch {
  const rows = createBatch(calls.length);
  for (const [line, op, slot, { slack = line, slots = 1 } = {}] of calls) {
    const n = rows.length++;
    rows.line[n] = line;
    rows.slack[n] = slack;
    rows.op[n] = OP_NAMES.indexOf(op);
    rows.origAddr[n] = op === 'map' ? 0x1000_0000 : Number.NaN;
    rows.size[n] = slots * 2048;
    rows.allocSize[n] = Number.NaN;
    rows.recorded[n] = slot === 'full' ? Recorded.full : Recorded.address;
    rows.tlbAddr[n] = slot === 'full' ? Number.NaN : BASE + slot * 2048;
  }
  return rows;
}

function infoOf(nslabs: number, areas: number, more: Partial<TraceInfo>): TraceInfo {
  const pool = { name: 'default', base: BASE, nslabs, areas, startIndexes: [] };
  return {
    ...emptyTraceInfo(),
    pools: [{ ...pool, indexKnowledge: 'given', restricted: false }],
    devices: [{ name: 'dev' }],
    ...more,
  };
}

function linesOf(rows: EventBatch): number[] {
  return [...rows.line.subarray(0, rows.length)];
}

const inexact = { orderIsExact: false };
const lossy = { mayLackEvents: true };

describe('calls recorded apart from when they took effect', () => {
  test('a map that returned after those of an interrupt in it goes before them', () => {
    const info = infoOf(128, 1, inexact);
    const rows = rowsFrom([
      [10, 'map', 1],
      [11, 'map', 2],
      [20, 'map', 0, { slack: 5 }],
      [30, 'map', 3],
    ]);
    const { session, seen, tally } = replayOrdered(info, rows, RELEASE);
    expect(linesOf(seen)).toEqual([20, 10, 11, 30]);
    expect(session.totals).toMatchObject({ recorded: 4, mismatches: 0 });
    expect(tally).toMatchObject({ moved: 1, movedLine: 20, unexplained: 0 });
    expect(info.assumptions).toMatchObject([
      { line: 20, message: expect.stringContaining('the order of 1 call was') },
    ]);
  });

  test('interrupts in interrupts are put inside out', () => {
    const rows = rowsFrom([
      [10, 'map', 2],
      [20, 'map', 1, { slack: 6 }],
      [30, 'map', 0, { slack: 5 }],
    ]);
    const { session, seen } = replayOrdered(infoOf(128, 1, inexact), rows, RELEASE);
    expect(linesOf(seen)).toEqual([30, 20, 10]);
    expect(session.totals.mismatches).toBe(0);
  });

  test('a map that found a hole before a longer one passed over it goes before that', () => {
    const rows = rowsFrom([
      [1, 'map', 0, { slots: 126 }],
      [2, 'map', 126],
      [3, 'unmap', 0],
      [4, 'map', 0, { slots: 2 }],
      [9, 'map', 127, { slack: 2 }],
    ]);
    const { session, seen } = replayOrdered(infoOf(128, 1, inexact), rows, RELEASE);
    expect(session.totals.mismatches).toBe(0);
    expect(linesOf(seen)).toEqual([1, 2, 3, 9, 4]);
  });

  test('an unmap known by its entry goes behind the maps that did not get its slots', () => {
    const rows = rowsFrom([
      ...range(0, 4).map((slot): Call => [slot + 1, 'map', slot]),
      [50, 'unmap', 1, { slack: 70 }],
      [60, 'map', 'full'],
      [80, 'map', 1],
    ]);
    const { session, seen } = replayOrdered(infoOf(4, 1, inexact), rows, RELEASE);
    expect(linesOf(seen)).toEqual([1, 2, 3, 4, 60, 50, 80]);
    expect(session.totals).toMatchObject({ failed: 1, mismatches: 0 });
  });

  test('no call goes beyond its slack', () => {
    const rows = rowsFrom([
      [10, 'map', 1],
      [20, 'map', 0, { slack: 11 }],
    ]);
    const { session, seen } = replayOrdered(infoOf(128, 1, inexact), rows, RELEASE);
    expect(linesOf(seen)).toEqual([10, 20]);
    expect(session.totals.mismatches).toBeGreaterThan(0);
  });

  const some = shippedVectorsOf('swiotlb').filter((_, n) => n % 5 === 0);

  test.each(some)('are put in order in $name', async ({ path, version }) => {
    const { info, rows } = await recordingOf(path);
    const inDisorder = displaced(rows, 30);
    const { session, seen } = replayOrdered(
      { ...info, ...inexact },
      inDisorder,
      releaseNamed(version),
    );
    const { recorded, mismatches } = session.totals;
    // What is displaced within a crowd of failing requests cannot always be told.
    expect(mismatches).toBeLessThanOrEqual(recorded / 100);
    expect(linesOf(seen).sort((a, b) => a - b)).toEqual(linesOf(inDisorder));
    let earliest = -1;
    for (let n = 0; n < seen.length; n++) {
      expect(Math.max(seen.line[n], seen.slack[n])).toBeGreaterThanOrEqual(earliest);
      earliest = Math.max(earliest, Math.min(seen.line[n], seen.slack[n]));
    }
  });
});

describe('what no order explains', () => {
  const interrupted = rowsFrom([
    ...range(0, 4).map((slot): Call => [slot + 1, 'map', slot]),
    [50, 'unmap', 0],
    [60, 'map', 4],
    [70, 'map', 0],
  ]);

  test('a search interrupted between two areas looks at the last one alone', () => {
    const info = infoOf(8, 2, lossy);
    const { session, seen } = replayOrdered(info, interrupted, RELEASE);
    expect([...seen.look.subarray(4, 7)]).toEqual([Look.whole, Look.lastArea, Look.whole]);
    expect(session.totals).toMatchObject({ mismatches: 0, lookedAside: 1 });
    expect(info.assumptions[0].message).toContain('1 search was');
  });

  test('a session of another release looks everywhere', () => {
    const { session } = replayOrdered(infoOf(8, 2, lossy), interrupted, RELEASE, {
      followsLook: false,
    });
    expect(session.totals).toMatchObject({ mismatches: 2, lookedAside: 0 });
  });

  test('counts as not reproduced, and what follows is judged by itself', () => {
    const info = infoOf(128, 1, inexact);
    const rows = rowsFrom([
      [1, 'map', 0],
      [2, 'map', 9],
      [3, 'map', 10],
      [4, 'unmap', 9],
      [5, 'map', 11],
      ...range(12, 20).map((slot): Call => [slot, 'map', slot]),
    ]);
    const observer = watchMismatches(5);
    const { session, tally } = replayOrdered(info, rows, RELEASE, { observer });
    expect(session.totals.mismatches).toBe(1);
    expect(observer.first).toMatchObject([
      { line: 2, recorded: '0x80004800', replayed: '0x80000800' },
    ]);
    expect(session.allocators[0].used).toBe(11);
    expect(tally).toMatchObject({ unexplained: 1, unexplainedLine: 2 });
  });

  test('a trace of another model is replayed as it stands', () => {
    const info = infoOf(128, 1, inexact);
    const rows = rowsFrom(range(0, 40).map((n) => [n + 1, 'map', (n * 7) % 128, { slack: 0 }]));
    const { session, seen, tally } = replayOrdered(info, rows, RELEASE);
    expect(linesOf(seen)).toEqual(linesOf(rows));
    expect(Math.max(...seen.look)).toBe(Look.whole);
    expect(tally.gaveUp).toBe(true);
    expect(session.totals.mismatches).toBe(39);
    expect(info.assumptions[0].message).toContain('was taken as the trace has it');
  });

  test('is nothing in a trace that is in order, whatever went wrong in it', async () => {
    const changed: string[] = [];
    for (const { name, path, version } of vectorsOf('swiotlb-edges')) {
      const { info, rows } = await recordingOf(path);
      const release = releaseNamed(version);
      const { session, seen } = replayOrdered({ ...info, ...inexact }, rows, release);
      const isSame = linesOf(seen).join() === linesOf(rows).join();
      if (session.totals.mismatches > 0 || !isSame) changed.push(name);
    }
    expect(changed).toEqual([]);
  });
});

describe('releases that are missing', () => {
  const taken: Call[] = range(0, 4).map((slot) => [slot + 1, 'map', slot]);
  const twice = rowsFrom([...taken, [50, 'map', 0], [60, 'map', 'full'], [70, 'unmap', 0]]);

  test('are made up for where slots in use are taken again', () => {
    const info = infoOf(4, 1, lossy);
    const { session, seen } = replayOrdered(info, twice, RELEASE);
    expect(seen.op[4]).toBe(Op.unmap);
    expect(linesOf(seen)).toEqual([1, 2, 3, 4, 50, 50, 60, 70]);
    expect(session.totals).toMatchObject({ mismatches: 0, unmaps: 2 });
    expect(info.losses).toMatchObject([{ line: 50, events: 1 }]);
  });

  test('are looked for in the pool alone, whatever size a damaged line names', () => {
    const rows = rowsFrom([[1, 'map', 0], [2, 'map', 2, { slots: 2 ** 34 }], ...taken.slice(1)]);
    const { session } = replayOrdered(infoOf(4, 1, lossy), rows, RELEASE);
    expect(session.totals).toMatchObject({ maps: 5, failed: 1 });
  });

  test('do not follow from unmaps of what is not mapped, or not there', () => {
    const rows = rowsFrom([
      [1, 'map', 0, { slots: 4 }],
      [2, 'unmap', 1],
      [3, 'unmap', 1],
      [4, 'map', 1],
      [5, 'unmap', 0],
      [6, 'unmap', 0],
    ]);
    const info = infoOf(4, 1, lossy);
    const { session } = replayOrdered(info, rows, RELEASE);
    expect(info.losses).toEqual([]);
    expect(session.totals.unmaps).toBe(4);
  });

  test('are not believed in where the trace holds every call', () => {
    const info = infoOf(4, 1, inexact);
    const { session } = replayOrdered(info, twice, RELEASE);
    expect(info.losses).toEqual([]);
    expect(session.totals.mismatches).toBe(1);
  });

  test('are counted in a trace that lost one of twenty', async () => {
    const [{ path, version }] = vectorsOf('swiotlb').filter(
      ({ name }) => name === 'v6.9_p4096_a4_003.csv.gz',
    );
    const { info, rows } = await recordingOf(path);
    const random = randomNumbers();
    const kept = range(0, rows.length).filter((row) => rows.op[row] !== Op.unmap || random(20) > 0);
    const inLoss = { ...info, ...lossy };
    const { session, tally } = replayOrdered(inLoss, rowsOf(rows, kept), releaseNamed(version));
    // Those whose slots nobody takes again do not show.
    expect([rows.length - kept.length, tally.lost]).toEqual([31, 28]);
    expect(session.totals.mismatches).toBe(0);
    expect(inLoss.losses).toHaveLength(1);
    expect(inLoss.losses[0].events).toBe(tally.lost);
  });
});

test('a trace whose order is exact is handed on as it is', () => {
  const info = infoOf(128, 1, {});
  const batch = rowsFrom([[1, 'map', 9]]);
  const seen: EventBatch[] = [];
  const finder = createOrderFinder(info, optionsFor(info, RELEASE), (b) => seen.push(b));
  finder.run(batch);
  finder.finish();
  expect(seen).toEqual([batch]);
  expect(seen[0]).toBe(batch);
  expect(info.assumptions).toEqual([]);
});

test('without a kernel, the release is the newest whose order explains most', async () => {
  const [{ path }] = vectorsOf('swiotlb').filter(({ name }) => name.startsWith('v6.3_'));
  const { info, rows } = await recordingOf(path);
  const optionsOf = (release: typeof RELEASE) => optionsFor(info, release);
  const inDisorder = displaced(rows, 10);
  const release = explainingRelease(
    { ...info, ...inexact },
    inDisorder,
    candidateReleases(),
    optionsOf,
  );
  const session = createSession(info, optionsOf(release));
  session.run(rows);
  expect(session.totals.mismatches).toBe(0);
  expect(release.name).toBe('v6.8');
});
