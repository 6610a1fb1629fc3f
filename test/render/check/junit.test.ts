import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { PROJECT } from '../../support/cli.js';
import { HOSTILE_CHECK, MIXED, rendered } from './results.js';

interface Element {
  name: string;
  attributes: Record<string, string>;
  children: Element[];
  text: string;
}

const ENTITIES: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/** The characters that XML 1.0 allows at all. */
const CHARACTERS = /^[\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]*$/u;

function unescaped(text: string): string {
  expect(text).toMatch(/^(?:[^&<]|&(?:amp|lt|gt|quot|apos);)*$/);
  return text.replace(/&(\w+);/g, (_, name) => ENTITIES[name]);
}

/** Parses XML without comments, CDATA and processing instructions, and refuses all that is not well-formed. */
function parseXml(text: string): Element {
  expect(text).toMatch(CHARACTERS);
  expect(text.startsWith('<?xml version="1.0" encoding="UTF-8"?>\n')).toBe(true);
  const tokens = text.slice(text.indexOf('\n') + 1).match(/<[^<>]*>|[^<>]+/g) ?? [];
  const root: Element = { name: '', attributes: {}, children: [], text: '' };
  const open = [root];
  for (const token of tokens) {
    const parent = open[open.length - 1];
    if (!token.startsWith('<')) {
      parent.text += unescaped(token);
    } else if (token.startsWith('</')) {
      expect(token).toBe(`</${parent.name}>`);
      open.pop();
    } else {
      const tag = /^<([\w-]+)((?: [\w-]+="[^"<]*")*)(\/?)>$/.exec(token);
      expect(tag, token).not.toBeNull();
      const [, name, words, end] = tag as RegExpExecArray;
      const pairs = [...words.matchAll(/ ([\w-]+)="([^"]*)"/g)].map(([, key, value]) => [
        key,
        unescaped(value),
      ]);
      const attributes: Record<string, string> = Object.fromEntries(pairs);
      expect(Object.keys(attributes)).toHaveLength(pairs.length);
      const element: Element = { name, attributes, children: [], text: '' };
      parent.children.push(element);
      if (end === '') open.push(element);
    }
  }
  expect(open).toEqual([root]);
  expect(root.children).toHaveLength(1);
  return root.children[0];
}

/**
 * What the schemas of JUnit XML readers agree on (Jenkins' junit-10.xsd, and what GitLab reads): per
 * element the attributes that it needs, those that it may have, its children, and whether it holds text.
 */
const SCHEMA: Record<string, { needs: string[]; may: string[]; holds: string[]; text?: true }> = {
  testsuites: { needs: [], may: ['name', 'tests', 'failures', 'errors'], holds: ['testsuite'] },
  testsuite: {
    needs: ['name', 'tests', 'failures', 'errors'],
    may: ['skipped'],
    holds: ['testcase'],
  },
  testcase: { needs: ['name'], may: ['classname'], holds: ['skipped', 'error', 'failure'] },
  skipped: { needs: [], may: ['message', 'type'], holds: [], text: true },
  failure: { needs: [], may: ['message', 'type'], holds: [], text: true },
  error: { needs: [], may: ['message', 'type'], holds: [], text: true },
};

function hold({ name, attributes, children, text }: Element): void {
  const rule = SCHEMA[name];
  expect(rule, name).toBeDefined();
  expect(Object.keys(attributes)).toEqual(expect.arrayContaining(rule.needs));
  expect([...rule.needs, ...rule.may]).toEqual(expect.arrayContaining(Object.keys(attributes)));
  expect(rule.holds).toEqual(expect.arrayContaining(children.map((child) => child.name)));
  if (rule.text === undefined) expect(text.trim()).toBe('');
  for (const child of children) hold(child);
}

describe('JUnit XML', () => {
  const root = parseXml(rendered('junit', MIXED));

  test.each([MIXED, HOSTILE_CHECK])('is well-formed and as its readers want it', (check) => {
    const document = parseXml(rendered('junit', check));
    expect(document.name).toBe('testsuites');
    hold(document);
  });

  test('has a suite per trace and a test case per case', () => {
    const suites = root.children.map(({ attributes, children }) => [
      attributes.name,
      ...children.map((child) => [child.attributes.name, child.children[0]?.name ?? 'passed']),
    ]);
    expect(suites).toEqual([
      ['traces/a/trace.csv', ['v6.8', 'passed'], ['v6.9', 'passed']],
      ['traces/b/trace.csv', ['v6.8', 'passed'], ['v6.9', 'failure']],
      ['traces/c/trace.csv', ['expectations', 'skipped']],
      ['traces/d/trace.csv', ['expectations', 'error']],
    ]);
  });

  test('counts what it holds', () => {
    expect(root.attributes).toMatchObject({ tests: '6', failures: '1', errors: '1' });
    const counts = root.children.map(({ attributes: { tests, failures, errors, skipped } }) =>
      [tests, failures, errors, skipped].join(' '),
    );
    expect(counts).toEqual(['2 0 0 0', '2 1 0 0', '1 0 0 1', '1 0 1 0']);
  });

  test('says in a failure what differs', () => {
    const [failure] = root.children[1].children[1].children;
    expect(failure.attributes.message).toBe(
      'line 7: address: expected 0x80000800, actual 0x80001000',
    );
    expect(failure.text).toContain('bound: expected failed <= 0, actual failed is 1');
  });

  const hasXmllint = spawnSync('xmllint', ['--version']).error === undefined;
  test.skipIf(!hasXmllint).each([MIXED, HOSTILE_CHECK])(
    'holds against a published schema (skipped where xmllint is not installed)',
    (check) => {
      // Since that schema was written readers take a message of a skipped test too.
      const input = rendered('junit', check).replace(/<skipped message="[^"]*"\/>/g, '<skipped/>');
      const schema = join(PROJECT, 'test/fixtures/junit-4.xsd');
      const args = ['--noout', '--schema', schema, '-'];
      const { status, stderr } = spawnSync('xmllint', args, { input, encoding: 'utf8' });
      expect(stderr).toBe('- validates\n');
      expect(status).toBe(0);
    },
  );
});
