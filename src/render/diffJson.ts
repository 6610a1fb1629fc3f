import type { Finding } from '../check/finding.js';
import { hex } from '../events/numbers.js';
import { DIFF_SCHEMA, type DiffReport, regressionsOf } from '../report/diffReport.js';
import { inOrderOfRules, type OneSided } from '../report/findingComparison.js';
import type { SideReport } from '../report/report.js';
import { explanationValue } from './divergence.js';
import { harmlessJson } from './harmless.js';

/** Devices that JSON lists. */
const LISTED_DEVICES = 1000;

/** A diff as `swiotlb-replay/diff@1`, on one line. */
export function diffJson(diff: DiffReport, onlyRegressions: boolean): string {
  const { comparison, names } = diff;
  const { divergence } = comparison;
  const appeared = onlyRegressions ? regressionsOf(diff) : diff.appeared;
  return `${harmlessJson({
    schema: DIFF_SCHEMA,
    path: diff.old.trace.path,
    old: sideValue(diff.old, names.old),
    new: sideValue(diff.new, names.new),
    onlyRegressions,
    requests: comparison.requests,
    different: comparison.different,
    independent: comparison.independent,
    differentAlone: comparison.differentAlone,
    following: comparison.following,
    unexplained: comparison.unexplained,
    devices: onlyRegressions ? [] : comparison.devices.flat().slice(0, LISTED_DEVICES),
    synchrony: comparison.synchrony,
    unplaced: comparison.unplaced,
    firstDivergence:
      divergence && !onlyRegressions
        ? {
            line: divergence.line,
            old: explanationValue(divergence.old),
            new: explanationValue(divergence.new),
            given: address(divergence.given),
          }
        : null,
    independentDifferences: (onlyRegressions ? [] : comparison.origins).map((row) => ({
      ...row,
      size: Number.isNaN(row.size) ? null : row.size,
      old: address(row.old),
      new: address(row.new),
    })),
    allocations: (onlyRegressions ? [] : comparison.first).map((row) => ({
      ...row,
      old: address(row.old),
      new: address(row.new),
      origin: row.origin ?? null,
    })),
    vanished: onlyRegressions ? [] : findingValues(diff.vanished),
    vanishedCounts: onlyRegressions ? {} : Object.fromEntries(diff.vanished.counts),
    appeared: findingValues(appeared),
    appearedCounts: Object.fromEntries(appeared.counts),
    rules: diff.rules.map(({ name, ...counts }) => ({ rule: name, ...counts })),
    causes: diff.causes.map(({ name, ...counts }) => ({ cause: name, ...counts })),
  })}\n`;
}

function address(value: number | undefined): string | null {
  return value === undefined ? null : hex(value);
}

function sideValue({ kernel, summary, pools, counts, fragmentation }: SideReport, name: string) {
  return {
    kernel,
    name,
    summary: { ...summary, findings: Object.fromEntries(counts) },
    pools: pools.map((pool) => ({ ...pool, base: hex(pool.base) })),
    worstFragmentation: fragmentation.worst.map(({ pool, line, external }) => ({
      pool,
      line,
      external,
    })),
  };
}

function findingValues(side: OneSided) {
  return inOrderOfRules(side.first).map((finding: Finding) => ({
    ...finding,
    address: address(finding.address),
  }));
}
