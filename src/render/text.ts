import { Chalk, type ChalkInstance } from 'chalk';
import type { PoolFragmentation } from '../analysis/fragmentation.js';
import { countLevel, type Finding, type Level } from '../check/finding.js';
import { RULES, type RuleId } from '../check/rules.js';
import { sizeWords, slotWords } from '../check/words.js';
import { hex } from '../events/numbers.js';
import type { AllocationRow } from '../report/allocationRows.js';
import { mostBroken, type Report } from '../report/report.js';
import { columns, counted, wrap } from './columns.js';
import { harmless } from './harmless.js';
import { iommuSection } from './iommu.js';
import { lossLines } from './losses.js';
import type { RenderOptions } from './table.js';
import { whoSection } from './who.js';

/** Findings of one rule, device list entries and assumptions that are shown in full. */
const SHOWN = 5;

/** Alignments for which the text tells what could still be served; JSON has more. */
const TOLD_ALIGNMENTS = [2048, 4096, 65536];

const LEVELS: readonly Level[] = ['error', 'warning', 'note'];

/** The report for a terminal: verdict, findings, allocations, who uses the pools, fragmentation. */
export function* renderText(report: Report, options: RenderOptions): Generator<string> {
  const chalk = new Chalk({ level: options.colour });
  const sections = [
    verdict(report, options.width, chalk),
    facts(report, options.width),
    findings(report, options.width, chalk),
    options.allocations ? allocations(report, chalk) : [],
    whoSection(report, options, chalk),
    fragmentation(report, chalk),
    iommuSection(report.iommu, options.width, chalk),
  ];
  let separator = '';
  for (const lines of sections) {
    if (lines.length === 0) continue;
    yield `${separator}${lines.join('\n')}\n`;
    separator = '\n';
  }
}

function paint(chalk: ChalkInstance, level: Level): (text: string) => string {
  if (level === 'error') return chalk.red;
  return level === 'warning' ? chalk.yellow : chalk.cyan;
}

/** Rules that have findings, worst first, in the table's order. */
function rulesFound(report: Report): RuleId[] {
  const rules = Object.keys(RULES) as RuleId[];
  return LEVELS.flatMap((level) =>
    rules.filter((rule) => RULES[rule].level === level && report.counts.has(rule)),
  );
}

function verdict(report: Report, width: number, chalk: ChalkInstance): string[] {
  const found = LEVELS.slice(0, 2)
    .map((level) => {
      const count = countLevel(report.counts, level);
      return count > 0 ? paint(chalk, level)(counted(count, level)) : '';
    })
    .filter(Boolean);
  const nothing = report.losses.length > 0 ? chalk.yellow : chalk.green;
  const words = found.length > 0 ? found.join(', ') : nothing('nothing wrong found');
  const lines = [chalk.bold(`${harmless(report.trace.path)} on ${report.kernel}: `) + words];
  const pages = report.doubleAllocatedPages;
  if (pages.length > 0) {
    const more = pages.length > SHOWN ? ', ...' : '';
    lines.push(
      chalk.red(
        `${counted(pages.length, 'page')} allocated twice: ${pages.slice(0, SHOWN).map(hex).join(', ')}${more}`,
      ),
    );
  }
  const [incomplete, ...losses] = lossLines(report.losses, width);
  return incomplete === undefined ? lines : [...lines, chalk.yellow(incomplete), ...losses];
}

function facts(report: Report, width: number): string[] {
  const { trace, summary } = report;
  const lines: string[] = [];
  const fact = (name: string, text: string): void => {
    lines.push(...wrap(`  ${name.padEnd(10)}`, text, width));
  };
  const reason = report.kernelReason ? `, ${harmless(report.kernelReason)}` : '';
  fact('kernel', `${report.kernel}${reason}; ${sizeWords(report.pageSize)} pages`);
  const failed = summary.failed > 0 ? ` (${summary.failed} failed)` : '';
  const skipped = trace.skipped > 0 ? `; ${counted(trace.skipped, 'line')} not understood` : '';
  fact(
    'trace',
    `${trace.format}, ${counted(trace.events, 'event')}: ${counted(summary.maps, 'request')}${failed},` +
      ` ${counted(summary.unmaps, 'release')}${skipped}`,
  );
  if (summary.recorded > 0) {
    const same = summary.recorded - summary.mismatches;
    fact('recorded', `${same} of ${counted(summary.recorded, 'result')} reproduced`);
  }
  for (const pool of report.pools.slice(0, SHOWN)) {
    const areas = pool.areas > 1 ? ` in ${pool.areas} areas` : '';
    fact(
      'pool',
      `${harmless(pool.name)} at ${hex(pool.base)}: ${counted(pool.nslabs, 'slot')} (${sizeWords(pool.nslabs * 2048)})${areas},` +
        ` ${pool.used} used at the end${pool.usedHiwater === null ? '' : `, ${pool.usedHiwater} at most`}`,
    );
  }
  if (report.pools.length > SHOWN) {
    fact('', `and ${counted(report.pools.length - SHOWN, 'pool')} that joined later`);
  }
  for (const { line, message } of report.assumptions.slice(0, SHOWN)) {
    fact('assumed', `${harmless(message)}${line === undefined ? '' : ` (line ${line})`}`);
  }
  const more = report.assumptions.length - SHOWN;
  if (more > 0) fact('', `and ${more} more; --json has all`);
  for (const { line, message, text } of report.problems) {
    fact('skipped', `line ${line}: ${harmless(`${message}: ${text}`)}`);
  }
  return lines;
}

