import { describe, expect, test } from 'vitest';
import { HOSTILE_CHECK, MIXED, rendered } from './results.js';

/** A test of a KTAP document. */
interface KtapTest {
  ok: boolean;
  description: string;
  directive: string | undefined;
  diagnostics: string[];
  subtests: KtapTest[];
}

const RESULT =
  /^(not )?ok (\d+)(?: ([^#]*?))?(?: # (?:(SKIP|TODO|XFAIL|TIMEOUT|ERROR)\b ?)?(.*))?$/;

/**
 * Parses a document by the grammar of the kernel's Documentation/dev-tools/ktap.rst, more strictly than
 * its readers do: no unknown lines, plans kept, numbers in order, subtests before their parent's result.
 */
function parseKtap(text: string): KtapTest[] {
  expect(text.endsWith('\n')).toBe(true);
  const lines = text.slice(0, -1).split('\n');
  const tests = parseLevel(lines, '');
  expect(lines).toEqual([]);
  return tests;
}

function parseLevel(lines: string[], indent: string): KtapTest[] {
  expect(lines.shift()).toBe(`${indent}KTAP version 1`);
  const planned = Number(new RegExp(`^${indent}1\\.\\.(\\d+)$`).exec(lines.shift() ?? '')?.[1]);
  const tests: KtapTest[] = [];
  while (tests.length < planned) {
    const diagnostics: string[] = [];
    const subtests = lines[0].startsWith(`${indent}  KTAP`) ? parseLevel(lines, `${indent}  `) : [];
    while (lines[0]?.startsWith(`${indent}# `)) diagnostics.push(lines.shift() ?? '');
    const line = lines.shift() ?? '';
    expect(line.startsWith(indent)).toBe(true);
    const result = RESULT.exec(line.slice(indent.length));
    expect(result, line).not.toBeNull();
    const [, not, number, description = '', directive] = result as RegExpExecArray;
    expect(Number(number)).toBe(tests.length + 1);
    tests.push({ ok: not === undefined, description, directive, diagnostics, subtests });
  }
  return tests;
}

describe('KTAP', () => {
  const tests = parseKtap(rendered('ktap', MIXED));

  test('has a test per trace and in it one per case', () => {
    expect(tests.map(({ description, subtests }) => [description, subtests.length])).toEqual([
      ['traces/a/trace.csv', 2],
      ['traces/b/trace.csv', 2],
      ['traces/c/trace.csv', 0],
      ['traces/d/trace.csv', 0],
    ]);
  });

  test('fails what fails, and its parent', () => {
    expect(tests.map(({ ok }) => ok)).toEqual([true, false, true, false]);
    expect(tests[1].subtests.map(({ ok }) => ok)).toEqual([true, false]);
  });

  test('says with directives what was not checked', () => {
    expect(tests.map(({ directive }) => directive)).toEqual([
      undefined,
      undefined,
      'SKIP',
      'ERROR',
    ]);
  });

  test('tells what differs before the result', () => {
    expect(tests[1].subtests[1].diagnostics[0]).toBe(
      '  # line 7: address: expected 0x80000800, actual 0x80001000',
    );
  });

  test('lets no text become a result, a directive or a line', () => {
    const hostile = parseKtap(rendered('ktap', HOSTILE_CHECK));
    expect(hostile.map(({ ok }) => ok)).toEqual([false, false, true]);
    expect(hostile.map(({ directive }) => directive)).toEqual([undefined, 'ERROR', 'SKIP']);
    expect(hostile[0].subtests).toHaveLength(1);
  });
});
