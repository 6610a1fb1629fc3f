import { Chalk, type ChalkInstance } from 'chalk';
import type { Finding } from '../check/finding.js';
import { RULES } from '../check/rules.js';
import { hex } from '../events/numbers.js';
import { areDifferent, DIFF_SCHEMA, type DiffReport } from '../report/diffReport.js';
import { mostBroken, type Report } from '../report/report.js';
import { columns, counted, wrap } from './columns.js';
import { harmless, harmlessJson } from './harmless.js';
import type { RenderOptions } from './table.js';

/** Different addresses and findings that the text shows. */
const SHOWN_ROWS = 16;
const SHOWN_FINDINGS = 8;

/** A diff for a terminal. */
export function diffText(diff: DiffReport, options: RenderOptions): string {
  const chalk = new Chalk({ level: options.colour });
  const sections = [
    verdict(diff, chalk),
    addresses(diff, chalk),
    findings(`Vanish with ${diff.new.kernel}`, diff.vanished, options.width, chalk),
    findings(`Appear with ${diff.new.kernel}`, diff.appeared, options.width, chalk),
    totals(diff, chalk),
  ];
  return sections
    .flatMap((lines) => (lines.length > 0 ? [`${lines.join('\n')}\n`] : []))
    .join('\n');
}

/** A diff as `swiotlb-replay/diff@1`, on one line. */
export function diffJson(diff: DiffReport): string {
  const { comparison } = diff;
  const side = ({ kernel, summary, pools, counts }: Report) => ({
    kernel,
    summary: { ...summary, findings: Object.fromEntries(counts) },
    pools: pools.map((pool) => ({ ...pool, base: hex(pool.base) })),
  });
  const listed = (finding: Finding) => ({
    ...finding,
    address: finding.address === undefined ? null : hex(finding.address),
  });
  const address = (value: number | undefined): string | null =>
    value === undefined ? null : hex(value);
  return `${harmlessJson({
    schema: DIFF_SCHEMA,
    path: diff.old.trace.path,
    old: side(diff.old),
    new: side(diff.new),
    requests: comparison.requests,
    different: comparison.different,
    allocations: comparison.first.map((row) => ({
      ...row,
      old: address(row.old),
      new: address(row.new),
    })),
    vanished: diff.vanished.map(listed),
    appeared: diff.appeared.map(listed),
    rules: diff.rules,
  })}\n`;
}

function verdict(diff: DiffReport, chalk: ChalkInstance): string[] {
  const { comparison, old } = diff;
  const head = chalk.bold(`${harmless(old.trace.path)}, ${old.kernel} to ${diff.new.kernel}: `);
  if (!areDifferent(diff)) return [head + chalk.green('no difference')];
  const changed = `${comparison.different} of ${counted(comparison.requests, 'address', 'addresses')} differ`;
  const vanish = count(diff, 'old') - count(diff, 'new');
  const word = (n: number, verb: string): string => `${counted(n, 'finding')} ${verb}`;
  const net =
    vanish === 0
      ? 'as many findings'
      : vanish > 0
        ? chalk.green(word(vanish, 'fewer'))
        : chalk.red(word(-vanish, 'more'));
  return [`${head}${changed}, ${net}`];
}

function count({ rules }: DiffReport, side: 'old' | 'new'): number {
  return rules.reduce((sum, entry) => sum + entry[side], 0);
}

function addresses({ comparison, old, new: fresh }: DiffReport, chalk: ChalkInstance): string[] {
  if (comparison.different === 0) return [];
  const word = (address: number | undefined): string =>
    address === undefined ? 'failed' : hex(address);
  const rows = comparison.first
    .slice(0, SHOWN_ROWS)
    .map((row) => [row.line, row.op, harmless(row.device), row.size, word(row.old), word(row.new)]);
  const lines = columns([['line', 'call', 'device', 'size', old.kernel, fresh.kernel], ...rows]);
  lines[0] = chalk.dim(lines[0]);
  const more = comparison.different - rows.length;
  if (more > 0) lines.push(`  and ${more} more; --json lists the first ${comparison.first.length}`);
  return [chalk.bold('Addresses that differ'), ...lines];
}

function findings(
  title: string,
  list: readonly Finding[],
  width: number,
  chalk: ChalkInstance,
): string[] {
  if (list.length === 0) return [];
  const lines = [chalk.bold(`${title}: ${counted(list.length, 'finding')}`)];
  for (const { level, rule, line, device, message } of list.slice(0, SHOWN_FINDINGS)) {
    lines.push(
      ...wrap(
        `  ${level.padEnd(8)}line ${line}  `,
        `${rule}: ${harmless(device)}: ${harmless(message)}`,
        width,
      ),
    );
  }
  const more = list.length - SHOWN_FINDINGS;
  if (more > 0) lines.push(`  and ${more} more`);
  return lines;
}

function totals({ old, new: fresh, rules }: DiffReport, chalk: ChalkInstance): string[] {
  const worst = (report: Report): string =>
    `${Math.round(mostBroken(report.fragmentation.worst).external * 100)} %`;
  const peak = (report: Report): string =>
    report.pools.flatMap((pool) => pool.usedHiwater ?? []).join(', ');
  const rows = [
    ...rules.map((entry) => [
      `${RULES[entry.rule].level} ${entry.rule}`,
      `${entry.old}`,
      `${entry.new}`,
    ]),
    ['failed requests', `${old.summary.failed}`, `${fresh.summary.failed}`],
    [
      'double-allocated pages',
      `${old.doubleAllocatedPages.length}`,
      `${fresh.doubleAllocatedPages.length}`,
    ],
    ['slots used at most', peak(old), peak(fresh)],
    ['slots searched', `${old.summary.slotsSearched}`, `${fresh.summary.slotsSearched}`],
    ['worst external fragmentation', worst(old), worst(fresh)],
  ];
  const lines = columns([['', old.kernel, fresh.kernel], ...rows]);
  lines[0] = chalk.dim(lines[0]);
  return [chalk.bold('Totals'), ...lines];
}