function findings(report: Report, width: number, chalk: ChalkInstance): string[] {
  const rules = rulesFound(report);
  if (rules.length === 0) return [];
  const lines = [chalk.bold('Findings')];
  for (const rule of rules) {
    const { level, summary } = RULES[rule];
    const count = report.counts.get(rule) ?? 0;
    lines.push(`  ${paint(chalk, level)(level)}  ${chalk.bold(rule)} (${count}): ${summary}`);
    const ofRule = report.findings.filter((finding) => finding.rule === rule);
    for (const finding of ofRule.slice(0, SHOWN)) {
      lines.push(...findingLines(finding, report.devices.length > 1, width));
    }
    if (count > SHOWN) lines.push(`    and ${count - SHOWN} more`);
  }
  return lines;
}

function findingLines(finding: Finding, nameDevice: boolean, width: number): string[] {
  const device = nameDevice ? `${harmless(finding.device)}: ` : '';
  const lines = wrap(`    line ${finding.line}  `, device + harmless(finding.message), width);
  for (const { line, message } of finding.related) {
    lines.push(...wrap(`      line ${line}  `, harmless(message), width));
  }
  return lines;
}

function allocations(report: Report, chalk: ChalkInstance): string[] {
  const { total, omitted } = report.allocations;
  if (total === 0) return [];
  const rows = [...report.allocations.rows()].map(allocationCells);
  const head = ['line', 'call', 'device', 'orig_addr', 'size', 'slots', 'tlb_addr', 'recorded'];
  const lines = columns([head, ...rows]);
  lines[0] = chalk.dim(lines[0]);
  if (omitted > 0) {
    const last = rows.length - 4;
    lines.splice(last + 1, 0, `  ... ${counted(omitted, 'more request')}, all with --json ...`);
  }
  return [chalk.bold('Allocations'), ...lines];
}

function allocationCells(row: AllocationRow): (string | number)[] {
  const same = row.recorded === row.tlbAddr || (row.recorded === 'full' && row.tlbAddr === null);
  const recorded = row.recorded === null ? 'not recorded' : same ? 'the same' : row.recorded;
  return [
    row.line,
    row.op,
    harmless(row.device),
    row.op === 'alloc' ? '' : row.origAddr,
    row.size,
    row.slot === null
      ? `needs ${row.nslots}`
      : slotWords(row.slot, row.nslots).replace(/^\w+ /, ''),
    row.tlbAddr ?? `failed: ${row.cause ?? 'full'}`,
    recorded,
  ];
}

function fragmentation(report: Report, chalk: ChalkInstance): string[] {
  const end = mostBroken(report.fragmentation.end);
  const worst = mostBroken(report.fragmentation.worst);
  const several = report.pools.length > 1;
  const head = [
    '',
    several ? `at the end, ${harmless(end.pool)}` : 'at the end',
    several
      ? `at worst, ${harmless(worst.pool)} line ${worst.line}`
      : `at worst (line ${worst.line})`,
  ];
  const rows = fragmentationRows(end).map((row, n) => [...row, fragmentationRows(worst)[n][1]]);
  const lines = columns([head, ...rows]);
  lines[0] = chalk.dim(lines[0]);
  return [chalk.bold('Fragmentation'), ...lines];
}

function fragmentationRows(at: PoolFragmentation): [string, string][] {
  const { lost } = at;
  return [
    ['free slots', `${at.freeSlots}`],
    ['free runs', `${at.freeRuns}, the longest of ${counted(at.largestRun, 'slot')}`],
    [
      'runs by length',
      at.histogram.map(({ from, runs }) => `${from}+: ${runs}`).join(', ') || 'none',
    ],
    ['external', `${Math.round(at.external * 100)} %`],
    ['lost inside', `${sizeWords(lost.alignment)} in front, ${sizeWords(lost.rounding)} behind`],
    ['still served', servableWords(at)],
  ];
}

/** The largest request by alignment, equal sizes folded: `256 KiB (64 KiB aligned)`. */
function servableWords({ servable }: PoolFragmentation): string {
  const parts: string[] = [];
  const told = servable.filter(({ align }) => TOLD_ALIGNMENTS.includes(align));
  told.forEach(({ align, largest }, n) => {
    if (largest === 0 || told[n + 1]?.largest === largest) return;
    parts.push(`${sizeWords(largest)} at ${sizeWords(align)}`);
  });
  return parts.join(', ') || 'nothing';
}
