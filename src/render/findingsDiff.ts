import { Chalk, type ChalkInstance } from 'chalk';
import type { DeviceUsage } from '../analysis/usage.js';
import { RULES } from '../check/rules.js';
import { hex } from '../events/numbers.js';
import {
  type DevicePair,
  FINDINGS_DIFF_SCHEMA,
  type FindingGroup,
  type FindingsDiff,
  haveDifferentFindings,
  isWorse,
  worseGroups,
} from '../report/findingsDiff.js';
import { mostBroken, type Report } from '../report/report.js';
import { columns, counted, wrap } from './columns.js';
import { harmless, harmlessJson } from './harmless.js';
import { markdownTable, plainMarkdown } from './markdown.js';
import type { RenderOptions } from './table.js';

/** Groups of findings and devices that a page shows, and that JSON lists. */
const SHOWN = 16;
const LISTED = 1000;

/** Two traces side by side, for a terminal. */
export function findingsDiffText(
  diff: FindingsDiff,
  onlyRegressions: boolean,
  options: RenderOptions,
): string {
  const chalk = new Chalk({ level: options.colour });
  const sections = [
    [chalk.bold(`${headWords(diff)}: `) + verdictWords(diff, onlyRegressions)],
    groupLines(diff, onlyRegressions, options.width, chalk),
  ];
  if (!onlyRegressions) {
    sections.push(table('Totals', totalHeads(diff), totalRows(diff), chalk));
    sections.push(table('Devices', deviceHeads, deviceRows(diff), chalk));
  }
  return sections
    .flatMap((lines) => (lines.length > 0 ? [`${lines.join('\n')}\n`] : []))
    .join('\n');
}

/** The same for a mail or a pull request. */
export function findingsDiffMarkdown(diff: FindingsDiff, onlyRegressions: boolean): string {
  const groups = shownGroups(diff, onlyRegressions);
  const cells = groups
    .slice(0, SHOWN)
    .map((group) => [
      group.old,
      group.new,
      `\`${group.rule}\``,
      plainMarkdown(group.device),
      plainMarkdown(group.shape),
    ]);
  const sections = [
    [`### ${plainMarkdown(headWords(diff))}`],
    [`**${verdictWords(diff, onlyRegressions)}**`],
    cells.length > 0 ? markdownTable(['old', 'new', 'rule', 'device', 'finding'], cells) : [],
    groups.length > SHOWN ? [`and ${groups.length - SHOWN} more kinds`] : [],
  ];
  if (!onlyRegressions) {
    const plain = (row: readonly (string | number)[]) =>
      row.map((cell) => (typeof cell === 'number' ? cell : plainMarkdown(cell.trim())));
    sections.push(markdownTable(totalHeads(diff).map(plainMarkdown), totalRows(diff).map(plain)));
    const devices = deviceRows(diff).map(plain);
    if (devices.length > 0) sections.push(markdownTable(deviceHeads, devices));
  }
  return `${sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')}\n`;
}

/** The same as `swiotlb-replay/findings-diff@1`, on one line. */
export function findingsDiffJson(diff: FindingsDiff, onlyRegressions: boolean): string {
  return `${harmlessJson({
    schema: FINDINGS_DIFF_SCHEMA,
    old: sideValue(diff.old),
    new: sideValue(diff.new),
    onlyRegressions,
    groups: (onlyRegressions ? worseGroups(diff) : diff.groups).slice(0, LISTED).map((group) => ({
      ...group,
      oldLine: group.oldLine ?? null,
      newLine: group.newLine ?? null,
    })),
    partial: diff.partial,
    rules: diff.rules.map(({ name, ...counts }) => ({ rule: name, ...counts })),
    causes: diff.causes.map(({ name, ...counts }) => ({ cause: name, ...counts })),
    devices: diff.devices.slice(0, LISTED).map((pair) => ({
      name: pair.name,
      old: pair.old ?? null,
      new: pair.new ?? null,
    })),
  })}\n`;
}

function sideValue({ trace, kernel, summary, pools, fragmentation }: Report) {
  return {
    path: trace.path,
    kernel,
    summary,
    pools: pools.map((pool) => ({ ...pool, base: hex(pool.base) })),
    worstFragmentation: mostBroken(fragmentation.worst).external,
  };
}

function headWords({ old, new: fresh }: FindingsDiff): string {
  return `${harmless(old.trace.path)} (${old.kernel}) to ${harmless(fresh.trace.path)} (${fresh.kernel})`;
}

