import type { Finding } from '../check/finding.js';
import { RULES, type RuleId } from '../check/rules.js';
import { countsByRule, type IommuReport } from '../report/iommuReport.js';
import type { Report } from '../report/report.js';
import type { ObservedAddresses } from './addresses.js';
import { iommuMeasuresOf, type Measure, measuresOf } from './bounds.js';
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
  /** What a trace of its kind has. */
  measures: Partial<Record<Measure, number>>;
}

/** What there is to compare in a report. */
export function observe(report: Report, addresses: ObservedAddresses): Observation {
  return observed(report, report.counts, addresses, measuresOf(report));
}

/** The same for the report of an IOMMU trace. */
export function observeIommu(report: IommuReport, addresses: ObservedAddresses): Observation {
  return observed(report, countsByRule(report.counts), addresses, iommuMeasuresOf(report));
}

/** What reports of either kind have. */
type Found = Pick<Report, 'kernel' | 'losses' | 'findings'>;

function observed(
  { kernel, losses, findings }: Found,
  counts: ReadonlyMap<RuleId, number>,
  addresses: ObservedAddresses,
  measures: Observation['measures'],
): Observation {
  const rules = Object.keys(RULES) as RuleId[];
  return {
    kernel,
    losses: losses.map(({ message }) => message),
    findings: rules.flatMap((rule) => findingsOf(findings, rule, counts.get(rule) ?? 0)),
    addresses,
    measures,
  };
}

/** Findings of a rule by line: one entry per line, or one for all where they are many. */
function findingsOf(findings: readonly Finding[], rule: RuleId, total: number): ObservedFinding[] {
  const kept = findings.filter((finding) => finding.rule === rule).sort((a, b) => a.line - b.line);
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
