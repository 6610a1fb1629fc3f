import { RULES, type RuleId } from './rules.js';

/** How bad a finding can be, the worst first. */
export const LEVELS = ['error', 'warning', 'note'] as const;

/** How bad a finding is. */
export type Level = (typeof LEVELS)[number];

/** Another line that a finding is about. */
export interface Related {
  line: number;
  message: string;
}

/** Something wrong, where, and the evidence. Texts may hold device names as the trace has them. */
export interface Finding {
  rule: RuleId;
  level: Level;
  /** Line of the event at which it shows. */
  line: number;
  device: string;
  message: string;
  /** The address or page that it is about; undefined where there is none. */
  address: number | undefined;
  related: Related[];
}

/** The findings of a replay: all counted, the first of each rule kept whole. */
export interface FindingLog {
  counts: Map<RuleId, number>;
  kept: Finding[];
  /** Pages that were in two live allocations at some time, by address. */
  doubleAllocatedPages: Set<number>;
  /** Told each finding as it is counted, kept or not. */
  watch: FindingWatch | undefined;
}

/**
 * Told a finding.
 * @param kept undefined if the log does not keep it
 * @param describe the same, for who wants it all the same; to be called at once
 */
export type FindingWatch = (
  rule: RuleId,
  kept: Finding | undefined,
  describe: () => Finding,
) => void;

/** Findings of one rule that are kept whole; more of the same tell nothing new and fill memory. */
export const KEPT_PER_RULE = 1000;

/** No findings. */
export function createFindingLog(watch?: FindingWatch): FindingLog {
  return { counts: new Map(), kept: [], doubleAllocatedPages: new Set(), watch };
}

/**
 * Counts a finding.
 * @param describe called only if the finding is kept
 */
export function addFinding(
  log: FindingLog,
  rule: RuleId,
  describe: () => Omit<Finding, 'rule' | 'level'>,
): void {
  const count = (log.counts.get(rule) ?? 0) + 1;
  log.counts.set(rule, count);
  const finding = (): Finding => ({ rule, level: RULES[rule].level, ...describe() });
  const kept = count <= KEPT_PER_RULE ? finding() : undefined;
  if (kept !== undefined) log.kept.push(kept);
  log.watch?.(rule, kept, finding);
}

/** How many findings of a level there are. */
export function countLevel(counts: ReadonlyMap<RuleId, number>, level: Level): number {
  let total = 0;
  for (const [rule, count] of counts) if (RULES[rule].level === level) total += count;
  return total;
}
