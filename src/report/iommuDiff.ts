import type { RowComparison } from '../analysis/iommu/rowComparison.js';
import type { Finding } from '../check/finding.js';
import type { FindingCount, IommuReport } from './iommuReport.js';

/** Schema of a diff of an IOMMU trace; it changes when a field changes. */
export const IOMMU_DIFF_SCHEMA = 'swiotlb-replay/iommu-diff@1';

/** One statistic of both releases. */
export interface StatisticPair {
  name: string;
  old: number;
  new: number;
}

/** How two releases replay one IOMMU trace. */
export interface IommuDiff {
  old: IommuReport;
  new: IommuReport;
  /** How the sides are told apart: by their kernels, unless those are the same. */
  names: { old: string; new: string };
  comparison: RowComparison;
  vanished: Finding[];
  appeared: Finding[];
  /** Counts of every rule, by level, that either has. */
  rules: (Omit<FindingCount, 'count'> & { old: number; new: number })[];
  statistics: StatisticPair[];
}

/** Findings of one report that the other has not at that line. */
function findingsOnlyIn(a: IommuReport, b: IommuReport): Finding[] {
  const key = ({ rule, level, line }: Finding): string => `${rule} ${level} ${line}`;
  const there = new Set(b.findings.map(key));
  return a.findings.filter((finding) => !there.has(key(finding)));
}

/** The numbers of a report that are worth putting side by side, by name. */
function statisticsOf({ devices, pool, effects }: IommuReport): Map<string, number> {
  const sum = (pick: (device: IommuReport['devices'][number]) => number): number =>
    devices.reduce((total, device) => total + pick(device), 0);
  const numbers = new Map([
    ['mappings made', sum(({ mappings }) => mappings.made)],
    ['mappings failed', sum(({ mappings }) => mappings.failed)],
    ['live at the end', sum(({ mappings }) => mappings.live)],
    ['of those, recorded as failed and never ended', sum(({ mappings }) => mappings.neverEnded)],
    ['granules of device addresses used at most', sum(({ space }) => space.usedPeak)],
    ['granules of device addresses used at the end', sum(({ space }) => space.used)],
    ['gaps between device addresses', sum(({ space }) => space.gaps)],
    ['cache hits', sum(({ caches }) => caches.reduce((n, { hits }) => n + hits, 0))],
    ['cache misses', sum(({ caches }) => caches.reduce((n, { misses }) => n + misses, 0))],
    ['ranges queued', sum(({ queue }) => queue.queued)],
    ['flushes', sum(({ queue }) => queue.flushes)],
  ]);
  if (effects === null || pool === null) return numbers;
  numbers.set(
    'granules mapped at the end',
    sum(({ granulesMapped }) => granulesMapped ?? 0),
  );
  numbers.set(
    'bytes mapped beyond need',
    sum(({ mappings }) => mappings.beyondNeed),
  );
  numbers.set('bounce slots at most', pool.usedPeak);
  numbers.set('bounce slots at the end', pool.used);
  numbers.set('bytes copied in', effects.bytesIn);
  numbers.set('bytes copied out', effects.bytesOut);
  numbers.set('bytes of cache maintenance', effects.cacheBytes);
  numbers.set('warnings', effects.warnings);
  numbers.set('stray fills and copies', effects.stray);
  return numbers;
}

/** Puts two reports of one trace side by side. */
export function diffIommuReports(
  old: IommuReport,
  fresh: IommuReport,
  comparison: RowComparison,
): IommuDiff {
  const isSame = (a: FindingCount, b: FindingCount): boolean =>
    a.rule === b.rule && a.level === b.level;
  const rules = [
    ...old.counts,
    ...fresh.counts.filter((each) => !old.counts.some((other) => isSame(each, other))),
  ];
  const news = statisticsOf(fresh);
  return {
    old,
    new: fresh,
    names:
      old.kernel === fresh.kernel
        ? { old: `${old.kernel} (old)`, new: `${fresh.kernel} (new)` }
        : { old: old.kernel, new: fresh.kernel },
    comparison,
    vanished: findingsOnlyIn(old, fresh),
    appeared: findingsOnlyIn(fresh, old),
    rules: rules.map((each) => ({
      rule: each.rule,
      level: each.level,
      old: old.counts.find((other) => isSame(each, other))?.count ?? 0,
      new: fresh.counts.find((other) => isSame(each, other))?.count ?? 0,
    })),
    statistics: [...statisticsOf(old)].map(([name, value]) => ({
      name,
      old: value,
      new: news.get(name) ?? 0,
    })),
  };
}

/** What got worse: errors and warnings that only the new side has. */
export function regressionsIn({ appeared }: IommuDiff): Finding[] {
  return appeared.filter(({ level }) => level !== 'note');
}

/** Whether the releases differ in anything that a user would see. */
export function areIommuDifferent({ comparison, rules, statistics }: IommuDiff): boolean {
  return (
    comparison.different > 0 || [...rules, ...statistics].some((pair) => pair.old !== pair.new)
  );
}
