import { EXPECT_SCHEMA, type Expectation, type ExpectedCase } from './expectation.js';

/** Members of a case in the order in which they are written. */
const CASE_MEMBERS = [
  'kernel',
  'options',
  'incomplete',
  'bounds',
  'findings',
  'addresses',
  'addressBlocks',
] as const satisfies readonly (keyof ExpectedCase)[];

/**
 * An expectation file's text: always the same for the same expectation, and one line per finding and
 * address, so that a review sees what changed and nothing else.
 */
export function expectationText(cases: readonly ExpectedCase[]): string {
  const ordered = cases.map((each) =>
    Object.fromEntries(
      CASE_MEMBERS.flatMap((name) => (each[name] === undefined ? [] : [[name, each[name]]])),
    ),
  );
  const expectation = { schema: EXPECT_SCHEMA, cases: ordered } satisfies Record<
    keyof Expectation,
    unknown
  >;
  return `${json(expectation, '')}\n`;
}

/** JSON in which what holds only plain values stands on one line. */
function json(value: unknown, indent: string): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const isList = Array.isArray(value);
  const members = isList
    ? value.map((item) => ['', item] as const)
    : Object.entries(value).map(([key, item]) => [`${JSON.stringify(key)}: `, item] as const);
  const [open, close] = isList ? ['[', ']'] : ['{', '}'];
  if (members.length === 0) return open + close;
  const isFlat = members.every(([, item]) => typeof item !== 'object' || item === null);
  if (isFlat) {
    const pad = isList ? '' : ' ';
    const words = members.map(([key, item]) => key + JSON.stringify(item)).join(', ');
    return open + pad + words + pad + close;
  }
  const inner = `${indent}  `;
  const lines = members.map(([key, item]) => `${inner}${key}${json(item, inner)}`);
  return `${open}\n${lines.join(',\n')}\n${indent}${close}`;
}
