import { type Difference, differencesOf } from './compare.js';
import { caseName, type ExpectedCase } from './expectation.js';
import type { Observation } from './observation.js';
import { type StandIn, standInDifferences, standInName } from './standIn.js';

/** Schema of a check's result; it changes when a field changes. */
export const CHECK_SCHEMA = 'swiotlb-replay/check@1';

/** Differences of a case that are kept; all are counted. */
const KEPT_DIFFERENCES = 1000;

/** `skipped`: a trace without expectations. `error`: it cannot be told. */
export type CheckStatus = 'passed' | 'failed' | 'error' | 'skipped';

/** One replay and what differs from what was expected of it. */
export interface CaseResult {
  /** Kernel and options, and for a stand-in whose place it takes; unique within the trace. */
  name: string;
  kernel: string;
  status: CheckStatus;
  /** All differences; `differences` has the first. */
  count: number;
  differences: Difference[];
}

/** All cases of a trace. */
export interface TraceResult {
  /** Relative to the repository, or to the working directory outside of one; with `/`. */
  trace: string;
  status: CheckStatus;
  /** Why there are no cases. */
  reason: string | null;
  cases: CaseResult[];
}

/** What `check` has to say: plain data, ready for any renderer. */
export interface CheckResult {
  schema: typeof CHECK_SCHEMA;
  summary: { traces: number; cases: number } & Record<CheckStatus, number>;
  traces: TraceResult[];
}

/**
 * The result of a case from what its replay showed, or from the message of why there is none.
 * @param standIn what was replayed instead of the case's kernel
 */
export function caseResult(
  expected: ExpectedCase,
  observed: Observation | string,
  standIn?: StandIn,
): CaseResult {
  const isUnusable = typeof observed === 'string';
  const differences: Difference[] = isUnusable
    ? [{ rule: 'unusable', line: null, expected: 'a replay', actual: observed }]
    : standIn === undefined
      ? differencesOf(expected, observed)
      : standInDifferences(standIn, expected, observed);
  return {
    name: standIn === undefined ? caseName(expected) : standInName(standIn, expected),
    kernel: standIn?.kernel ?? expected.kernel,
    status: isUnusable ? 'error' : differences.length > 0 ? 'failed' : 'passed',
    count: differences.length,
    differences: differences.slice(0, KEPT_DIFFERENCES),
  };
}

/** The result of a trace from its cases. */
export function traceResult(trace: string, cases: CaseResult[]): TraceResult {
  return { trace, status: worst(cases.map(({ status }) => status)), reason: null, cases };
}

/** A trace that has no cases to tell of. */
export function withoutCases(
  trace: string,
  status: 'error' | 'skipped',
  reason: string,
): TraceResult {
  return { trace, status, reason, cases: [] };
}

function worst(statuses: readonly CheckStatus[]): CheckStatus {
  return (['error', 'failed'] as const).find((status) => statuses.includes(status)) ?? 'passed';
}

/** The result of a check; counts are of cases, or of traces that have none. */
export function checkResult(traces: TraceResult[]): CheckResult {
  const counted = traces.flatMap((trace): { status: CheckStatus }[] =>
    trace.cases.length > 0 ? trace.cases : [trace],
  );
  const count = (wanted: CheckStatus): number =>
    counted.filter(({ status }) => status === wanted).length;
  return {
    schema: CHECK_SCHEMA,
    summary: {
      traces: traces.length,
      cases: traces.reduce((sum, { cases }) => sum + cases.length, 0),
      passed: count('passed'),
      failed: count('failed'),
      error: count('error'),
      skipped: count('skipped'),
    },
    traces,
  };
}
