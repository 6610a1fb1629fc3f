import { type FinalResults, Parser } from 'tap-parser';
import { describe, expect, test } from 'vitest';
import { checkResult, traceResult } from '../../../src/corpus/result.js';
import { caseOf, HOSTILE_CHECK, MIXED, rendered } from './results.js';

/** What tap-parser, which has nothing to do with us, makes of a document. */
interface Read {
  tests: { ok: boolean; name: string; skip: string | boolean; id: number }[];
  results: FinalResults;
}

/** KTAP is TAP whose outermost tests any parser knows; what is nested is not TAP to them. */
function read(text: string): Read {
  const tests: Read['tests'] = [];
  const finals: FinalResults[] = [];
  const parser = new Parser();
  parser.on('assert', ({ ok, name, skip, id }) => tests.push({ ok, name, skip, id }));
  parser.on('complete', (results) => finals.push(results));
  parser.end(text);
  expect(finals).toHaveLength(1);
  // A plan that is not kept and numbers out of order are failures with an error of the protocol.
  expect(finals[0].failures.filter(({ tapError }) => tapError)).toEqual([]);
  expect(finals[0].bailout).toBe(false);
  return { tests, results: finals[0] };
}

/** Documents nested in a document, one per outer test that has some, without their indentation. */
function nested(text: string): string[] {
  const blocks = text.match(/(?:^ {2}.*\n)+/gm) ?? [];
  return blocks.map((block) => block.replace(/^ {2}/gm, ''));
}

describe('to a parser of another project, KTAP', () => {
  test('has a plan that is kept and the results that the check has', () => {
    const { tests, results } = read(rendered('ktap', MIXED));
    expect(results).toMatchObject({ ok: false, count: 4, pass: 2, fail: 2, skip: 1, todo: 0 });
    expect(results.plan).toMatchObject({ start: 1, end: 4 });
    expect(tests.map(({ ok, name, skip }) => [ok, name.split(' ')[0], skip])).toEqual([
      [true, 'traces/a/trace.csv', false],
      [false, 'traces/b/trace.csv', false],
      [true, 'traces/c/trace.csv', 'no .expect.json file beside it'],
      [false, 'traces/d/trace.csv', false],
    ]);
  });

  test('has as much in what is nested', () => {
    const [a, b, ...others] = nested(rendered('ktap', MIXED)).map(read);
    expect(others).toEqual([]);
    expect(a.results).toMatchObject({ ok: true, count: 2, pass: 2 });
    expect(b.results).toMatchObject({ ok: false, count: 2, pass: 1, fail: 1 });
    expect(b.tests.map(({ name }) => name)).toEqual(['v6.8', 'v6.9']);
  });

  test('passes where all is as expected', () => {
    const check = checkResult([traceResult('a.csv', [caseOf('v6.8')])]);
    expect(read(rendered('ktap', check)).results).toMatchObject({ ok: true, count: 1, pass: 1 });
  });

  test('gets no results out of hostile names', () => {
    const text = rendered('ktap', HOSTILE_CHECK);
    expect(read(text).results).toMatchObject({ count: 3, pass: 1, fail: 2, skip: 1, todo: 0 });
    expect(nested(text).map((each) => read(each).results.count)).toEqual([1]);
  });
});
