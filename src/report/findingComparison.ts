import type { Finding, FindingWatch } from '../check/finding.js';
import { RULES, type RuleId } from '../check/rules.js';
import type { Observer } from '../replay/outcome.js';

/** Findings that only one of two replays has. */
export interface OneSided {
  /** All of them, by rule. */
  counts: Map<RuleId, number>;
  /** The first of each rule, in the order of the trace. */
  first: Finding[];
}

/** The findings of two replays of one trace, matched by rule and event. The new side is replayed first, batch by batch. */
export interface FindingComparison {
  /** Only the new side has them. */
  appeared: OneSided;
  /** Only the old side has them. */
  vanished: OneSided;
  /** To be told the findings of a side; its observer has to stand before the checks. */
  new: { observer: Observer; watch: FindingWatch };
  old: { observer: Observer; watch: FindingWatch };
  /** As long as it is set the old side stands for both, and what is found on the new one is the same. */
  isOne: boolean;
  /** To be called after both have come to their end. */
  finish(): void;
}

/** Findings of a rule that are described although they may turn out to be on both sides. */
const MOST_DESCRIBED = 10_000;

/** Findings that the new side has at one event and for one rule, and the old side has not shown yet. */
interface Waiting {
  rule: RuleId;
  count: number;
  /** Described ones, the last first to go. */
  findings: Finding[];
}

/**
 * Compares findings as they come, in memory that does not grow with the trace.
 * @param keep findings of a rule that are kept on each side
 */
export function compareFindings(keep: number): FindingComparison {
  const waiting = new Map<string, Waiting>();
  const described = new Map<RuleId, number>();
  const appeared = createOneSided();
  const vanished = createOneSided();
  let newLine = 0;
  let oldLine = 0;
  let isOldAhead = false;

  function tellNew(rule: RuleId, kept: Finding | undefined, describe: () => Finding): void {
    if (comparison.isOne) {
      // It will not be shown, but counts among those that might have been.
      if (kept === undefined) isWorthIt(rule);
      return;
    }
    const finding = kept ?? (isWorthIt(rule) ? describe() : undefined);
    const key = keyOf(rule, newLine, kept);
    const entry = waiting.get(key) ?? { rule, count: 0, findings: [] };
    entry.count++;
    if (finding !== undefined) entry.findings.push(finding);
    waiting.set(key, entry);
  }

  function isWorthIt(rule: RuleId): boolean {
    const count = described.get(rule) ?? 0;
    if ((appeared.counts.get(rule) ?? 0) >= keep || count >= MOST_DESCRIBED) return false;
    described.set(rule, count + 1);
    return true;
  }

  function tellOld(rule: RuleId, kept: Finding | undefined, describe: () => Finding): void {
    if (comparison.isOne) return;
    const key = keyOf(rule, oldLine, kept);
    const entry = waiting.get(key);
    if (entry === undefined) {
      add(vanished, rule, () => kept ?? describe());
      return;
    }
    entry.count--;
    if (entry.findings.length > entry.count) entry.findings.pop();
    if (entry.count === 0) waiting.delete(key);
  }

  /** What the new side has left when it goes on with the next batch, the old side has not. */
  function settle(): void {
    for (const { rule, count, findings } of waiting.values()) {
      for (let n = 0; n < count; n++) add(appeared, rule, () => findings[n]);
    }
    waiting.clear();
  }

  function add(side: OneSided, rule: RuleId, finding: () => Finding | undefined): void {
    const count = (side.counts.get(rule) ?? 0) + 1;
    side.counts.set(rule, count);
    const kept = count <= keep ? finding() : undefined;
    if (kept !== undefined) side.first.push(kept);
  }

  function newAt(line: number): void {
    if (isOldAhead) settle();
    isOldAhead = false;
    newLine = line;
  }

  function oldAt(line: number): void {
    isOldAhead = true;
    oldLine = line;
  }

  const comparison: FindingComparison = {
    appeared,
    vanished,
    isOne: false,
    new: { observer: observerOf(newAt), watch: tellNew },
    old: { observer: observerOf(oldAt), watch: tellOld },
    finish: settle,
  };
  return comparison;
}

function createOneSided(): OneSided {
  return { counts: new Map(), first: [] };
}

/** Findings of the end stand at lines before it; where they are told, by those. */
function keyOf(rule: RuleId, line: number, finding: Finding | undefined): string {
  return `${rule} ${line === Number.POSITIVE_INFINITY ? (finding?.line ?? line) : line}`;
}

function observerOf(at: (line: number) => void): Observer {
  return {
    onRequest: ({ line }) => at(line),
    onRelease: ({ line }) => at(line),
    atEnd: () => at(Number.POSITIVE_INFINITY),
  };
}

/** Findings in the order of the table of rules, and each rule's in the order of the trace. */
export function inOrderOfRules(findings: readonly Finding[]): Finding[] {
  const order = Object.keys(RULES);
  return [...findings].sort((x, y) => order.indexOf(x.rule) - order.indexOf(y.rule));
}

/** Findings of one rule that only one side has. */
export interface RuleShare {
  rule: RuleId;
  /** All of them. */
  count: number;
  /** The first, as many as there is room for. */
  shown: Finding[];
}

/** Every rule of a side, in the order of the table of rules, with up to `limit` findings in all, no rule crowding out another. */
export function sharesOf({ counts, first }: OneSided, limit: number): RuleShare[] {
  const seen = new Map<RuleId, number>();
  const ranked = first.map((finding) => {
    const rank = seen.get(finding.rule) ?? 0;
    seen.set(finding.rule, rank + 1);
    return { finding, rank };
  });
  ranked.sort((x, y) => x.rank - y.rank);
  const chosen = ranked.slice(0, limit).map(({ finding }) => finding);
  return (Object.keys(RULES) as RuleId[]).flatMap((rule) => {
    const count = counts.get(rule) ?? 0;
    const shown = chosen.filter((finding) => finding.rule === rule);
    return count > 0 ? [{ rule, count, shown }] : [];
  });
}
