import type { PoolFragmentation } from '../analysis/fragmentation.js';
import type { DeviceUsage } from '../analysis/usage.js';
import { type Finding, KEPT_PER_RULE } from '../check/finding.js';
import type { RuleId } from '../check/rules.js';
import { hex } from '../events/numbers.js';
import type { Assumption, Loss, Problem } from '../events/trace.js';
import type { AllocationRow } from './allocationRows.js';
import { type PlainIommu, plainIommu } from './plainIommu.js';
import { type PlainTimeline, type PlainWho, plainTimeline, plainWho } from './plainWho.js';
import {
  mostBroken,
  type PoolReport,
  REPORT_SCHEMA,
  type Report,
  type TraceSummary,
} from './report.js';

/** What a verdict rests on and the trace does not say; a line of null is none in particular. */
export interface PlainAssumption {
  line: number | null;
  message: string;
}

/** What shows that a trace lacks events; null where it is not known. */
export interface PlainLoss {
  line: number | null;
  events: number | null;
  message: string;
}

/** A report as `swiotlb-replay/report@1`: what JSON can hold; addresses are hex, sizes bytes. */
export interface PlainReport {
  schema: typeof REPORT_SCHEMA;
  trace: TraceSummary;
  /** The release that was replayed, and why, where the user did not name it. */
  kernel: string;
  kernelReason: string | null;
  /** Bytes. */
  pageSize: number;
  pools: (Omit<PoolReport, 'base'> & { base: string })[];
  /** Left out where it was not wanted. */
  allocations?: AllocationRow[];
  /** The first of each rule; `summary.findings` has all counts. */
  findings: (Omit<Finding, 'address'> & { address: string | null })[];
  fragmentation: {
    /** Of the pool that is most broken up. */
    atEnd: PoolFragmentation;
    worst: PoolFragmentation;
    pools: { atEnd: PoolFragmentation; worst: PoolFragmentation }[];
  };
  devices: DeviceUsage[];
  /** Who takes what, for how long, and at what cost. */
  who: PlainWho;
  /** Occupancy and who held it, in at most 128 buckets. */
  timeline: PlainTimeline;
  assumptions: PlainAssumption[];
  losses: PlainLoss[];
  /** The first lines that could not be used. */
  problems: Problem[];
  /** What the trace says of an IOMMU's page tables, if anything. */
  iommu?: PlainIommu;
  summary: Report['summary'] & {
    findings: Partial<Record<RuleId, number>>;
    /** Findings that are counted and not listed. */
    findingsOmitted: number;
    doubleAllocatedPages: string[];
  };
}

/**
 * A report as plain data, members in the order of the JSON.
 * @param allocations undefined to leave them out; they stand behind `pools`
 */
export function plainReport(report: Report, allocations?: AllocationRow[]): PlainReport {
  const { trace, fragmentation } = report;
  return {
    schema: REPORT_SCHEMA,
    trace,
    kernel: report.kernel,
    kernelReason: report.kernelReason ?? null,
    pageSize: report.pageSize,
    pools: report.pools.map((pool) => ({ ...pool, base: hex(pool.base) })),
    ...(allocations && { allocations }),
    findings: report.findings.map(({ address, ...finding }) => ({
      ...finding,
      address: address === undefined ? null : hex(address),
    })),
    fragmentation: {
      atEnd: mostBroken(fragmentation.end),
      worst: mostBroken(fragmentation.worst),
      pools: fragmentation.end.map((atEnd, n) => ({ atEnd, worst: fragmentation.worst[n] })),
    },
    devices: report.devices,
    who: plainWho(report.who),
    timeline: plainTimeline(report.timeline),
    assumptions: plainAssumptions(report.assumptions),
    losses: plainLosses(report.losses),
    problems: report.problems,
    ...(report.iommu && { iommu: plainIommu(report.iommu) }),
    summary: {
      ...report.summary,
      findings: Object.fromEntries(report.counts),
      findingsOmitted: omittedFindings(report),
      doubleAllocatedPages: report.doubleAllocatedPages.map(hex),
    },
  };
}

/** Assumptions with what is not known as null. */
export function plainAssumptions(assumptions: readonly Assumption[]): PlainAssumption[] {
  return assumptions.map(({ line, message }) => ({ line: line ?? null, message }));
}

/** Losses with what is not known as null. */
export function plainLosses(losses: readonly Loss[]): PlainLoss[] {
  return losses.map(({ line, events, message }) => ({
    line: line ?? null,
    events: events ?? null,
    message,
  }));
}

/** Findings that are counted but not listed. */
function omittedFindings(report: Report): number {
  let omitted = 0;
  for (const count of report.counts.values()) omitted += Math.max(0, count - KEPT_PER_RULE);
  return omitted;
}
