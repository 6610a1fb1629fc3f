import { describe, expect, test } from 'vitest';
import type { ExpectedCase, FindingEntry } from '../../src/corpus/expectation.js';
import type { Observation } from '../../src/corpus/observation.js';
import { casesFor, type StandIn, standInDifferences } from '../../src/corpus/standIn.js';

const STAND_IN: StandIn = { kernel: 'mine', against: undefined, isExact: false };

function observed(findings: FindingEntry[], measures: Partial<Observation['measures']> = {}) {
  return {
    kernel: 'mine',
    losses: [],
    findings: findings.map((entry) => ({ ...entry, device: 'sda', message: 'm' })),
    addresses: { count: 0, list: [], blocks: [] },
    measures: measures as Observation['measures'],
  } satisfies Observation;
}

function differences(findings: FindingEntry[], seen: FindingEntry[]): string[] {
  const held: ExpectedCase = { kernel: 'v6.9', findings };
  return standInDifferences(STAND_IN, held, observed(seen)).map(
    ({ rule, line, expected }) => `${rule}@${line}, expected ${expected}`,
  );
}

describe('the cases that a kernel is held against', () => {
  const kernels = (against: string | undefined, ...names: string[]): string[] =>
    casesFor(
      { ...STAND_IN, against },
      names.map((kernel) => ({ kernel })),
    ).map(({ kernel }) => kernel);

  test('are those of the newest', () => {
    expect(kernels(undefined, 'v6.10', 'v6.9', 'v6.8')).toEqual(['v6.10']);
    expect(kernels(undefined, 'v6.1.192', 'v6.9')).toEqual(['v6.9']);
    expect(kernels(undefined, 'v6.8+will-v1', 'v6.8')).toEqual(['v6.8+will-v1']);
    expect(kernels(undefined, '6.12.31', 'v6.12')).toEqual(['6.12.31']);
    expect(kernels(undefined, 'latest', 'v7.2')).toEqual(['latest']);
  });

  test('are those of a release that is named', () => {
    expect(kernels('v6.8', 'v6.9', 'v6.8')).toEqual(['v6.8']);
    expect(kernels('v6.8', 'v6.9')).toEqual([]);
  });

  test('are one for each set of options', () => {
    const options = { pageSize: 16384 };
    const cases = [{ kernel: 'v6.8' }, { kernel: 'v6.9', options }, { kernel: 'v6.8', options }];
    expect(casesFor(STAND_IN, cases)).toEqual([cases[0], cases[1]]);
  });
});

describe('a kernel does worse than another', () => {
  test('by a finding that the other has not, on its line', () => {
    const one: FindingEntry = { rule: 'pool-full', line: 4 };
    expect(differences([one], [one])).toEqual([]);
    expect(differences([], [one])).toEqual(['pool-full@4, expected none']);
    expect(differences([{ ...one, line: 5 }], [one])).toEqual(['pool-full@4, expected none']);
  });

  test('by more of them', () => {
    const one: FindingEntry = { rule: 'double-allocated-page', line: 4 };
    expect(differences([one], [{ ...one, count: 2 }])).toEqual([
      'double-allocated-page@4, expected a finding',
    ]);
    expect(differences([{ ...one, count: 2 }], [one])).toEqual([]);
  });

  test('not by having none where the other has some, nor by notes', () => {
    expect(differences([{ rule: 'pool-full', line: 4 }], [])).toEqual([]);
    expect(differences([], [{ rule: 'leak', line: 4 }])).toEqual([]);
  });

  test('by their number where they are too many to list', () => {
    const many: FindingEntry = { rule: 'pool-full', line: 4, count: 150, folded: true };
    expect(differences([many], [{ ...many, line: 9, count: 120 }])).toEqual([]);
    expect(differences([many], [{ ...many, count: 151 }])).toEqual([
      'pool-full@4, expected 150 findings, the first here',
    ]);
    const few = Array.from(
      { length: 100 },
      (_, n) => ({ rule: 'pool-full', line: n + 1 }) as const,
    );
    expect(differences([many], few)).toEqual([]);
    expect(differences(few, [many])).toHaveLength(1);
  });

  test('by breaking a bound, unless it tells which kernel it was', () => {
    const held = {
      kernel: 'v6.9',
      bounds: ['failed <= 0', 'mismatches <= 0', 'slotsSearched <= 9'],
    };
    const seen = observed([], { failed: 1, mismatches: 3, slotsSearched: 10 });
    const exact = standInDifferences({ ...STAND_IN, isExact: true }, held, seen);
    expect(standInDifferences(STAND_IN, held, seen)).toEqual([exact[0]]);
    expect(exact).toHaveLength(3);
  });
});
