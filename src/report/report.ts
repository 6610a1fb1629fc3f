import type { PoolFragmentation } from '../analysis/fragmentation.js';
import type { IommuFacts } from '../analysis/iommuFacts.js';
import type { Timeline } from '../analysis/timeline.js';
import type { DeviceUsage } from '../analysis/usage.js';
import type { Who } from '../analysis/who.js';
import type { Finding } from '../check/finding.js';
import type { RuleId } from '../check/rules.js';
import type { Assumption, Loss, Problem } from '../events/trace.js';
import type { AllocationRows } from './allocationRows.js';
import type { Pictures } from './pictures.js';

/** Schema of a replay's report; it changes when a field changes. */
export const REPORT_SCHEMA = 'swiotlb-replay/report@1';

/** What was read. */
export interface TraceSummary {
  /** As the user gave it. */
  path: string;
  format: string;
  lines: number;
  events: number;
  /** Lines that look like events and could not be used. */
  skipped: number;
  /** Lines that are something else. */
  otherLines: number;
}

/** A pool at the end of a replay. */
export interface PoolReport {
  name: string;
  base: number;
  nslabs: number;
  areas: number;
  restricted: boolean;
  /** Of the whole allocator, transient pools included, for the pool that it was set up with. */
  used: number;
  /** Null for pools that joined later: the kernel counts per allocator. */
  usedHiwater: number | null;
  /** Where the next search of each area starts. */
  index: number[];
}

/** Everything that a replay has to say: plain data, ready for any renderer. */
export interface Report {
  trace: TraceSummary;
  kernel: string;
  /** Why this release was replayed, where the user did not name it. */
  kernelReason: string | undefined;
  /** Bytes. */
  pageSize: number;
  pools: PoolReport[];
  devices: DeviceUsage[];
  allocations: AllocationRows;
  /** The first of each rule; `counts` has all. */
  findings: Finding[];
  counts: Map<RuleId, number>;
  /** Refused requests by their cause. */
  causes: ReadonlyMap<string, number>;
  doubleAllocatedPages: number[];
  assumptions: Assumption[];
  /** What shows that the trace is not whole, so that no verdict on it is safe. */
  losses: Loss[];
  /** The first lines that could not be used. */
  problems: Problem[];
  /** What the trace says about an IOMMU's page tables; undefined where it says nothing. */
  iommu?: IommuFacts;
  /** Each pool at the end, and when it was most broken up. */
  fragmentation: { end: PoolFragmentation[]; worst: PoolFragmentation[] };
  /** Occupancy and who held it, from the first event to the last. */
  timeline: Timeline;
  /** Who took what, for how long, and at what cost. */
  who: Who;
  summary: {
    maps: number;
    unmaps: number;
    failed: number;
    /** Candidate slots that all searches together examined. */
    slotsSearched: number;
    live: number;
    recorded: number;
    mismatches: number;
  };
  /** Only where a renderer draws. */
  pictures?: Pictures;
}

/** What a comparison tells of each of its sides. */
export type SideReport = Pick<
  Report,
  | 'trace'
  | 'kernel'
  | 'pools'
  | 'counts'
  | 'causes'
  | 'doubleAllocatedPages'
  | 'fragmentation'
  | 'summary'
>;

/** The pool that is most broken up, for a report that has room for one. */
export function mostBroken(pools: readonly PoolFragmentation[]): PoolFragmentation {
  return pools.reduce((a, b) => (b.external > a.external ? b : a));
}
