import type { CaseResult, CheckResult, TraceResult } from '../../corpus/result.js';
import { harmless, wellFormed } from '../harmless.js';
import { casesOf, differenceWords, moreWords } from './words.js';

/** Differences of a case that are told. */
const SHOWN = 100;

/**
 * A check as JUnit XML, in what the schemas of Jenkins and GitLab have in common: a suite per trace, a
 * test case per case. Times are left out, so that the same result is the same file.
 */
export function checkJunit(result: CheckResult): string {
  const { cases, failed, error } = result.summary;
  const tests = cases + result.traces.filter((trace) => trace.cases.length === 0).length;
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="swiotlb-replay check" tests="${tests}" failures="${failed}" errors="${error}">`,
    ...result.traces.flatMap(suite),
    '</testsuites>\n',
  ].join('\n');
}

function suite(trace: TraceResult): string[] {
  const cases = casesOf(trace);
  const count = (status: string): number => cases.filter((each) => each.status === status).length;
  const counts =
    `tests="${cases.length}" failures="${count('failed')}" errors="${count('error')}"` +
    ` skipped="${count('skipped')}"`;
  return [
    `  <testsuite name="${xml(trace.trace)}" ${counts}>`,
    ...cases.flatMap((each) => testCase(trace, each)),
    '  </testsuite>',
  ];
}

function testCase(trace: TraceResult, { name, status, count, differences }: CaseResult): string[] {
  const open = `    <testcase classname="${xml(trace.trace)}" name="${xml(name)}"`;
  if (status === 'passed') return [`${open}/>`];
  if (status === 'skipped') {
    return [`${open}>`, `      <skipped message="${xml(trace.reason ?? '')}"/>`, '    </testcase>'];
  }
  const told = differences.slice(0, SHOWN).map(differenceWords);
  const tag = status === 'failed' ? 'failure' : 'error';
  const type = differences[0].rule;
  const lines = [...told, ...moreWords(count, told.length)];
  return [
    `${open}>`,
    `      <${tag} type="${type}" message="${xml(told[0])}">${xml(`${trace.trace}, ${name}`)}`,
    ...lines.map(xml),
    `</${tag}>`,
    '    </testcase>',
  ];
}

const ENTITIES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
};

/**
 * Text that stands in XML, between tags and in attributes. XML 1.0 has no way at all to write most
 * control characters, lone surrogates and U+FFFE: what is harmless has none of the first, and the
 * others are replaced.
 */
function xml(text: string): string {
  return wellFormed(harmless(text))
    .replace(/[\ufffe\uffff]/g, '\ufffd')
    .replace(/[&<>"']/g, (character) => ENTITIES[character]);
}
