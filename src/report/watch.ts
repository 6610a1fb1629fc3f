import { countCauses } from '../analysis/causeCounts.js';
import { watchFragmentation } from '../analysis/fragmentation.js';
import { watchTimeline } from '../analysis/timelineWatch.js';
import { usageOf } from '../analysis/usage.js';
import { whoOf } from '../analysis/who.js';
import { CHECKS } from '../check/check.js';
import { createFindingLog, type FindingLog, type FindingWatch } from '../check/finding.js';
import type { TraceInfo } from '../events/trace.js';
import type { Session } from '../replay/session.js';
import type { Allocator } from '../swiotlb/allocator.js';
import type { Pool } from '../swiotlb/pool.js';
import { type KeepRows, recordAllocations } from './allocationRows.js';
import { watchForPictures } from './pictures.js';
import type { PoolReport, Report, SideReport, TraceSummary } from './report.js';

/** Everything that watches a session for its report, or for what a comparison needs of that. */
export interface SideWatch<R extends SideReport = SideReport> {
  /** The report, once the session is finished. */
  report(trace: TraceSummary, info: TraceInfo, kernelReason: string | undefined): R;
}

/** Everything that watches a session for its whole report. */
export type ReportWatch = SideWatch<Report>;

/**
 * Attaches all checks and statistics to a session.
 * @param watchFinding told every finding
 * @param withPictures what pictures need is kept too
 */
export function watchForReport(
  session: Session,
  keepRows?: KeepRows,
  watchFinding?: FindingWatch,
  withPictures = false,
): ReportWatch {
  const log = createFindingLog(watchFinding);
  const side = watchSide(session, log);
  const timeline = watchTimeline(session);
  const rows = recordAllocations(session, keepRows);
  session.observers.push(timeline, rows);
  const pictures = withPictures ? watchForPictures(session) : undefined;

  return {
    report(trace, info, kernelReason) {
      const occupancy = timeline.timeline();
      const devices = timeline.books.map(usageOf);
      return {
        ...side.report(trace, info, kernelReason),
        kernelReason,
        pageSize: session.options.pageSize,
        devices,
        allocations: rows,
        findings: log.kept,
        assumptions: [...info.assumptions, ...session.assumptions],
        losses: info.losses,
        problems: info.problems.first,
        timeline: occupancy,
        who: whoOf(session, timeline, occupancy, devices),
        ...(pictures && { pictures: pictures() }),
      };
    },
  };
}

/**
 * Attaches to a session all checks, and the statistics that a comparison tells of both its sides.
 * @param watchFinding told every finding
 */
export function watchForComparison(session: Session, watchFinding: FindingWatch): SideWatch {
  return watchSide(session, createFindingLog(watchFinding));
}

function watchSide(session: Session, log: FindingLog): SideWatch {
  const causes = countCauses();
  const fragmentation = watchFragmentation(session);
  const checks = CHECKS.map((check) => check(session, log));
  session.observers.push(...checks, fragmentation, causes);
  return {
    report(trace) {
      const { totals, options, allocators } = session;
      return {
        trace,
        kernel: options.release.name,
        pools: allocators.flatMap((allocator) => poolReports(allocator)),
        counts: log.counts,
        causes: causes.counts,
        doubleAllocatedPages: [...log.doubleAllocatedPages].sort((a, b) => a - b),
        fragmentation: { end: fragmentation.end, worst: fragmentation.worst },
        summary: {
          maps: totals.maps,
          unmaps: totals.unmaps,
          failed: totals.failed,
          slotsSearched: totals.examined,
          live: session.allocations.live,
          recorded: totals.recorded,
          mismatches: totals.mismatches,
        },
      };
    },
  };
}

/** The pool that an allocator was set up with, with the allocator's counts, then those that joined it. */
function poolReports({ pool, pools, restricted, used, usedHiwater }: Allocator): PoolReport[] {
  const report = (each: Pool): PoolReport => ({
    name: each.name,
    base: each.base,
    nslabs: each.nslabs,
    areas: each.areas,
    restricted,
    used: each.areaUsed.reduce((sum, areaUsed) => sum + areaUsed, 0),
    usedHiwater: null,
    index: [...each.areaIndex],
  });
  const joined = pools.filter((each) => each !== pool).reverse();
  return [{ ...report(pool), used, usedHiwater }, ...joined.map(report)];
}
