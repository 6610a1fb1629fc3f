import type { IovaRow, IovaTrace } from '../../src/events/iommu.js';
import {
  allocFast,
  createIovaDomain,
  dmaAllocIova,
  dmaFreeIova,
  freeFast,
  type IovaDomain,
  nextTimer,
  runTimer,
} from '../../src/iommu/iovaDomain.js';
import { allocRange, freeRange, NO_PFN, reserveRange } from '../../src/iommu/iovaTree.js';
import { emptyCpu } from '../../src/iommu/magazines.js';
import type { IommuRelease } from '../../src/kernel/iommuRelease.js';
import type { Whole } from './iommuVectors.js';

/** What a replay of an IOVA trace shows. */
export interface IovaReplay {
  domains: IovaDomain[];
  /** Rows whose result was compared. */
  compared: number;
  /** The first rows that differ, in words. */
  differences: string[];
}

function createDomains(trace: IovaTrace, release: IommuRelease): IovaDomain[] {
  const { cpus } = trace.kernel;
  return trace.domains.map((line) => createIovaDomain(release.iova, { ...line, cpus }));
}

/** Does what a row asks; the pfn, or NO_PFN. */
function play(domain: IovaDomain, row: IovaRow): number {
  const { granule } = domain.setup;
  switch (row.op) {
    case 'alloc':
      return allocRange(domain.tree, row.size, row.limit, (row.flags & 1) !== 0);
    case 'alloc_fast':
      return allocFast(domain, row.cpu, row.size, row.limit, (row.flags & 1) !== 0);
    case 'dma_alloc':
      return dmaAllocIova(domain, row.cpu, row.size / granule, row.limit);
    case 'free':
      freeRange(domain.tree, row.pfn);
      return row.pfn;
    case 'free_fast':
      freeFast(domain, row.cpu, row.pfn, row.size, row.time);
      return row.pfn;
    case 'dma_free':
      dmaFreeIova(domain, row.cpu, row.pfn, row.size / granule, row.time);
      return row.pfn;
    case 'reserve': {
      // A refused reserve records `fail` alone, and no vector has one.
      const done = reserveRange(domain.tree, row.pfn, row.pfn + row.size - 1);
      return done ? row.pfn : NO_PFN;
    }
    case 'cpu_dead':
      emptyCpu(domain.magazines, row.cpu);
      return row.pfn;
    default:
      throw new Error(`line ${row.line}: ${row.op} is the model's own`);
  }
}

/** The timers that are due, as rows would tell them; the earliest first. */
function* dueTimers(trace: IovaTrace, domains: IovaDomain[], now: number): Generator<string> {
  for (;;) {
    const due = domains.map(nextTimer);
    const first = Math.min(...due);
    if (first > now) return;
    const n = due.indexOf(first);
    const event = runTimer(domains[n]);
    const at = `${event.time} ${event.cpu} ${trace.domains[n].name}`;
    if (event.kind === 'flush-timeout') yield `${at} fq_timeout`;
    else yield `${at} depot_work ${event.class} ${event.before} ${event.after}`;
  }
}

function timerWords(trace: IovaTrace, row: IovaRow): string {
  const at = `${row.time} ${row.cpu} ${trace.domains[row.domain].name} ${row.op}`;
  return row.op === 'fq_timeout' ? at : `${at} ${row.size} ${row.flags} ${row.pfn}`;
}

/**
 * Replays an IOVA trace and compares every result.
 * @param recordsTimers whether the trace has rows for timers; the model runs its own in any case
 */
export function replayIova(
  trace: Whole<IovaTrace, IovaRow>,
  release: IommuRelease,
  recordsTimers = true,
): IovaReplay {
  const domains = createDomains(trace, release);
  const differences: string[] = trace.problems.first.map((problem) => problem.message);
  const ran: string[] = [];
  let compared = 0;
  for (const row of trace.rows) {
    ran.push(...dueTimers(trace, domains, row.time));
    if (row.op === 'fq_timeout' || row.op === 'depot_work') {
      const expected = timerWords(trace, row);
      const was = ran.shift() ?? 'nothing';
      compared++;
      if (was !== expected) differences.push(`line ${row.line}: ${expected}, replayed ${was}`);
      continue;
    }
    if (ran.length > 0 && recordsTimers) differences.push(`line ${row.line}: missed ${ran.join()}`);
    ran.length = 0;
    const pfn = play(domains[row.domain], row);
    const expected = row.failed ? NO_PFN : row.pfn;
    compared++;
    if (pfn !== expected && !(Number.isNaN(pfn) && Number.isNaN(expected))) {
      differences.push(`line ${row.line}: ${row.op} recorded ${expected}, replayed ${pfn}`);
    }
    if (differences.length > 5) break;
  }
  return { domains, compared, differences };
}
