import type { ChalkInstance } from 'chalk';
import { countLevel, type Finding, type Level } from '../../check/finding.js';
import { RULES, type RuleId } from '../../check/rules.js';
import { counted, wrap } from '../columns.js';
import { harmless } from '../harmless.js';

/** Findings of one rule that are shown in full. */
const SHOWN = 5;

const LEVELS: readonly Level[] = ['error', 'warning', 'note'];

/** The colour of a level. */
function paint(chalk: ChalkInstance, level: Level): (text: string) => string {
  if (level === 'error') return chalk.red;
  return level === 'warning' ? chalk.yellow : chalk.cyan;
}

/** Errors and warnings in words; `nothing wrong found` where there are none. */
export function verdictWords(counts: ReadonlyMap<RuleId, number>, chalk: ChalkInstance): string {
  const found = LEVELS.slice(0, 2).flatMap((level) => {
    const count = countLevel(counts, level);
    return count === 0 ? [] : [paint(chalk, level)(counted(count, level))];
  });
  return found.length === 0 ? chalk.green('nothing wrong found') : found.join(', ');
}

/** A finding with what it is related to. */
function findingLines({ line, device, message, related }: Finding, width: number): string[] {
  const lines = wrap(`    line ${line}  `, `${harmless(device)}: ${harmless(message)}`, width);
  for (const other of related) {
    lines.push(...wrap(`      line ${other.line}  `, harmless(other.message), width));
  }
  return lines;
}

/** Findings by rule, the worst first; none for none. */
export function findingsSection(
  findings: readonly Finding[],
  counts: ReadonlyMap<RuleId, number>,
  width: number,
  chalk: ChalkInstance,
): string[] {
  if (counts.size === 0) return [];
  const lines = [chalk.bold('Findings')];
  const rules = [...counts.keys()].sort(
    (a, b) => LEVELS.indexOf(RULES[a].level) - LEVELS.indexOf(RULES[b].level),
  );
  for (const rule of rules) {
    const { level, summary } = RULES[rule];
    const count = counts.get(rule) ?? 0;
    lines.push(`  ${paint(chalk, level)(level)}  ${chalk.bold(rule)} (${count}): ${summary}`);
    const ofRule = findings.filter((finding) => finding.rule === rule).slice(0, SHOWN);
    for (const finding of ofRule) lines.push(...findingLines(finding, width));
    if (count > SHOWN) lines.push(`    and ${count - SHOWN} more`);
  }
  return lines;
}
