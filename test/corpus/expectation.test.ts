import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BOUND_HELP, parseBound } from '../../src/corpus/bounds.js';
import { differencesOf } from '../../src/corpus/compare.js';
import { caseName, type ExpectedCase } from '../../src/corpus/expectation.js';
import type { Observation } from '../../src/corpus/observation.js';
import { parseExpectation } from '../../src/corpus/reading.js';
import { inShard, parseShard } from '../../src/corpus/shard.js';
import { newCase, sortedCases, updatedCase } from '../../src/corpus/update.js';
import { expectationText } from '../../src/corpus/writing.js';
import { observation } from './observing.js';

const EXPECTED: ExpectedCase = {
  kernel: 'v6.8',
  options: { pageSize: 4096, devices: ['nvme*:min_align_mask=0xfff'] },
  bounds: ['failed <= 0'],
  findings: [{ rule: 'page-alignment', line: 3 }],
  addresses: [
    { line: 3, address: '0x80000800' },
    { line: 4, address: 'failed: fragmented' },
  ],
};

describe('an expectation file', () => {
  test('is read as it was written, and written again the same', () => {
    const text = expectationText([EXPECTED]);
    const { cases } = parseExpectation('t.expect.json', text);
    expect(cases).toEqual([EXPECTED]);
    expect(expectationText(cases)).toBe(text);
  });

  test('has a line per finding and address', () => {
    const lines = expectationText([EXPECTED]).split('\n');
    expect(lines).toContain('        { "line": 3, "address": "0x80000800" },');
    expect(lines).toContain('        { "rule": "page-alignment", "line": 3 }');
  });

  test.each<[string, unknown, string]>([
    ['another schema', { schema: 'x@1', cases: [] }, 'schema: is "x@1"'],
    ['no cases', { cases: [] }, 'cases: has no case'],
    ['a case without a kernel', { cases: [{}] }, 'cases[0]: has no kernel'],
    [
      'an unknown member',
      { cases: [{ kernel: 'v6.8', adresses: [] }] },
      '"adresses" means nothing',
    ],
    [
      'an unknown rule',
      { cases: [{ kernel: 'v6.8', findings: [{ rule: 'leaks', line: 1 }] }] },
      'entry 1, {"rule":"leaks","line":1}: rule "leaks": is no rule',
    ],
    ['no bound', { cases: [{ kernel: 'v6.8', bounds: ['failed'] }] }, BOUND_HELP],
    [
      'an address that is none',
      { cases: [{ kernel: 'v6.8', addresses: [{ line: 1, address: '0xAB' }] }] },
      'address "0xAB": is no result',
    ],
    [
      'an absolute path',
      { cases: [{ kernel: 'v6.8', options: { dmesg: '/var/log/dmesg' } }] },
      "is not relative to the trace's folder",
    ],
    [
      'a case twice',
      { cases: [{ kernel: 'v6.8' }, { kernel: 'v6.8' }] },
      'cases[1]: is "v6.8" once',
    ],
  ])('with %s is refused with the place', (_, data, message) => {
    const text = JSON.stringify({ schema: 'swiotlb-replay/expect@1', ...(data as object) });
    expect(() => parseExpectation('t.expect.json', text)).toThrow(message);
    expect(() => parseExpectation('t.expect.json', text)).toThrow(/^t\.expect\.json: /);
  });

  test.each([
    ['{\n  "schema": 1\n  "cases": []\n}', ' line 3: is no JSON'],
    ['{\n  "schema":,\n}', ' is no JSON: Unexpected token \',\', "{ "schema":,'],
  ])('that is no JSON is refused with its place: %j', (text, message) => {
    expect(() => parseExpectation('x', text)).toThrow(message);
  });

  test('never brings the reader down', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(() => parseExpectation('x', text)).toThrow(/^x: /);
      }),
    );
  });
});

test('a case is named by what sets it apart', () => {
  expect(caseName(EXPECTED)).toBe('v6.8 --page-size=4096 --device=nvme*:min_align_mask=0xfff');
  expect(caseName({ kernel: 'v6.9' })).toBe('v6.9');
});

