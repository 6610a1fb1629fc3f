import type { CaseResult, CheckResult, CheckStatus, TraceResult } from '../../corpus/result.js';
import { harmless } from '../harmless.js';
import { differenceWords, moreWords } from './words.js';

/** Differences of a case that are told; the kernel's logs are read by people. */
const SHOWN = 20;

const INDENT = '  ';

/**
 * A check as the kernel's Test Anything Protocol, version 1 (Documentation/dev-tools/ktap.rst): a test
 * per trace, in it one per case, with what differs as diagnostics before the result.
 */
export function checkKtap({ traces }: CheckResult): string {
  const lines = ['KTAP version 1', `1..${traces.length}`];
  traces.forEach((trace, n) => {
    if (trace.cases.length > 0) {
      lines.push(`${INDENT}KTAP version 1`, `${INDENT}1..${trace.cases.length}`);
      trace.cases.forEach((each, m) => {
        lines.push(...caseLines(each, m + 1).map((line) => INDENT + line));
      });
    }
    lines.push(resultLine(trace.status, n + 1, trace.trace, directive(trace)));
  });
  return `${lines.join('\n')}\n`;
}

function caseLines({ name, status, count, differences }: CaseResult, number: number): string[] {
  const shown = differences.slice(0, SHOWN).map(differenceWords);
  const diagnostics = [...shown, ...moreWords(count, shown.length)].map((line) => `# ${line}`);
  return [...diagnostics, resultLine(status, number, name, '')];
}

function directive({ status, reason }: TraceResult): string {
  if (reason === null) return '';
  return ` # ${status === 'skipped' ? 'SKIP' : 'ERROR'} ${harmless(reason)}`;
}

function resultLine(status: CheckStatus, number: number, name: string, afterwards: string): string {
  const word = status === 'passed' || status === 'skipped' ? 'ok' : 'not ok';
  // A # would begin a directive.
  return `${word} ${number} ${harmless(name).replaceAll('#', '\\x23')}${afterwards}`;
}
