import type { Comparison } from '../analysis/comparison.js';
import type { Level } from '../check/finding.js';
import { RULES, type RuleId } from '../check/rules.js';
import type { FindingComparison, OneSided } from './findingComparison.js';
import type { SideReport } from './report.js';

/** Schema of a diff; it changes when a field changes. */
export const DIFF_SCHEMA = 'swiotlb-replay/diff@1';

/** A count of each of two sides. */
export interface Pair<K> {
  name: K;
  old: number;
  new: number;
}

/** How two sides answer one trace. */
export interface DiffReport<R extends SideReport = SideReport> {
  old: R;
  new: R;
  /** What to call the sides: by what sets them apart. */
  names: { old: string; new: string };
  comparison: Comparison;
  /** Findings of the old side that the new one does not have at that line, and the other way round. */
  vanished: OneSided;
  appeared: OneSided;
  /** Counts of every rule that either has. */
  rules: Pair<RuleId>[];
  /** Refused requests of every cause that either has. */
  causes: Pair<string>[];
}

/**
 * Puts two reports of one trace side by side.
 * @param names what to call sides of one release with the same pools
 */
export function diffReports<R extends SideReport>(
  old: R,
  fresh: R,
  comparison: Comparison,
  findings: FindingComparison,
  names: DiffReport['names'],
): DiffReport<R> {
  return {
    old,
    new: fresh,
    names: sideNames(old, fresh, names),
    comparison,
    vanished: findings.vanished,
    appeared: findings.appeared,
    rules: rulePairs(old, fresh),
    causes: causePairs(old, fresh),
  };
}

/** Counts of every rule that either report has, in the order of the table of rules. */
export function rulePairs(old: SideReport, fresh: SideReport): Pair<RuleId>[] {
  return (Object.keys(RULES) as RuleId[])
    .map((name) => ({ name, old: old.counts.get(name) ?? 0, new: fresh.counts.get(name) ?? 0 }))
    .filter((pair) => pair.old + pair.new > 0);
}

/** Refused requests by cause, of either report. */
export function causePairs(old: SideReport, fresh: SideReport): Pair<string>[] {
  const names = [...new Set([...old.causes.keys(), ...fresh.causes.keys()])].sort();
  return names.map((name) => ({
    name,
    old: old.causes.get(name) ?? 0,
    new: fresh.causes.get(name) ?? 0,
  }));
}

/** Releases, else what is not the same in pools, else what the caller says. */
function sideNames(
  old: SideReport,
  fresh: SideReport,
  names: DiffReport['names'],
): DiffReport['names'] {
  if (old.kernel !== fresh.kernel) return { old: old.kernel, new: fresh.kernel };
  for (const [n, pool] of old.pools.entries()) {
    const differing = poolFacts(pool).filter((fact, at) => fact !== poolFacts(fresh.pools[n])[at]);
    if (differing.length === 0) continue;
    const others = poolFacts(fresh.pools[n]).filter((fact, at) => fact !== poolFacts(pool)[at]);
    return { old: differing.join(', '), new: others.join(', ') || 'no pool' };
  }
  return names;
}

function poolFacts(pool: SideReport['pools'][number] | undefined): string[] {
  if (pool === undefined) return [];
  const areas = pool.areas === 1 ? '1 area' : `${pool.areas} areas`;
  return [`${pool.nslabs} slots`, areas, `at 0x${pool.base.toString(16)}`];
}

/** Whether the sides differ in anything that a user would see. */
export function areDifferent({ comparison, rules, appeared, vanished }: DiffReport): boolean {
  return (
    comparison.different > 0 ||
    appeared.counts.size + vanished.counts.size > 0 ||
    rules.some((pair) => pair.old !== pair.new)
  );
}

/** Levels of findings that make a side worse: a note does not. */
const REGRESSIVE: readonly Level[] = ['error', 'warning'];

/** Errors and warnings that only the new side has. */
export function regressionsOf({ appeared }: DiffReport): OneSided {
  const isOne = (rule: RuleId): boolean => REGRESSIVE.includes(RULES[rule].level);
  return {
    counts: new Map([...appeared.counts].filter(([rule]) => isOne(rule))),
    first: appeared.first.filter(({ rule }) => isOne(rule)),
  };
}

/** How many findings there are in all. */
export function totalOf({ counts }: OneSided): number {
  return [...counts.values()].reduce((sum, count) => sum + count, 0);
}
