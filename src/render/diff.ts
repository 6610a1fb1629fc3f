import { Chalk, type ChalkInstance } from 'chalk';
import type { Finding } from '../check/finding.js';
import { RULES } from '../check/rules.js';
import { areDifferent, type DiffReport, regressionsOf, totalOf } from '../report/diffReport.js';
import { type OneSided, sharesOf } from '../report/findingComparison.js';
import { columns, counted, wrap } from './columns.js';
import {
  DEVICE_HEADS,
  deviceRows,
  differenceHeads,
  differenceRows,
  moreDifferences,
  totalRows,
} from './diffRows.js';
import { divergenceWords, givenWords, sideWords } from './divergence.js';
import { harmless } from './harmless.js';
import type { RenderOptions } from './table.js';

/** Different addresses and findings that the text shows. */
const SHOWN_ROWS = 16;
const SHOWN_FINDINGS = 8;

/** A diff for a terminal. */
export function diffText(diff: DiffReport, options: RenderOptions): string {
  const chalk = new Chalk({ level: options.colour });
  const { vanished, appeared } = diff;
  const name = harmless(diff.names.new);
  return textOf([
    verdict(diff, chalk),
    divergence(diff, options.width, chalk),
    addresses(diff, options.width, chalk),
    devices(diff, chalk),
    findings(`Vanish with ${name}`, vanished, options.width, chalk),
    findings(`Appear with ${name}`, appeared, options.width, chalk),
    totals(diff, chalk),
  ]);
}

/** What only the new side has, for a terminal. */
export function regressionsText(diff: DiffReport, options: RenderOptions): string {
  const chalk = new Chalk({ level: options.colour });
  const regressions = regressionsOf(diff);
  const count = totalOf(regressions);
  const found =
    count === 0 ? chalk.green('no regression') : chalk.red(counted(count, 'regression'));
  const name = harmless(diff.names.new);
  return textOf([
    [head(diff, chalk) + found],
    findings(`Appear with ${name}`, regressions, options.width, chalk),
  ]);
}

function textOf(sections: string[][]): string {
  return sections
    .flatMap((lines) => (lines.length > 0 ? [`${lines.join('\n')}\n`] : []))
    .join('\n');
}

function head({ old, names }: DiffReport, chalk: ChalkInstance): string {
  const sides = `${harmless(names.old)} to ${harmless(names.new)}`;
  return chalk.bold(`${harmless(old.trace.path)}, ${sides}: `);
}

function verdict(diff: DiffReport, chalk: ChalkInstance): string[] {
  if (!areDifferent(diff)) return [head(diff, chalk) + chalk.green('no difference')];
  return [head(diff, chalk) + verdictWords(diff, chalk)];
}

/** How many addresses and findings differ, in words. */
export function verdictWords({ comparison, rules }: DiffReport, chalk: ChalkInstance): string {
  const changed = `${comparison.different} of ${counted(comparison.requests, 'address', 'addresses')} differ`;
  const fewer = rules.reduce((sum, pair) => sum + pair.old - pair.new, 0);
  const word = (n: number, verb: string): string => `${counted(n, 'finding')} ${verb}`;
  if (fewer === 0) return `${changed}, as many findings`;
  return `${changed}, ${fewer > 0 ? chalk.green(word(fewer, 'fewer')) : chalk.red(word(-fewer, 'more'))}`;
}

function divergence(diff: DiffReport, width: number, chalk: ChalkInstance): string[] {
  const { divergence } = diff.comparison;
  if (divergence === undefined) return [];
  const names = [harmless(diff.names.old), harmless(diff.names.new)];
  const indent = Math.max(...names.map(({ length }) => length)) + 4;
  const sides = [divergence.old, divergence.new].flatMap((explanation, n) => {
    const { got, planned, candidates } = sideWords(explanation);
    return [
      ...wrap(`  ${names[n]}`.padEnd(indent), got, width),
      ...wrap(' '.repeat(indent), `wants ${planned}`, width),
      ...candidates.flatMap((line) => wrap(' '.repeat(indent + 2), line, width)),
    ];
  });
  const given = givenWords(divergence);
  if (given !== '') sides.push(...wrap(' '.repeat(indent), given, width));
  return [chalk.bold(`First difference: ${divergenceWords(divergence)}`), ...sides];
}

function addresses(diff: DiffReport, width: number, chalk: ChalkInstance): string[] {
  const rows = differenceRows(diff, SHOWN_ROWS);
  if (rows.length === 0) return [];
  const lines = columns([differenceHeads(diff), ...rows.map(({ cells }) => cells)]);
  return [
    chalk.bold('Addresses that differ'),
    chalk.dim(lines[0]),
    ...rows.flatMap(({ folded }, n) =>
      folded === '' ? [lines[n + 1]] : [lines[n + 1], chalk.dim(`    ${folded}`)],
    ),
    ...moreDifferences(diff, SHOWN_ROWS).flatMap((words) => wrap('  ', words, width)),
  ];
}

function devices(diff: DiffReport, chalk: ChalkInstance): string[] {
  const { rows, more } = deviceRows(diff);
  if (rows.length === 0) return [];
  const lines = columns([DEVICE_HEADS, ...rows]);
  lines[0] = chalk.dim(lines[0]);
  return [chalk.bold('Whose they are'), ...lines, ...(more === '' ? [] : [`  ${more}`])];
}

function findings(title: string, side: OneSided, width: number, chalk: ChalkInstance): string[] {
  const total = totalOf(side);
  if (total === 0) return [];
  const lines = [chalk.bold(`${title}: ${counted(total, 'finding')}`)];
  for (const { rule, count, shown } of sharesOf(side, SHOWN_FINDINGS)) {
    const { level, summary } = RULES[rule];
    lines.push(...wrap(`  ${level}  `, `${rule} (${count}): ${summary}`, width));
    lines.push(...shown.flatMap((finding) => findingLines(finding, width)));
    if (count > shown.length) lines.push(`    and ${count - shown.length} more`);
  }
  return lines;
}

function findingLines({ line, device, message }: Finding, width: number): string[] {
  return wrap(`    line ${line}  `, `${harmless(device)}: ${harmless(message)}`, width);
}

function totals(diff: DiffReport, chalk: ChalkInstance): string[] {
  const heads = ['', harmless(diff.names.old), harmless(diff.names.new)];
  const lines = columns([heads, ...totalRows(diff)]);
  lines[0] = chalk.dim(lines[0]);
  return [chalk.bold('Totals'), ...lines];
}
