import { KEPT_PER_RULE } from '../check/finding.js';
import { hex } from '../events/numbers.js';
import { mostBroken, REPORT_SCHEMA, type Report } from '../report/report.js';
import { harmlessJson } from './harmless.js';
import { iommuJson } from './iommu.js';
import { lossesJson } from './losses.js';
import type { RenderOptions } from './table.js';
import { timelineJson, whoJson } from './whoJson.js';

/** The report as `swiotlb-replay/report@1`, in pieces: its list of allocations may be long. */
export function* renderJson(report: Report, options: RenderOptions): Generator<string> {
  const { trace, fragmentation } = report;
  yield `{"schema":${harmlessJson(REPORT_SCHEMA)}`;
  yield member('trace', trace);
  yield member('kernel', report.kernel);
  yield member('kernelReason', report.kernelReason ?? null);
  yield member('pageSize', report.pageSize);
  yield member(
    'pools',
    report.pools.map((pool) => ({ ...pool, base: hex(pool.base) })),
  );
  if (options.allocations) {
    let separator = ',"allocations":[';
    for (const row of report.allocations.rows()) {
      yield separator + harmlessJson(row);
      separator = ',';
    }
    yield report.allocations.total === 0 ? ',"allocations":[]' : ']';
  }
  yield member(
    'findings',
    report.findings.map(({ address, ...finding }) => ({
      ...finding,
      address: address === undefined ? null : hex(address),
    })),
  );
  yield member('fragmentation', {
    atEnd: mostBroken(fragmentation.end),
    worst: mostBroken(fragmentation.worst),
    pools: fragmentation.end.map((atEnd, n) => ({ atEnd, worst: fragmentation.worst[n] })),
  });
  yield member('devices', report.devices);
  yield member('who', whoJson(report.who));
  yield member('timeline', timelineJson(report.timeline));
  yield member(
    'assumptions',
    report.assumptions.map(({ line, message }) => ({ line: line ?? null, message })),
  );
  yield member('losses', lossesJson(report.losses));
  yield member('problems', report.problems);
  if (report.iommu !== undefined) yield member('iommu', iommuJson(report.iommu));
  yield member('summary', {
    ...report.summary,
    findings: Object.fromEntries(report.counts),
    findingsOmitted: omittedFindings(report),
    doubleAllocatedPages: report.doubleAllocatedPages.map(hex),
  });
  yield '}\n';
}

function member(name: string, value: unknown): string {
  return `,"${name}":${harmlessJson(value)}`;
}

/** Findings that are counted but not listed. */
function omittedFindings(report: Report): number {
  let omitted = 0;
  for (const count of report.counts.values()) omitted += Math.max(0, count - KEPT_PER_RULE);
  return omitted;
}