describe('a comparison', () => {
  const asExpected: Observation = observation({
    findings: [{ rule: 'page-alignment', line: 3, device: 'sda', message: 'is off' }],
    list: EXPECTED.addresses ?? [],
  });

  test('finds nothing where all is as expected', () => {
    expect(differencesOf(EXPECTED, asExpected)).toEqual([]);
  });

  test('finds only what the case tells', () => {
    expect(differencesOf({ kernel: 'v6.8' }, asExpected)).toEqual([]);
  });

  test('tells another address with line, expected and actual', () => {
    const addresses = [{ line: 3, address: '0x80001000' }, asExpected.addresses.list[1]];
    expect(differencesOf({ ...EXPECTED, addresses }, asExpected)).toEqual([
      { rule: 'address', line: 3, expected: '0x80001000', actual: '0x80000800' },
    ]);
  });

  test('tells requests that one of both does not have, and no more than those', () => {
    const list = [
      { line: 2, address: '0x1000' },
      { line: 3, address: '0x80000800' },
    ];
    expect(differencesOf(EXPECTED, observation({ ...asExpected, list }))).toEqual([
      { rule: 'address', line: 2, expected: 'no request', actual: '0x1000' },
      { rule: 'address', line: 4, expected: 'failed: fragmented', actual: 'no request' },
    ]);
  });

  test('tells findings that vanish, appear, or are other in number', () => {
    const findings = [
      { rule: 'page-alignment', line: 3, count: 2 },
      { rule: 'leak', line: 9 },
    ] as const;
    const expected = { kernel: 'v6.8', findings: [...findings] };
    const observed = observation({
      findings: [
        { rule: 'page-alignment', line: 3, device: 'sda', message: 'is off' },
        { rule: 'pool-full', line: 4, device: 'sdb', message: 'is full' },
      ],
    });
    expect(differencesOf(expected, observed)).toEqual([
      {
        rule: 'page-alignment',
        line: 3,
        expected: '2 findings',
        actual: 'a finding: sda: is off',
      },
      { rule: 'pool-full', line: 4, expected: 'none', actual: 'a finding: sdb: is full' },
      { rule: 'leak', line: 9, expected: 'a finding', actual: 'none' },
    ]);
  });

  test('tells the block of requests that differs', () => {
    const block = (line: number, digit: string) => ({
      line,
      count: 4096,
      digest: digit.repeat(32),
    });
    const expected = { kernel: 'v6.8', addressBlocks: [block(2, 'a'), block(5000, 'b')] };
    const observed = observation({ blocks: [block(2, 'a'), block(5000, 'c')] });
    expect(differencesOf(expected, observed)).toMatchObject([{ rule: 'address', line: 5000 }]);
  });

  test.each([
    [undefined, ['2 events missing'], '2 events missing'],
    [true as const, [], 'nothing shows that events are missing'],
  ])('tells a trace that is not as complete as expected (%s)', (incomplete, losses, actual) => {
    const expected = { kernel: 'v6.8', ...(incomplete && { incomplete }) };
    expect(differencesOf(expected, observation({ losses }))).toMatchObject([
      { rule: 'incomplete', actual },
    ]);
    expect(
      differencesOf({ kernel: 'v6.8', incomplete: true }, observation({ losses: ['x'] })),
    ).toEqual([]);
  });
});

describe('a bound', () => {
  test.each([
    ['failed <= 2', 2, true],
    ['failed <= 2', 3, false],
    ['failed < 2', 2, false],
    ['failed>=2', 2, true],
    ['failed > 2', 2, false],
    ['failed == 2', 3, false],
  ])('%s for %i is %s', (text, value, holds) => {
    expect(parseBound(text)?.holds(value)).toBe(holds);
  });

  test.each(['failed', 'failed <= x', 'toString <= 1', 'failed <= 1 or so', 'failed =< 1'])(
    'is not %s',
    (text) => {
      expect(parseBound(text)).toBeUndefined();
    },
  );

  test('that does not hold is told with the value', () => {
    const expected = { kernel: 'v6.8', bounds: ['usedHiwater <= 4096'] };
    const { measures } = observation({});
    const observed = observation({ measures: { ...measures, usedHiwater: 5000 } });
    expect(differencesOf(expected, observed)).toEqual([
      { rule: 'bound', line: null, expected: 'usedHiwater <= 4096', actual: 'usedHiwater is 5000' },
    ]);
  });
});

describe('an update', () => {
  const observed = observation({
    losses: ['cut'],
    findings: [{ rule: 'leak', line: 2, device: 'sda', message: 'leaks' }],
    list: [{ line: 2, address: '0x1000' }],
  });

  test('keeps bounds and options, and leaves out what was left out', () => {
    const { bounds, options } = EXPECTED as Required<ExpectedCase>;
    expect(updatedCase({ kernel: 'v6.8', options, bounds, findings: [] }, observed)).toEqual({
      kernel: 'v6.8',
      options,
      bounds,
      incomplete: true,
      findings: [{ rule: 'leak', line: 2 }],
    });
  });

  test('lists the addresses of short traces, and digests of long ones', () => {
    const blocks = [{ line: 2, count: 300, digest: 'a'.repeat(32) }];
    expect(updatedCase(newCase('v6.8'), observed).addresses).toHaveLength(1);
    const long = updatedCase(newCase('v6.8'), observation({ count: 300, blocks }));
    expect(long.addresses).toBeUndefined();
    expect(long.addressBlocks).toEqual(blocks);
  });

  test('sorts cases from old to new releases, stable and patched ones among them', () => {
    const sorted = ['v5.10', 'v6.6.0', '6.6.23', 'v6.8', 'v6.8+04867a7a', 'v6.8+14cebf68', 'v6.12'];
    const cases = [...sorted, 'recorded'].reverse().map(newCase);
    expect(sortedCases(cases).map(({ kernel }) => kernel)).toEqual([...sorted, 'recorded']);
  });
});

describe('shards', () => {
  test('have every item once between them, in order, and are of equal size', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 50 }), fc.integer({ min: 1, max: 9 }), (length, of) => {
        const items = Array.from({ length }, (_, n) => n);
        const shards = Array.from({ length: of }, (_, n) => inShard(items, { index: n + 1, of }));
        expect(shards.flat().sort((a, b) => a - b)).toEqual(items);
        const sizes = shards.map((shard) => shard.length);
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
      }),
    );
  });

  test.each(['0/4', '5/4', '1', '1/0', 'a/b', '-1/2'])('are not %s', (text) => {
    expect(parseShard(text)).toBeUndefined();
  });
});
