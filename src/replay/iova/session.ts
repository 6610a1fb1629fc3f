import type { IovaRow, IovaTrace } from '../../events/iommu.js';
import {
  allocFast,
  createIovaDomain,
  dmaAllocIova,
  dmaFreeIova,
  freeFast,
  type IovaDomain,
  nextTimer,
  runTimer,
  type TimerEvent,
} from '../../iommu/iovaDomain.js';
import { allocRange, freeRange, NO_PFN, reserveRange } from '../../iommu/iovaTree.js';
import { emptyCpu } from '../../iommu/magazines.js';
import type { IommuRelease } from '../../kernel/iommuRelease.js';

/** What became of one row of an IOVA trace. Reused for every row of a replay. */
export interface IovaOutcome {
  row: IovaRow;
  domain: IovaDomain;
  /** First pfn that the model gave or took back, NO_PFN for a failure; NaN for rows without a result. */
  pfn: number;
  /** Why nothing was allocated, in a word, once a check has proved it. */
  cause: string | undefined;
  /** Timers and depot work that ran since the row before, in order. */
  timers: (TimerEvent & { domain: number })[];
}

/** Watches a replay. */
export interface IovaObserver {
  onRow?(outcome: IovaOutcome): void;
}

/** An IOVA trace replayed in one release. */
export interface IovaSession {
  release: IommuRelease;
  domains: IovaDomain[];
  observers: IovaObserver[];
  run(row: IovaRow): void;
}

/**
 * A session on the domains that a trace declares.
 * @param trace each domain must be declared when its first row comes
 */
export function createIovaSession(trace: IovaTrace, release: IommuRelease): IovaSession {
  const { cpus } = trace.kernel;
  const domains: IovaDomain[] = [];
  const observers: IovaObserver[] = [];
  /** Where the model's pfn is not the recorded one, by id: what a free of it is to give back. */
  const moved = new Map<number, number>();
  const outcome: IovaOutcome = {
    row: undefined as unknown as IovaRow,
    domain: undefined as unknown as IovaDomain,
    pfn: Number.NaN,
    cause: undefined,
    timers: [],
  };

  /** Sets up domains that were declared since the last row. */
  function setUpDomains(): void {
    while (domains.length < trace.domains.length) {
      const line = trace.domains[domains.length];
      domains.push(createIovaDomain(release.iova, { ...line, cpus }));
    }
  }

  /** Runs the timers that are due, the earliest first. A hot path: there hardly ever is one. */
  function runTimers(now: number): void {
    if (outcome.timers.length > 0) outcome.timers = [];
    for (;;) {
      let first = Number.POSITIVE_INFINITY;
      let domain = -1;
      for (let n = 0; n < domains.length; n++) {
        const due = nextTimer(domains[n]);
        if (due >= first) continue;
        first = due;
        domain = n;
      }
      if (domain < 0 || first > now) return;
      outcome.timers.push({ ...runTimer(domains[domain]), domain });
    }
  }

  /** Notes where an allocation differs from the record, for its free. */
  function remember({ id, pfn: recorded, failed }: IovaRow, pfn: number): number {
    if (!failed && pfn !== recorded) moved.set(id, pfn);
    return pfn;
  }

  /** Gives back what the model allocated under a row's id, which may be nothing. */
  function giveBack(row: IovaRow, free: (pfn: number) => void): number {
    const pfn = moved.get(row.id) ?? row.pfn;
    moved.delete(row.id);
    if (pfn !== NO_PFN) free(pfn);
    return pfn;
  }

  /** Does what a row asks; the pfn, or NO_PFN. */
  function play(domain: IovaDomain, row: IovaRow): number {
    const { granule } = domain.setup;
    const { op, cpu, size, limit, flags, time } = row;
    const pfns = Math.ceil(size / granule);
    const lastAllowed = Math.min(limit, domain.tree.lastPfn);
    switch (op) {
      case 'alloc':
        return remember(row, allocRange(domain.tree, size, lastAllowed, (flags & 1) !== 0));
      case 'alloc_fast':
        return remember(row, allocFast(domain, cpu, size, lastAllowed, (flags & 1) !== 0));
      case 'dma_alloc':
        return remember(row, dmaAllocIova(domain, cpu, pfns, limit));
      case 'free':
        return giveBack(row, (pfn) => freeRange(domain.tree, pfn));
      case 'free_fast':
        return giveBack(row, (pfn) => freeFast(domain, cpu, pfn, size, time));
      case 'dma_free':
        return giveBack(row, (pfn) => dmaFreeIova(domain, cpu, pfn, pfns, time));
      case 'reserve':
        // A refused reserve records `fail` in place of what was asked for: nothing is left to ask.
        if (row.failed) return NO_PFN;
        return reserveRange(domain.tree, row.pfn, row.pfn + size - 1) ? row.pfn : NO_PFN;
      case 'cpu_dead':
        emptyCpu(domain.magazines, cpu);
        return Number.NaN;
      default:
        // Timers and depot work are the model's own.
        return Number.NaN;
    }
  }

  setUpDomains();
  return {
    release,
    domains,
    observers,
    run(row) {
      setUpDomains();
      runTimers(row.time);
      outcome.row = row;
      outcome.cause = undefined;
      outcome.domain = domains[row.domain];
      outcome.pfn = play(outcome.domain, row);
      for (const observer of observers) observer.onRow?.(outcome);
    },
  };
}
