import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Finding } from '../../src/check/finding.js';
import type { RuleId } from '../../src/check/rules.js';
import { compareFindings, type OneSided, sharesOf } from '../../src/report/findingComparison.js';
import { RELEASE_NAMES, scenarios, traceOf } from '../replay/generating.js';
import { compare } from '../support/comparing.js';
import { replay } from '../support/replaying.js';

const findingAt = (rule: RuleId, line: number): Finding => ({
  rule,
  level: 'error',
  line,
  device: 'net',
  message: `at ${line}`,
  address: undefined,
  related: [],
});

/** Tells a side its findings at lines, as checks would that keep none. */
function tell(
  side: ReturnType<typeof compareFindings>['new'],
  rule: RuleId,
  lines: number[],
): void {
  for (const line of lines) {
    side.observer.onRequest?.({ line } as never);
    side.watch(rule, undefined, () => findingAt(rule, line));
  }
}

const shown = ({ counts, first }: OneSided) => ({
  counts: Object.fromEntries(counts),
  first: first.map(({ rule, line }) => `${rule}@${line}`),
});

/** Findings of `a` that `b` lacks, as many times as it lacks them. */
function onlyIn(a: readonly string[], b: readonly string[]): string[] {
  const left = [...b];
  return a.filter((one) => {
    const at = left.indexOf(one);
    if (at >= 0) left.splice(at, 1);
    return at < 0;
  });
}

describe('findings of two replays', () => {
  it('are matched by rule and line, batch by batch', () => {
    const compared = compareFindings(10);
    tell(compared.new, 'pool-full', [1, 2, 2]);
    tell(compared.old, 'pool-full', [2, 3]);
    tell(compared.new, 'pool-full', [7]);
    tell(compared.old, 'page-alignment', [7]);
    compared.finish();
    expect(shown(compared.appeared)).toEqual({
      counts: { 'pool-full': 3 },
      first: ['pool-full@1', 'pool-full@2', 'pool-full@7'],
    });
    expect(shown(compared.vanished)).toEqual({
      counts: { 'pool-full': 1, 'page-alignment': 1 },
      first: ['pool-full@3', 'page-alignment@7'],
    });
  });

  it('are all counted and the first kept', () => {
    const compared = compareFindings(2);
    const lines = Array.from({ length: 100 }, (_, n) => n + 1);
    tell(compared.new, 'pool-full', lines);
    tell(compared.old, 'page-alignment', lines);
    compared.finish();
    expect(shown(compared.appeared)).toMatchObject({
      counts: { 'pool-full': 100 },
      first: ['pool-full@1', 'pool-full@2'],
    });
    expect(compared.vanished.first).toHaveLength(2);
  });

  it('that both have again and again are no difference, however many are kept', () => {
    const compared = compareFindings(1);
    for (let batch = 0; batch < 30; batch++) {
      const lines = Array.from({ length: 1000 }, (_, n) => batch * 1000 + n);
      tell(compared.new, 'pool-full', lines);
      tell(compared.old, 'pool-full', lines);
    }
    compared.finish();
    expect(compared.appeared.counts.size + compared.vanished.counts.size).toBe(0);
  });

  it('are the same where one side stood for both at first, however many it was', () => {
    const [apart, asOne] = [compareFindings(20_000), compareFindings(20_000)];
    const lines = Array.from({ length: 9_998 }, (_, n) => n + 1);
    tell(apart.new, 'pool-full', lines);
    tell(apart.old, 'pool-full', lines);
    asOne.isOne = true;
    tell(asOne.old, 'pool-full', lines);
    tell(asOne.new, 'pool-full', lines);
    asOne.isOne = false;
    for (const compared of [apart, asOne]) {
      tell(compared.new, 'pool-full', [10_001, 10_002, 10_003]);
      tell(compared.old, 'page-alignment', [10_001]);
      compared.finish();
    }
    expect(asOne.appeared.first).toHaveLength(2);
    expect(shown(asOne.appeared)).toEqual(shown(apart.appeared));
    expect(shown(asOne.vanished)).toEqual(shown(apart.vanished));
  });

  it('are what the two lists of findings have alone', async () => {
    const pairs = fc.tuple(fc.constantFrom(...RELEASE_NAMES), fc.constantFrom(...RELEASE_NAMES));
    await fc.assert(
      fc.asyncProperty(scenarios, pairs, async (scenario, [old, fresh]) => {
        const trace = traceOf(scenario, { allocs: true, releaseAll: false });
        const { findings } = await compare([old, fresh], trace, { keep: 1000 });
        const [before, after] = [
          (await replay(old, trace)).found,
          (await replay(fresh, trace)).found,
        ];
        const listed = ({ first }: OneSided) =>
          first.map(({ rule, line }) => `${rule}@${line}`).sort();
        expect(listed(findings.vanished)).toEqual(onlyIn(before, after).sort());
        expect(listed(findings.appeared)).toEqual(onlyIn(after, before).sort());
      }),
      { numRuns: 60 },
    );
  });
});

describe('a short list of findings', () => {
  it('has some of each rule, in the order of rules, and counts what it leaves out', () => {
    const many = [1, 2, 3, 4].map((line) => findingAt('pool-full', line));
    const counts = new Map<RuleId, number>([
      ['leak', 1],
      ['pool-full', 1400],
      ['page-alignment', 1],
    ]);
    const shares = sharesOf({ counts, first: [...many, findingAt('page-alignment', 9)] }, 3);
    expect(
      shares.map(({ rule, count, shown }) => [rule, count, ...shown.map(({ line }) => line)]),
    ).toEqual([
      ['page-alignment', 1, 9],
      ['pool-full', 1400, 1, 2],
      ['leak', 1],
    ]);
  });
});
