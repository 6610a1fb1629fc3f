import type { ChalkInstance } from 'chalk';
import { type Finding, LEVELS, type Level } from '../../check/finding.js';
import { RULES } from '../../check/rules.js';
import { countOfLevel, type FindingCount } from '../../report/iommuReport.js';
import { counted, wrap } from '../columns.js';
import { harmless } from '../harmless.js';

/** Findings of one rule and level that are shown in full. */
const SHOWN = 5;

/** The colour of a level. */
function paint(chalk: ChalkInstance, level: Level): (text: string) => string {
  if (level === 'error') return chalk.red;
  return level === 'warning' ? chalk.yellow : chalk.cyan;
}

/** Errors and warnings in words; `nothing wrong found` where there are none. */
export function verdictWords(counts: readonly FindingCount[], chalk: ChalkInstance): string {
  const found = LEVELS.slice(0, 2).flatMap((level) => {
    const count = countOfLevel(counts, level);
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
  counts: readonly FindingCount[],
  width: number,
  chalk: ChalkInstance,
): string[] {
  if (counts.length === 0) return [];
  const lines = [chalk.bold('Findings')];
  const worstFirst = [...counts].sort((a, b) => LEVELS.indexOf(a.level) - LEVELS.indexOf(b.level));
  for (const { rule, level, count } of worstFirst) {
    const { summary } = RULES[rule];
    lines.push(`  ${paint(chalk, level)(level)}  ${chalk.bold(rule)} (${count}): ${summary}`);
    const alike = findings.filter((finding) => finding.rule === rule && finding.level === level);
    for (const finding of alike.slice(0, SHOWN)) lines.push(...findingLines(finding, width));
    if (count > SHOWN) lines.push(`    and ${count - SHOWN} more`);
  }
  return lines;
}
