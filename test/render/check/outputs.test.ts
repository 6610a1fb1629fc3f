import { describe, expect, test } from 'vitest';
import { checkResult, traceResult } from '../../../src/corpus/result.js';
import { CHECK_RENDERERS } from '../../../src/render/check/table.js';
import { caseOf, HOSTILE_CHECK, MIXED, otherAddress, rendered } from './results.js';

describe.each(CHECK_RENDERERS.map(({ name }) => name))('the output %s', (name) => {
  test('shows control and format characters instead of passing them on', () => {
    expect(rendered(name, HOSTILE_CHECK)).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}]/u);
  });

  test('names trace, line, expected and actual of what differs', () => {
    const text = rendered(name, MIXED);
    for (const word of ['traces/b/trace.csv', '7', '0x80000800', '0x80001000']) {
      expect(text).toContain(word);
    }
  });

  test('is the same every time', () => {
    expect(rendered(name, MIXED)).toBe(rendered(name, structuredClone(MIXED)));
  });
});

describe('text', () => {
  test('tells what is not as expected, and counts', () => {
    expect(rendered('text', MIXED)).toBe(
      [
        'DIFFERS  traces/b/trace.csv  v6.9',
        '  line 7: address: expected 0x80000800, actual 0x80001000',
        '  bound: expected failed <= 0, actual failed is 1',
        '  line 9: pool-full: expected none, actual a finding: sda: no slots',
        'SKIPPED  traces/c/trace.csv: no .expect.json file beside it',
        'ERROR    traces/d/trace.csv',
        '  cases: has no case',
        '3 of 4 cases as expected, 1 differs, 1 could not be checked, 1 trace without expectations',
        '',
      ].join('\n'),
    );
  });

  test('says how much it leaves out', () => {
    const all = Array.from({ length: 12 }, (_, n) => otherAddress(n + 1));
    const text = rendered('text', checkResult([traceResult('t', [caseOf('v6.8', all, 1500)])]));
    expect(text).toContain('  and 1490 more differences\n');
  });
});

describe('GitHub annotations', () => {
  /** A workflow command as the runner reads it: a line that begins with ::. */
  const COMMAND = /^::(\w+) ((?:\w+=[^,:\r\n]*)(?:,\w+=[^,:\r\n]*)*)::([^\r\n]*)$/;
  const commandsOf = (text: string) =>
    text
      .split('\n')
      .filter((line) => line.trimStart().startsWith('::'))
      .map((line) => {
        const [, name, words, message] = COMMAND.exec(line) ?? [];
        const pairs = words.split(',').map((word) => word.split('=', 2));
        return { name, message, properties: Object.fromEntries(pairs) };
      });

  test('stand at the first line that differs', () => {
    const [first, second, notice] = commandsOf(rendered('github', MIXED));
    expect(first).toMatchObject({
      name: 'error',
      properties: { file: 'traces/b/trace.csv', line: '7', title: 'v6.9%3A address' },
    });
    expect(first.message).toContain('%0Aline 7: address: expected 0x80000800, actual 0x80001000');
    expect(second.properties.line).toBeUndefined();
    expect(notice).toMatchObject({ name: 'notice' });
    expect(notice.message).toContain('traces/c/trace.csv');
  });

  test('are no more for hostile names', () => {
    const commands = commandsOf(rendered('github', HOSTILE_CHECK));
    expect(commands.map(({ name }) => name)).toEqual(['error', 'error', 'notice']);
    expect(rendered('github', HOSTILE_CHECK).split('\n')).toHaveLength(5);
  });

  test('are no more than a step may have', () => {
    const traces = Array.from({ length: 30 }, (_, n) =>
      traceResult(`t/${n}.csv`, [caseOf('v6.8', [otherAddress(2)])]),
    );
    const commands = commandsOf(rendered('github', checkResult(traces)));
    expect(commands).toHaveLength(10);
    expect(commands[9].message).toMatch(/^21 more cases differ, such as%0At\/9\.csv, v6\.8/);
  });
});

describe('Markdown', () => {
  test('has a table of the traces and a list of what differs', () => {
    const lines = rendered('markdown', MIXED).split('\n');
    expect(lines).toContain('- line 7: address: expected 0x80000800, actual 0x80001000');
    expect(lines).toContain('| traces/a/trace.csv | v6.8, v6.9 | as expected |');
  });

  test('shows markup, mentions and links of names as text', () => {
    const text = rendered('markdown', HOSTILE_CHECK);
    expect(text).not.toMatch(/[`<>@[\]]|:\/\/|www\.|\*\*i| #1/);
    const rows = text.split('\n').filter((line) => line.startsWith('|'));
    for (const row of rows) expect(row.match(/\|/g)).toHaveLength(4);
  });
});

describe('JSON lines', () => {
  test('have an object per trace, and the sum', () => {
    const objects = rendered('jsonl', MIXED)
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(objects.slice(0, -1)).toEqual(MIXED.traces);
    expect(objects.at(-1)).toEqual({ schema: MIXED.schema, summary: MIXED.summary });
    expect(MIXED.summary).toEqual({
      traces: 4,
      cases: 4,
      passed: 3,
      failed: 1,
      error: 1,
      skipped: 1,
    });
  });
});
