import { type Finding, KEPT_PER_RULE, LEVELS } from '../../check/finding.js';
import { hex } from '../../events/numbers.js';
import {
  areIommuDifferent,
  IOMMU_DIFF_SCHEMA,
  type IommuDiff,
  regressionsIn,
} from '../../report/iommuDiff.js';
import {
  countOfLevel,
  countsByRule,
  IOMMU_REPORT_SCHEMA,
  type IommuReport,
} from '../../report/iommuReport.js';
import { harmlessJson } from '../harmless.js';
import { lossesJson } from '../losses.js';

function listed({ address, ...finding }: Finding): unknown {
  return { ...finding, address: address === undefined ? null : hex(address) };
}

/** Statistics of a replay, as report and diff have them. */
function statistics({ devices, pool, effects }: IommuReport): object {
  return {
    devices,
    pool: pool === null ? null : { ...pool, base: hex(pool.base) },
    effects,
  };
}

/** The report as `swiotlb-replay/iommu-report@1`, on one line. */
export function iommuReportJson(report: IommuReport): string {
  const { record, counts } = report;
  const omitted = counts.map(({ count }) => Math.max(0, count - KEPT_PER_RULE));
  return `${harmlessJson({
    schema: IOMMU_REPORT_SCHEMA,
    trace: report.trace,
    kernel: report.kernel,
    kernelReason: report.kernelReason ?? null,
    pageSize: report.pageSize,
    cpus: report.cpus,
    ...statistics(report),
    findings: report.findings.map(listed),
    assumptions: report.assumptions.map(({ line, message }) => ({ line: line ?? null, message })),
    losses: lossesJson(report.losses),
    problems: report.problems,
    summary: {
      recorded: record.recorded,
      mismatches: record.mismatches,
      notReplayed: report.notReplayed,
      levels: Object.fromEntries(LEVELS.map((level) => [level, countOfLevel(counts, level)])),
      findings: Object.fromEntries(countsByRule(counts)),
      findingsOmitted: omitted.reduce((sum, count) => sum + count, 0),
    },
  })}\n`;
}

/** A diff as `swiotlb-replay/iommu-diff@1`, on one line; with `onlyRegressions` without what vanished. */
export function iommuDiffJson(diff: IommuDiff, onlyRegressions: boolean): string {
  const side = (report: IommuReport): object => ({
    kernel: report.kernel,
    ...statistics(report),
  });
  const { comparison } = diff;
  return `${harmlessJson({
    schema: IOMMU_DIFF_SCHEMA,
    path: diff.old.trace.path,
    isDifferent: areIommuDifferent(diff),
    old: side(diff.old),
    new: side(diff.new),
    rows: comparison.rows,
    different: comparison.different,
    differences: comparison.first,
    vanished: onlyRegressions ? [] : diff.vanished.map(listed),
    appeared: (onlyRegressions ? regressionsIn(diff) : diff.appeared).map(listed),
    rules: diff.rules,
    statistics: diff.statistics,
  })}\n`;
}
