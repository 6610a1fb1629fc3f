import type { Difference } from '../../../src/corpus/compare.js';
import {
  type CaseResult,
  type CheckResult,
  checkResult,
  traceResult,
  withoutCases,
} from '../../../src/corpus/result.js';
import { CHECK_RENDERERS } from '../../../src/render/check/table.js';

/** Everything that a device name or path could hold to break out of a format. */
const HOSTILE =
  'a]]><x y="1">&\'\u0000\u001b[31m\n::error::b\r\n# SKIP c|d`e`<img src=x>@f #1 100%\u202eg\ud800\uffff https://h.example www.h.example **i** [j](k) not ok 1';

/** A case with these differences. */
export function caseOf(name: string, differences: Difference[] = [], count?: number): CaseResult {
  const status = differences.length > 0 ? 'failed' : 'passed';
  return { name, kernel: name, status, count: count ?? differences.length, differences };
}

/** A difference of an address. */
export function otherAddress(line: number, actual = '0x80001000'): Difference {
  return { rule: 'address', line, expected: '0x80000800', actual };
}

/** A check in which a trace passes, one differs, one is skipped and one cannot be used. */
export const MIXED: CheckResult = checkResult([
  traceResult('traces/a/trace.csv', [caseOf('v6.8'), caseOf('v6.9')]),
  traceResult('traces/b/trace.csv', [
    caseOf('v6.8'),
    caseOf('v6.9', [
      otherAddress(7),
      { rule: 'bound', line: null, expected: 'failed <= 0', actual: 'failed is 1' },
      { rule: 'pool-full', line: 9, expected: 'none', actual: 'a finding: sda: no slots' },
    ]),
  ]),
  withoutCases('traces/c/trace.csv', 'skipped', 'no .expect.json file beside it'),
  withoutCases('traces/d/trace.csv', 'error', 'cases: has no case'),
]);

/** A check in which everything that can be hostile is. */
export const HOSTILE_CHECK: CheckResult = checkResult([
  traceResult(`traces/${HOSTILE}`, [caseOf(HOSTILE, [otherAddress(1, HOSTILE)])]),
  withoutCases(HOSTILE, 'error', HOSTILE),
  withoutCases(`z${HOSTILE}`, 'skipped', HOSTILE),
]);

/** A check as the output of that name. */
export function rendered(name: string, result: CheckResult): string {
  const renderer = CHECK_RENDERERS.find((each) => each.name === name);
  if (renderer === undefined) throw new Error(`no renderer ${name}`);
  return renderer.render(result, { width: 100, colour: 0, blocks: false, allocations: true });
}
