import { RULES } from '../check/rules.js';
import { readVersion } from '../kernel/version.js';
import { parseBound } from './bounds.js';
import { type Difference, differencesOf } from './compare.js';
import { caseName, type ExpectedCase, type FindingEntry } from './expectation.js';
import type { Observation } from './observation.js';
import { sortedCases } from './update.js';

/** A kernel that is replayed instead of those that the expectations are of. */
export interface StandIn {
  /** As results name it. */
  kernel: string;
  /** The kernel whose cases it is held against; undefined for the newest of each trace. */
  against: string | undefined;
  /** Every difference counts, addresses too; else what is worse than expected. */
  isExact: boolean;
}

/** Numbers that tell which kernel it was, and not how well it did. */
const OF_THE_KERNEL: readonly string[] = ['mismatches', 'slotsSearched'];

/** The cases that a kernel is held against: one for each set of options that a trace is replayed with. */
export function casesFor({ against }: StandIn, cases: readonly ExpectedCase[]): ExpectedCase[] {
  const newest = new Map<string, ExpectedCase>();
  for (const each of byAge(cases)) {
    if (against !== undefined && each.kernel !== against) continue;
    newest.set(caseName({ ...each, kernel: '' }), each);
  }
  return [...newest.values()];
}

/** Cases from the oldest kernel to the newest; `latest` and what is no version are newest. */
function byAge(cases: readonly ExpectedCase[]): ExpectedCase[] {
  const age = ({ kernel }: ExpectedCase): number => {
    // A patched row stands behind the tag that it patches: the sort is stable, and knows the table.
    const version = readVersion(kernel.replace(/\+.*/, ''));
    if (version === undefined) return Number.MAX_VALUE;
    return (version.major * 1000 + version.minor) * 1000 + (version.patch ?? 0);
  };
  return sortedCases(cases).sort((a, b) => age(a) - age(b));
}

/** What a kernel's result for a case is called. */
export function standInName({ kernel }: StandIn, held: ExpectedCase): string {
  return `${kernel} held against ${caseName(held)}`;
}

/** Where a kernel does not do what is expected of another. */
export function standInDifferences(
  { isExact }: StandIn,
  held: ExpectedCase,
  observed: Observation,
): Difference[] {
  if (isExact) return differencesOf(held, observed);
  const bounds = (held.bounds ?? []).filter(
    (bound) => !OF_THE_KERNEL.includes(parseBound(bound)?.measure ?? ''),
  );
  const { incomplete, findings } = held;
  const expected: ExpectedCase = { kernel: held.kernel, bounds, ...(incomplete && { incomplete }) };
  if (findings !== undefined) expected.findings = noBetter(findings, observed.findings);
  const seen = observed.findings.filter(isFault);
  return differencesOf(expected, { ...observed, findings: seen });
}

function isFault({ rule }: FindingEntry): boolean {
  return RULES[rule].level !== 'note';
}

/** What is expected, with all that is no worse as it is: to be better than expected is no fault. */
function noBetter(
  expected: readonly FindingEntry[],
  observed: readonly FindingEntry[],
): FindingEntry[] {
  return observed.filter(isFault).flatMap((is) => {
    const [were, are] = comparable(expected, observed, is);
    return countOf(were) >= countOf(are) ? [is] : were.filter(({ line }) => line === is.line);
  });
}

/** The entries of its rule and line on both sides; of its rule where one side knows only how many there are. */
function comparable(
  expected: readonly FindingEntry[],
  observed: readonly FindingEntry[],
  { rule, line }: FindingEntry,
): FindingEntry[][] {
  const sides = [expected, observed].map((side) => side.filter((entry) => entry.rule === rule));
  if (sides.flat().some(({ folded }) => folded)) return sides;
  return sides.map((side) => side.filter((entry) => entry.line === line));
}

function countOf(entries: readonly FindingEntry[]): number {
  return entries.reduce((sum, { count = 1 }) => sum + count, 0);
}
