import { Chalk, type ChalkInstance } from 'chalk';
import type { Finding } from '../../check/finding.js';
import { areIommuDifferent, type IommuDiff, regressionsIn } from '../../report/iommuDiff.js';
import { firstHang } from '../../report/iommuReport.js';
import { columns, counted, wrap } from '../columns.js';
import { harmless } from '../harmless.js';
import type { RenderOptions } from '../table.js';

/** Different rows and findings that the text shows. */
const SHOWN_ROWS = 12;
const SHOWN_FINDINGS = 8;

/** A diff of an IOMMU trace for a terminal. */
export function iommuDiffText(
  diff: IommuDiff,
  { width, colour }: RenderOptions,
  onlyRegressions: boolean,
): string {
  const chalk = new Chalk({ level: colour });
  const appear = `Appear with ${diff.names.new}`;
  if (onlyRegressions) {
    const list = regressionsIn(diff);
    const words =
      list.length === 0 ? chalk.green('no regression') : counted(list.length, 'regression');
    const head = chalk.bold(harmless(`${diff.old.trace.path}, ${between(diff)}: `));
    return `${[head + words, ...findings(appear, list, width, chalk)].join('\n')}\n`;
  }
  const sections = [
    verdict(diff, chalk),
    rows(diff, width, chalk),
    findings(`Vanish with ${diff.names.new}`, diff.vanished, width, chalk),
    findings(appear, diff.appeared, width, chalk),
    totals(diff, chalk),
  ];
  return sections
    .flatMap((lines) => (lines.length > 0 ? [`${lines.join('\n')}\n`] : []))
    .join('\n');
}

/** `v5.14 to v5.16`. */
export function between({ names }: IommuDiff): string {
  return `${names.old} to ${names.new}`;
}

/** What differs, in numbers. */
export function differenceWords(diff: IommuDiff): string {
  const { comparison, vanished, appeared } = diff;
  const words = [`${comparison.different} of ${counted(comparison.rows, 'row')} differ`];
  for (const [list, word] of [
    [vanished, 'vanish'],
    [appeared, 'appear'],
  ] as const) {
    const ending = word === 'vanish' ? 'vanishes' : 'appears';
    if (list.length === 0) continue;
    words.push(`${counted(list.length, 'finding')} ${list.length === 1 ? ending : word}`);
  }
  return words.join(', ');
}

function verdict(diff: IommuDiff, chalk: ChalkInstance): string[] {
  const { old, new: fresh } = diff;
  const head = chalk.bold(harmless(`${old.trace.path}, ${between(diff)}: `));
  if (!areIommuDifferent(diff)) return [head + chalk.green('no difference')];
  const lines = [head + differenceWords(diff)];
  for (const side of [old, fresh]) {
    const line = firstHang(side);
    if (line === undefined) continue;
    lines.push(chalk.red(`the search of line ${line} never ends on ${harmless(side.kernel)}`));
  }
  return lines;
}

function rows({ comparison, names }: IommuDiff, width: number, chalk: ChalkInstance): string[] {
  if (comparison.different === 0) return [];
  const lines = [chalk.bold('Rows that differ')];
  const longest = Math.max(names.old.length, names.new.length);
  for (const { line, op, old: was, new: is } of comparison.first.slice(0, SHOWN_ROWS)) {
    lines.push(`  line ${line}  ${op}`);
    lines.push(...wrap(`    ${names.old.padEnd(longest)}  `, harmless(was), width));
    lines.push(...wrap(`    ${names.new.padEnd(longest)}  `, harmless(is), width));
  }
  const more = comparison.different - SHOWN_ROWS;
  if (more > 0) lines.push(`  and ${more} more; --json lists the first ${comparison.first.length}`);
  return lines;
}

function findings(
  title: string,
  list: readonly Finding[],
  width: number,
  chalk: ChalkInstance,
): string[] {
  if (list.length === 0) return [];
  const lines = [chalk.bold(`${harmless(title)}: ${counted(list.length, 'finding')}`)];
  for (const { level, rule, line, device, message } of list.slice(0, SHOWN_FINDINGS)) {
    const words = harmless(`${rule}: ${device}: ${message}`);
    lines.push(...wrap(`  ${level.padEnd(8)}line ${line}  `, words, width));
  }
  const more = list.length - SHOWN_FINDINGS;
  if (more > 0) lines.push(`  and ${more} more`);
  return lines;
}

/** Findings and statistics of both sides, a line each. */
export function totalCells({ rules, statistics }: IommuDiff): [string, number, number][] {
  return [
    ...rules.map((pair): [string, number, number] => [
      `${pair.level} ${pair.rule}`,
      pair.old,
      pair.new,
    ]),
    ...statistics.map((pair): [string, number, number] => [pair.name, pair.old, pair.new]),
  ];
}

function totals(diff: IommuDiff, chalk: ChalkInstance): string[] {
  const { names } = diff;
  const lines = columns([['', harmless(names.old), harmless(names.new)], ...totalCells(diff)]);
  lines[0] = chalk.dim(lines[0]);
  return [chalk.bold('Totals'), ...lines];
}
