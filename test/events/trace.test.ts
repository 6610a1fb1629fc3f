import { describe, expect, test } from 'vitest';
import { createBatch, isFull } from '../../src/events/batch.js';
import { emptyTraceInfo, logProblem, shorten } from '../../src/events/trace.js';

describe('the log of problems', () => {
  test('counts all and keeps the first ten', () => {
    const { problems } = emptyTraceInfo();
    for (let line = 1; line <= 25; line++) logProblem(problems, line, `message ${line}`, 'text');
    expect(problems.count).toBe(25);
    expect(problems.first.map((problem) => problem.line)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(problems.first[9]).toEqual({ line: 10, message: 'message 10', text: 'text' });
  });

  test('keeps as much of a long text as a reader can take in', () => {
    const { problems } = emptyTraceInfo();
    logProblem(problems, 1, 'exactly', 'x'.repeat(160));
    logProblem(problems, 2, 'longer', 'x'.repeat(161));
    expect(problems.first[0].text).toBe('x'.repeat(160));
    expect(problems.first[1].text).toBe(`${'x'.repeat(160)}...`);
  });

  test('is not shared between traces', () => {
    logProblem(emptyTraceInfo().problems, 1, 'message', 'text');
    expect(emptyTraceInfo().problems).toEqual({ count: 0, first: [] });
  });
});

test('text is cut to a length that may be given', () => {
  expect(shorten('abcdef', 6)).toBe('abcdef');
  expect(shorten('abcdef', 5)).toBe('abcde...');
});

test('a batch is full when its last row is taken', () => {
  const batch = createBatch(2);
  expect(isFull(batch)).toBe(false);
  batch.length = 1;
  expect(isFull(batch)).toBe(false);
  batch.length = 2;
  expect(isFull(batch)).toBe(true);
});
