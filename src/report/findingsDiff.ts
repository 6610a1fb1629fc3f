import type { DeviceUsage } from '../analysis/usage.js';
import { KEPT_PER_RULE, type Level } from '../check/finding.js';
import { RULES, type RuleId } from '../check/rules.js';
import { causePairs, type Pair, rulePairs } from './diffReport.js';
import type { Report } from './report.js';

/** Schema of a diff of two traces by their findings. */
export const FINDINGS_DIFF_SCHEMA = 'swiotlb-replay/findings-diff@1';

/** Findings of one rule, device and message, numbers aside, in either trace. */
export interface FindingGroup {
  rule: RuleId;
  level: Level;
  device: string;
  /** The message with `N` for every number. */
  shape: string;
  old: number;
  new: number;
  /** Line of the first in each trace; undefined where there is none. */
  oldLine: number | undefined;
  newLine: number | undefined;
}

/** What a device did in both traces; undefined where it is not in one. */
export interface DevicePair {
  name: string;
  old: DeviceUsage | undefined;
  new: DeviceUsage | undefined;
}

/** Two traces of one workload side by side. */
export interface FindingsDiff {
  old: Report;
  new: Report;
  rules: Pair<RuleId>[];
  causes: Pair<string>[];
  /** Those of the findings that the reports keep: see `partial`. Different ones first, by how much. */
  groups: FindingGroup[];
  /** Rules with more findings than the reports keep whole: their groups cover the first ones. */
  partial: RuleId[];
  devices: DevicePair[];
}

/** Puts two reports of different traces side by side. */
export function diffFindings(old: Report, fresh: Report): FindingsDiff {
  const groups = new Map<string, FindingGroup>();
  for (const side of ['old', 'new'] as const) {
    for (const finding of (side === 'old' ? old : fresh).findings) {
      const { rule, level, device } = finding;
      const shape = finding.message.replace(/0x[0-9a-f]+|\d+/g, 'N');
      const key = JSON.stringify([rule, device, shape]);
      const group: FindingGroup = groups.get(key) ?? {
        rule,
        level,
        device,
        shape,
        old: 0,
        new: 0,
        oldLine: undefined,
        newLine: undefined,
      };
      group[side]++;
      group[`${side}Line`] ??= finding.line;
      groups.set(key, group);
    }
  }
  const rules = rulePairs(old, fresh);
  return {
    old,
    new: fresh,
    rules,
    causes: causePairs(old, fresh),
    groups: [...groups.values()].sort(byWeight),
    partial: rules.flatMap((pair) =>
      Math.max(pair.old, pair.new) > KEPT_PER_RULE ? pair.name : [],
    ),
    devices: devicePairs(old, fresh),
  };
}

const ORDER = Object.keys(RULES);

/** By rule, and the largest change first. */
function byWeight(a: FindingGroup, b: FindingGroup): number {
  const change = ({ old, new: fresh }: FindingGroup): number => Math.abs(fresh - old);
  return ORDER.indexOf(a.rule) - ORDER.indexOf(b.rule) || change(b) - change(a);
}

function devicePairs(old: Report, fresh: Report): DevicePair[] {
  const pairs = new Map<string, DevicePair>();
  for (const usage of old.devices) {
    pairs.set(usage.name, { name: usage.name, old: usage, new: undefined });
  }
  for (const usage of fresh.devices) {
    const known = pairs.get(usage.name);
    if (known === undefined)
      pairs.set(usage.name, { name: usage.name, old: undefined, new: usage });
    else known.new = usage;
  }
  return [...pairs.values()];
}

/** Whether findings or failures differ. */
export function haveDifferentFindings({ rules, causes, groups }: FindingsDiff): boolean {
  return [...rules, ...causes, ...groups].some((pair) => pair.old !== pair.new);
}

/** Groups of errors and warnings of which the new trace has more. */
export function worseGroups({ groups }: FindingsDiff): FindingGroup[] {
  return groups.filter((group) => group.new > group.old && group.level !== 'note');
}

/** Whether the new trace has more errors or warnings of a rule, or such as the old one has not. */
export function isWorse(diff: FindingsDiff): boolean {
  const more = diff.rules.some((pair) => pair.new > pair.old && RULES[pair.name].level !== 'note');
  return more || worseGroups(diff).length > 0;
}
