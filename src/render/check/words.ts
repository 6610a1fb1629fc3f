import type { Difference } from '../../corpus/compare.js';
import type { CaseResult, CheckResult, TraceResult } from '../../corpus/result.js';
import { counted } from '../columns.js';
import { harmless } from '../harmless.js';

/** What differs, in one harmless line: `line 7: address: expected 0x80000800, actual 0x80001000`. */
export function differenceWords({ rule, line, expected, actual }: Difference): string {
  if (rule === 'unusable') return harmless(actual);
  const place = line === null ? '' : `line ${line}: `;
  return harmless(`${place}${rule}: expected ${expected}, actual ${actual}`);
}

/** Differences of a case that are there but not among `shown`. */
export function moreWords(count: number, shown: number): string[] {
  return count > shown ? [`and ${counted(count - shown, 'more difference')}`] : [];
}

/** `8 of 9 cases as expected, 1 differs`. */
export function summaryWords({ summary }: CheckResult): string {
  const { cases, passed, failed, error, skipped } = summary;
  const words = [`${passed} of ${counted(cases, 'case')} as expected`];
  if (failed > 0) words.push(`${failed} ${failed === 1 ? 'differs' : 'differ'}`);
  if (error > 0) words.push(`${error} could not be checked`);
  if (skipped > 0) words.push(`${counted(skipped, 'trace')} without expectations`);
  return words.join(', ');
}

/** Every case with its trace; see casesOf(). */
export function everyCase({ traces }: CheckResult): { trace: TraceResult; each: CaseResult }[] {
  return traces.flatMap((trace) => casesOf(trace).map((each) => ({ trace, each })));
}

/** The cases of a trace; where it has none, one that says why. */
export function casesOf(trace: TraceResult): CaseResult[] {
  return trace.cases.length > 0 ? trace.cases : [caseInstead(trace)];
}

function caseInstead({ status, reason }: TraceResult): CaseResult {
  const differences: Difference[] =
    status === 'error'
      ? [{ rule: 'unusable', line: null, expected: 'expectations', actual: reason ?? '' }]
      : [];
  return { name: 'expectations', kernel: '', status, count: differences.length, differences };
}
