import type { RefusalFact } from '../events/logFacts.js';
import type { LogOrder } from '../events/logOrder.js';
import type { Diagnosis, RefusalGroup, RefusalReport } from './diagnosis.js';
import type { LogKernel, LogKernels } from './logKernels.js';
import { judge, type Ruling } from './refusalVerdict.js';

/** Refusals that are kept one by one. */
const KEPT_REPORTS = 10_000;

/** Kinds of refusals that are counted apart: more are a log made to exhaust memory. */
const KEPT_KINDS = 4096;

/** Lines within which an old kernel says the same refusal again. */
const ECHO_LINES = 3;

/** A kind of refusal while the log is read: its verdict waits for the kernel's name. */
interface Kind {
  /** The first of it, for its numbers. */
  sample: RefusalFact;
  /** Banners before it. */
  banners: number;
  count: number;
  suppressed: number;
  firstLine: number;
  lastLine: number;
  usedLeast: number;
  usedMost: number;
  lastUsed: number;
  /** The slots used were fewer in a later one. */
  fell: boolean;
}

/** A refusal that is kept by itself. */
interface Kept {
  fact: RefusalFact;
  banners: number;
  suppressed: number;
}

/** Counts refusals by kind and keeps the first ones. */
export interface RefusalLog {
  see(fact: RefusalFact): void;
  /** Refusals that were not printed; which, the kernel does not say. */
  suppress(count: number): void;
  finish(
    minAlignMask: (device: string | undefined) => number | undefined,
  ): Pick<Diagnosis, 'reports' | 'groups' | 'totals'>;
}

/**
 * The kernel says how many messages it suppressed right before the next one that it prints. They
 * are counted with the refusal before that, in time.
 */
export function createRefusalLog(order: LogOrder, kernels: LogKernels): RefusalLog {
  const kinds = new Map<string, Kind>();
  const kept: Kept[] = [];
  let reports = 0;
  let suppressed = 0;
  let unlisted = 0;
  /** Suppressed before any refusal that they could be counted with. */
  let waiting = 0;
  let last: { fact: RefusalFact; kind: Kind | undefined; kept: Kept | undefined } | undefined;

  /** `Out of SW-IOMMU space` and the like, right after the refusal that they are about. */
  function isEcho({ message, line, size, device }: RefusalFact): boolean {
    if (message === 'full' || last === undefined || last.fact.message === message) return false;
    const { fact } = last;
    const same = fact.size === size && (fact.device ?? device) === (device ?? fact.device);
    return same && Math.abs(line - fact.line) <= ECHO_LINES;
  }

  function countKind(fact: RefusalFact): Kind | undefined {
    const ruling = judge(fact, undefined, undefined);
    const { device, size, total, line, used = Number.NaN } = fact;
    const banners = kernels.banners();
    const key = JSON.stringify([device, size, total, ruling.verdict, ruling.proved, banners]);
    let kind = kinds.get(key);
    if (kind === undefined) {
      if (kinds.size >= KEPT_KINDS) return undefined;
      kind = {
        sample: fact,
        banners,
        count: 0,
        suppressed: 0,
        firstLine: line,
        lastLine: line,
        usedLeast: used,
        usedMost: used,
        lastUsed: used,
        fell: false,
      };
      kinds.set(key, kind);
    }
    kind.count++;
    kind.lastLine = line;
    kind.fell ||= order.newestFirst() ? used > kind.lastUsed : used < kind.lastUsed;
    kind.usedLeast = Math.min(kind.usedLeast, used);
    kind.usedMost = Math.max(kind.usedMost, used);
    kind.lastUsed = used;
    return kind;
  }

  function attribute(count: number): void {
    if (last?.kind) last.kind.suppressed += count;
    if (last?.kept) last.kept.suppressed += count;
  }

  return {
    see(fact) {
      if (isEcho(fact)) return;
      reports++;
      const kind = countKind(fact);
      if (kind === undefined) unlisted++;
      const isKept = kept.length < KEPT_REPORTS;
      const row = isKept ? { fact, banners: kernels.banners(), suppressed: 0 } : undefined;
      if (row !== undefined) kept.push(row);
      last = { fact, kind, kept: row };
      attribute(waiting);
      waiting = 0;
    },
    suppress(count) {
      suppressed += count;
      if (last === undefined || order.newestFirst()) waiting += count;
      else attribute(count);
    },
    finish(minAlignMask) {
      attribute(waiting);
      const rule = (fact: RefusalFact, { release }: LogKernel): Ruling =>
        judge(fact, release, minAlignMask(fact.device));
      return {
        reports: kept.map(({ fact, banners, suppressed }) =>
          reportOf(fact, suppressed, rule(fact, kernels.kernelOf(banners))),
        ),
        groups: [...kinds.values()].map((kind) => {
          const kernel = kernels.kernelOf(kind.banners);
          return groupOf(kind, kernel, rule(kind.sample, kernel));
        }),
        totals: { reports, omitted: reports - kept.length, suppressed, unlisted },
      };
    },
  };
}

function reportOf(fact: RefusalFact, suppressed: number, ruling: Ruling): RefusalReport {
  const { line, device, size, total, used } = fact;
  const { verdict, proved, advice } = ruling;
  return { line, device, size, total, used, verdict, proved, suppressed, advice };
}

function groupOf(kind: Kind, kernel: LogKernel, ruling: Ruling): RefusalGroup {
  const { sample, count, suppressed, firstLine, lastLine, usedLeast, usedMost, fell } = kind;
  const { device, size, total } = sample;
  const { verdict, proved, advice } = ruling;
  const standing = verdict === 'full' && count > 2 && !fell;
  return {
    kernel: kernel.name,
    device,
    size,
    total,
    verdict,
    proved,
    count,
    suppressed,
    firstLine,
    lastLine,
    usedLeast: Number.isNaN(usedLeast) ? undefined : usedLeast,
    usedMost: Number.isNaN(usedMost) ? undefined : usedMost,
    reason: standing
      ? `${ruling.reason}; from one to the next the slots used never became fewer: a standing load, or likely a leak`
      : ruling.reason,
    advice,
  };
}
