import { RULES, type RuleId } from '../check/rules.js';
import type { Report } from '../report/report.js';
import type { ObservedAddresses } from './addresses.js';
import { type Measure, measuresOf } from './bounds.js';
import type { FindingEntry } from './expectation.js';

/** Findings of one rule up to which an expectation lists each; more are folded to their count. */
const LISTED_FINDINGS = 100;

/** A finding, or several, with words on the first. */
export interface ObservedFinding extends FindingEntry {
  device: string;
  message: string;
}

/** What a replay showed, as far as expectations go: plain data, so that workers can hand it on. */
export interface Observation {
  /** The release that was replayed. */
  kernel: string;
  /** Why the trace is incomplete; empty where it is not known to be. */
  losses: string[];
  findings: ObservedFinding[];
  addresses: ObservedAddresses;
  measures: Record<Measure, number>;
}

/** What there is to compare in a report. */
export function observe(report: Report, addresses: ObservedAddresses): Observation {
  return {
    kernel: report.kernel,
    losses: report.losses.map(({ message }) => message),
    findings: (Object.keys(RULES) as RuleId[]).flatMap((rule) => findingsOf(report, rule)),
    addresses,
    measures: measuresOf(report),
  };
}

/** Findings of a rule by line: one entry per line, or one for all where they are many. */
function findingsOf(report: Report, rule: RuleId): ObservedFinding[] {
  const kept = report.findings
    .filter((finding) => finding.rule === rule)
    .sort((a, b) => a.line - b.line);
  const total = report.counts.get(rule) ?? 0;
  if (total > LISTED_FINDINGS) {
    const [{ line, device, message }] = kept;
    return [{ rule, line, count: total, folded: true, device, message }];
  }
  const entries: ObservedFinding[] = [];
  for (const { line, device, message } of kept) {
    const last = entries.at(-1);
    if (last?.line === line) last.count = (last.count ?? 1) + 1;
    else entries.push({ rule, line, device, message });
  }
  return entries;
}
