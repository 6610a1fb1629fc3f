import { Chalk, type ChalkInstance } from 'chalk';
import type { Finding } from '../../check/finding.js';
import { areIommuDifferent, type IommuDiff } from '../../report/iommuDiff.js';
import { firstHang } from '../../report/iommuReport.js';
import { columns, counted, wrap } from '../columns.js';
import { harmless } from '../harmless.js';
import type { RenderOptions } from '../table.js';

/** Different rows and findings that the text shows. */
const SHOWN_ROWS = 12;
const SHOWN_FINDINGS = 8;

/** A diff of an IOMMU trace for a terminal. */
export function iommuDiffText(diff: IommuDiff, { width, colour }: RenderOptions): string {
  const chalk = new Chalk({ level: colour });
  const sections = [
    verdict(diff, chalk),
    rows(diff, width, chalk),
    findings(`Vanish with ${diff.new.kernel}`, diff.vanished, width, chalk),
    findings(`Appear with ${diff.new.kernel}`, diff.appeared, width, chalk),
    totals(diff, chalk),
  ];
  return sections
    .flatMap((lines) => (lines.length > 0 ? [`${lines.join('\n')}\n`] : []))
    .join('\n');
}

function verdict(diff: IommuDiff, chalk: ChalkInstance): string[] {
  const { comparison, old, new: fresh } = diff;
  const head = chalk.bold(harmless(`${old.trace.path}, ${old.kernel} to ${fresh.kernel}: `));
  if (!areIommuDifferent(diff)) return [head + chalk.green('no difference')];
  const words = [`${comparison.different} of ${counted(comparison.rows, 'row')} differ`];
  if (diff.vanished.length > 0) words.push(`${counted(diff.vanished.length, 'finding')} vanish`);
  if (diff.appeared.length > 0) words.push(`${counted(diff.appeared.length, 'finding')} appear`);
  const lines = [head + words.join(', ')];
  for (const side of [old, fresh]) {
    const line = firstHang(side);
    if (line === undefined) continue;
    lines.push(chalk.red(`the search of line ${line} never ends on ${harmless(side.kernel)}`));
  }
  return lines;
}

function rows(
  { comparison, old, new: fresh }: IommuDiff,
  width: number,
  chalk: ChalkInstance,
): string[] {
  if (comparison.different === 0) return [];
  const lines = [chalk.bold('Rows that differ')];
  const longest = Math.max(old.kernel.length, fresh.kernel.length);
  for (const { line, op, old: was, new: is } of comparison.first.slice(0, SHOWN_ROWS)) {
    lines.push(`  line ${line}  ${op}`);
    lines.push(...wrap(`    ${old.kernel.padEnd(longest)}  `, harmless(was), width));
    lines.push(...wrap(`    ${fresh.kernel.padEnd(longest)}  `, harmless(is), width));
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

function totals({ old, new: fresh, rules, statistics }: IommuDiff, chalk: ChalkInstance): string[] {
  const cells = [
    ...rules.map((pair) => [`${pair.level} ${pair.rule}`, pair.old, pair.new]),
    ...statistics.map((pair) => [pair.name, pair.old, pair.new]),
  ];
  const lines = columns([['', harmless(old.kernel), harmless(fresh.kernel)], ...cells]);
  lines[0] = chalk.dim(lines[0]);
  return [chalk.bold('Totals'), ...lines];
}
