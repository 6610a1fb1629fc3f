import type { FindingWatch } from '../../src/check/finding.js';
import { emptyTraceInfo, type TraceInfo } from '../../src/events/trace.js';
import { csv } from '../../src/formats/csv.js';
import { readTrace } from '../../src/formats/read.js';
import type { Release } from '../../src/kernel/release.js';
import { findRelease } from '../../src/kernel/select.js';
import type { DeviceOverride, PoolOverride } from '../../src/replay/geometry.js';
import type { Observer } from '../../src/replay/outcome.js';
import { createSession, type Session } from '../../src/replay/session.js';
import type { Report } from '../../src/report/report.js';
import { watchForReport } from '../../src/report/watch.js';
import { blocksOfLines } from '../../src/source/blocks.js';
import type { Source } from '../../src/source/open.js';

/** What a test may set besides the trace itself. */
export interface Replaying {
  /** As `--pool` and `--device` give them. */
  pools?: PoolOverride[];
  devices?: DeviceOverride[];
  /** Pools of each replay for itself. */
  ownPools?: PoolOverride[][];
  /** A word with the trace's declarations before anything is replayed. */
  prepare?: (info: TraceInfo) => void;
  /** Watches behind the checks, so that a refusal already has its cause. */
  observe?: (session: Session) => Observer;
  /** Watches before the checks. */
  observeFirst?: (session: Session) => Observer[];
  /** Told the findings of each replay. */
  watchFinding?: (n: number) => FindingWatch;
}

/** A trace that was replayed, and what was found. */
export interface Replayed {
  info: TraceInfo;
  session: Session;
  report: Report;
  findings: Report['findings'];
  /** `rule@line` of every finding, in the order in which they were found. */
  found: string[];
}

/** The release of that name. */
function releaseNamed(name: string): Release {
  const release = findRelease(name);
  if (release === undefined) throw new Error(`no release ${name}`);
  return release;
}

/** Template strings are indented and begin on a line of their own: what is left counts its lines from 1. */
function unindented(trace: string): string {
  return `${trace.trim().replace(/^[ \t]+/gm, '')}\n`;
}

/** A source that hands out a text in blocks, as a file is handed out. */
function sourceOf(text: string): Source {
  const bytes = Buffer.from(text);
  const tally = { bytes: 0, cutLines: 0 };
  let at = 0;
  const read = (into: Buffer, offset: number, length: number): number => {
    const count = bytes.copy(into, offset, at, Math.min(bytes.length, at + length));
    at += count;
    return count;
  };
  return {
    head: Buffer.alloc(0),
    name: 'test.csv',
    blocks: blocksOfLines(read, tally, 1 << 16),
    tally,
    size: bytes.length,
    close: () => {},
  };
}

/**
 * Replays a canonical CSV trace in several releases over one parse, as `diff` does.
 * @throws Error if a line of the trace cannot be used: a test that loses a row proves nothing
 */
export async function replayInAll(
  names: readonly string[],
  trace: string,
  {
    pools = [],
    devices = [],
    ownPools,
    prepare,
    observe,
    observeFirst,
    watchFinding,
  }: Replaying = {},
): Promise<Replayed[]> {
  const info = emptyTraceInfo();
  let runs: { session: Session; watch: ReturnType<typeof watchForReport> }[] = [];
  const tally = await readTrace(
    sourceOf(unindented(trace)),
    info,
    { format: csv, pageSize: 4096 },
    (batch) => {
      if (runs.length === 0) {
        prepare?.(info);
        const pageSize = info.pageSize ?? 4096;
        runs = names.map((name, n) => {
          const release = releaseNamed(name);
          const own = [...pools, ...(ownPools?.[n] ?? [])];
          const session = createSession(info, { release, pageSize, pools: own, devices });
          session.observers.push(...(observeFirst?.(session) ?? []));
          const watch = watchForReport(session, undefined, watchFinding?.(n));
          if (observe) session.observers.push(observe(session));
          return { session, watch };
        });
      }
      for (const { session } of runs) session.run(batch);
    },
  );
  const [problem] = info.problems.first;
  if (problem) throw new Error(`line ${problem.line}: ${problem.message}: ${problem.text}`);
  return runs.map(({ session, watch }) => {
    session.finish();
    const summary = {
      path: 'test.csv',
      format: tally.format,
      lines: tally.lines,
      events: tally.events,
      skipped: info.problems.count,
      otherLines: info.otherLines,
    };
    const report = watch.report(summary, info, undefined);
    const found = report.findings.map(({ rule, line }) => `${rule}@${line}`);
    return { info, session, report, findings: report.findings, found };
  });
}

/** Replays a canonical CSV trace in one release. */
export async function replay(
  name: string,
  trace: string,
  options: Replaying = {},
): Promise<Replayed> {
  const [replayed] = await replayInAll([name], trace, options);
  return replayed;
}

/** The addresses that a replay gave, in hex; null for a refusal. */
export function addressesOf({ report }: Replayed): (string | null)[] {
  return [...report.allocations.rows()].map((row) => row.tlbAddr);
}

/** The causes of a replay's refusals, with their line. */
export function causesOf({ report }: Replayed): string[] {
  return [...report.allocations.rows()]
    .filter((row) => row.cause !== undefined)
    .map((row) => `${row.cause}@${row.line}`);
}
