import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { describe, expect, test } from 'vitest';
import { RULES } from '../../../src/check/rules.js';
import { type CheckResult, checkResult, traceResult } from '../../../src/corpus/result.js';
import { PROJECT } from '../../support/cli.js';
import { caseOf, HOSTILE_CHECK, MIXED, otherAddress, rendered } from './results.js';

const { $schema, id, ...schema } = JSON.parse(
  readFileSync(join(PROJECT, 'test/fixtures/sarif-2.1.0-rtm.5.json'), 'utf8'),
);
/** The schema is a draft-04 one and has a pattern that is none in Unicode mode. */
const ajv = new Ajv({
  strict: false,
  unicodeRegExp: false,
  allErrors: true,
  formats: {
    uri: (text: string) => URL.canParse(text),
    'uri-reference': (text: string) =>
      /^(?:[\w.~!$&'()*+,;=:@/-]|%[0-9A-F]{2})*$/.test(text) && URL.canParse(text, 'file:///r/'),
    'date-time': true,
  },
});
const validate = ajv.compile(schema);

function sarifOf(result: CheckResult) {
  const log = JSON.parse(rendered('sarif', result));
  validate(log);
  expect(validate.errors).toBeNull();
  return log;
}

const resultsOf = (result: CheckResult) => sarifOf(result).runs[0].results;

/** A check of `cases` cases of as many traces with `differences` differences each. */
function large(cases: number, differences: number): CheckResult {
  const all = Array.from({ length: differences }, (_, n) => otherAddress(n + 2));
  return checkResult(
    Array.from({ length: cases }, (_, n) => traceResult(`t/${n}.csv`, [caseOf('v6.8', all)])),
  );
}

describe('SARIF', () => {
  const results = resultsOf(MIXED);

  test('holds against the schema, whatever names there are', () => {
    const [{ locations, message }] = resultsOf(HOSTILE_CHECK);
    expect(locations[0].physicalLocation.artifactLocation.uri).toMatch(/^traces\/a%5D%5D/);
    expect(message.text).not.toMatch(/\p{Cc}/u);
  });

  test('has a result per difference, at its line', () => {
    expect(
      results.map((each: typeof results) => [
        each.ruleId,
        each.locations[0].physicalLocation.artifactLocation.uri,
        each.locations[0].physicalLocation.region.startLine,
      ]),
    ).toEqual([
      ['address', 'traces/b/trace.csv', 7],
      ['bound', 'traces/b/trace.csv', 1],
      ['pool-full', 'traces/b/trace.csv', 9],
      ['unusable', 'traces/d/trace.csv', 1],
    ]);
  });

  test('names rules that it describes', () => {
    const { rules } = sarifOf(MIXED).runs[0].tool.driver;
    for (const { ruleId, ruleIndex } of results) expect(rules[ruleIndex].id).toBe(ruleId);
    const ids = rules.map((rule: { id: string }) => rule.id);
    expect(ids).toEqual(expect.arrayContaining(Object.keys(RULES)));
    // What code scanning requires of a rule, at most as long as it shows.
    for (const { shortDescription, fullDescription, help } of rules) {
      for (const { text } of [shortDescription, fullDescription, help]) {
        expect(text).toMatch(/^.{1,1000}$/);
      }
    }
  });

  test('has fingerprints that stay when the actual result changes, and tell results apart', () => {
    const fingerprintOf = (actual: string, line = 7): string => {
      const one = traceResult('t.csv', [caseOf('v6.8', [otherAddress(line, actual)])]);
      return resultsOf(checkResult([one]))[0].partialFingerprints['swiotlbReplay/v1'];
    };
    expect(fingerprintOf('0x1')).toBe(fingerprintOf('0x2'));
    expect(fingerprintOf('0x1')).not.toBe(fingerprintOf('0x1', 8));
    const all = resultsOf(large(1, 20)).map(
      (each: typeof results) => each.partialFingerprints['swiotlbReplay/v1'],
    );
    expect(new Set(all).size).toBe(20);
  });

  test('folds a case with many differences', () => {
    const folded = resultsOf(large(1, 1000));
    expect(folded).toHaveLength(25);
    expect(folded[24].message.text).toBe('v6.8: and 976 more differences');
  });

  test('holds no more results than code scanning takes', () => {
    const folded = resultsOf(large(300, 30));
    expect(folded).toHaveLength(5000);
    expect(folded[4999].message.text).toBe('and 2501 more results, the first of them here');
  });
});
