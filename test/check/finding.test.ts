import { describe, expect, it } from 'vitest';
import {
  addFinding,
  countLevel,
  createFindingLog,
  KEPT_PER_RULE,
} from '../../src/check/finding.js';
import { RULES, type RuleId } from '../../src/check/rules.js';

const finding = (line: number) => ({
  line,
  device: 'net',
  message: '',
  address: undefined,
  related: [],
});

describe('the log of findings', () => {
  it('counts all, keeps the first of each rule, and describes no other', () => {
    const log = createFindingLog();
    let described = 0;
    for (let line = 1; line <= KEPT_PER_RULE + 50; line++) {
      addFinding(log, 'leak', () => {
        described++;
        return finding(line);
      });
    }
    addFinding(log, 'pool-full', () => finding(1));
    expect(log.counts.get('leak')).toBe(KEPT_PER_RULE + 50);
    expect(log.kept).toHaveLength(KEPT_PER_RULE + 1);
    expect(described).toBe(KEPT_PER_RULE);
    expect(log.kept.at(-1)).toMatchObject({ rule: 'pool-full', level: 'error' });
  });

  it('counts by level what it counts by rule', () => {
    const log = createFindingLog();
    const rules: RuleId[] = ['leak', 'leak', 'natural-alignment', 'pool-full', 'double-unmap'];
    for (const rule of rules) addFinding(log, rule, () => finding(1));
    expect(countLevel(log.counts, 'error')).toBe(2);
    expect(countLevel(log.counts, 'warning')).toBe(1);
    expect(countLevel(log.counts, 'note')).toBe(2);
  });
});

describe('the table of rules', () => {
  /** The levels that the contract promises; every other rule is an error. */
  const milder: Record<string, string> = {
    'natural-alignment': 'warning',
    'size-mismatch': 'warning',
    'dir-mismatch': 'warning',
    'granule-exposure': 'warning',
    'double-copy': 'warning',
    leak: 'note',
  };

  it.each(Object.entries(RULES))('gives %s its level and a summary', (id, { level, summary }) => {
    expect(level).toBe(milder[id] ?? 'error');
    expect(summary).not.toBe('');
  });
});
