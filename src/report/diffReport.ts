import type { Comparison } from '../analysis/comparison.js';
import type { Finding } from '../check/finding.js';
import { RULES, type RuleId } from '../check/rules.js';
import type { Report } from './report.js';

/** Schema of a diff; it changes when a field changes. */
export const DIFF_SCHEMA = 'swiotlb-replay/diff@1';

/** How two releases answer one trace. */
export interface DiffReport {
  old: Report;
  new: Report;
  comparison: Comparison;
  /** Findings of the old release that the new one does not have at that line, and the other way round. */
  vanished: Finding[];
  appeared: Finding[];
  /** Counts of every rule that either has. */
  rules: { rule: RuleId; old: number; new: number }[];
}

/** Findings of one report that the other has not, in the order of the table of rules. */
function findingsOnlyIn(a: Report, b: Report): Finding[] {
  const order = Object.keys(RULES);
  const key = ({ rule, line }: Finding): string => `${rule} ${line}`;
  const there = new Set(b.findings.map(key));
  return a.findings
    .filter((finding) => !there.has(key(finding)))
    .sort((x, y) => order.indexOf(x.rule) - order.indexOf(y.rule));
}

/** Puts two reports of one trace side by side. */
export function diffReports(old: Report, fresh: Report, comparison: Comparison): DiffReport {
  const rules = (Object.keys(RULES) as RuleId[]).map((rule) => ({
    rule,
    old: old.counts.get(rule) ?? 0,
    new: fresh.counts.get(rule) ?? 0,
  }));
  return {
    old,
    new: fresh,
    comparison,
    vanished: findingsOnlyIn(old, fresh),
    appeared: findingsOnlyIn(fresh, old),
    rules: rules.filter((entry) => entry.old + entry.new > 0),
  };
}

/** Whether the releases differ in anything that a user would see. */
export function areDifferent({ comparison, rules }: DiffReport): boolean {
  return comparison.different > 0 || rules.some((entry) => entry.old !== entry.new);
}