function verdictWords(diff: FindingsDiff, onlyRegressions: boolean): string {
  if (onlyRegressions) return isWorse(diff) ? 'new findings' : 'no regression';
  if (!haveDifferentFindings(diff)) return 'the same findings';
  const kinds = diff.groups.filter((group) => group.old !== group.new).length;
  return `${counted(kinds, 'kind of finding', 'kinds of findings')} differ`;
}

function shownGroups(diff: FindingsDiff, onlyRegressions: boolean): FindingGroup[] {
  if (onlyRegressions) return worseGroups(diff);
  return diff.groups.filter((group) => group.old !== group.new);
}

function groupLines(
  diff: FindingsDiff,
  onlyRegressions: boolean,
  width: number,
  chalk: ChalkInstance,
): string[] {
  const groups = shownGroups(diff, onlyRegressions);
  if (groups.length === 0) return [];
  const lines = groups.slice(0, SHOWN).flatMap((group) => {
    const where = [
      group.oldLine === undefined ? '' : `old line ${group.oldLine}`,
      group.newLine === undefined ? '' : `new line ${group.newLine}`,
    ];
    return wrap(
      `  ${group.level.padEnd(8)}${group.old} to ${group.new}  `,
      `${group.rule}: ${harmless(group.device)}: ${harmless(group.shape)}` +
        ` (first: ${where.filter(Boolean).join(', ')})`,
      width,
    );
  });
  if (groups.length > SHOWN) lines.push(`  and ${groups.length - SHOWN} more kinds`);
  if (diff.partial.length > 0) {
    lines.push(
      ...wrap(
        '  ',
        `Only the first ones are told apart by device and message of: ${diff.partial.join(', ')}`,
        width,
      ),
    );
  }
  return [chalk.bold('Findings that differ, old to new'), ...lines];
}

function totalHeads({ old, new: fresh }: FindingsDiff): string[] {
  return ['', `old, ${old.kernel}`, `new, ${fresh.kernel}`];
}

function totalRows({ old, new: fresh, rules, causes }: FindingsDiff): string[][] {
  const peak = ({ pools }: Report): string =>
    pools.flatMap((pool) => pool.usedHiwater ?? []).join(', ');
  const worst = ({ fragmentation }: Report): string =>
    `${Math.round(mostBroken(fragmentation.worst).external * 100)} %`;
  return [
    ['requests', `${old.summary.maps}`, `${fresh.summary.maps}`],
    ...rules.map((pair) => [
      `${RULES[pair.name].level} ${pair.name}`,
      `${pair.old}`,
      `${pair.new}`,
    ]),
    ['failed requests', `${old.summary.failed}`, `${fresh.summary.failed}`],
    ...causes.map((pair) => [`  ${pair.name}`, `${pair.old}`, `${pair.new}`]),
    ['slots used at most', peak(old), peak(fresh)],
    ['slots searched', `${old.summary.slotsSearched}`, `${fresh.summary.slotsSearched}`],
    ['worst external fragmentation', worst(old), worst(fresh)],
  ];
}

const deviceHeads = ['device', 'maps', 'failed', 'peak slots', 'bytes'];

/** Devices that differ most in what they held. */
function deviceRows({ devices }: FindingsDiff): string[][] {
  const peak = (usage: DeviceUsage | undefined): number => usage?.peakSlots ?? 0;
  const change = (pair: DevicePair): number => Math.abs(peak(pair.new) - peak(pair.old));
  const words = (pair: DevicePair, value: (usage: DeviceUsage) => number): string => {
    const [a, b] = [pair.old, pair.new].map((usage) => (usage ? `${value(usage)}` : '-'));
    return a === b ? a : `${a} to ${b}`;
  };
  return [...devices]
    .sort((a, b) => change(b) - change(a))
    .slice(0, SHOWN)
    .map((pair) => [
      harmless(pair.name),
      words(pair, ({ maps }) => maps),
      words(pair, ({ failed }) => failed),
      words(pair, ({ peakSlots }) => peakSlots),
      words(pair, ({ bytes }) => bytes),
    ]);
}

function table(
  title: string,
  heads: string[],
  rows: readonly (readonly string[])[],
  chalk: ChalkInstance,
): string[] {
  const lines = columns([heads, ...rows]);
  lines[0] = chalk.dim(lines[0]);
  return [chalk.bold(title), ...lines];
}
