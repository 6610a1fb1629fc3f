import { Chalk, type ChalkInstance } from 'chalk';
import { hex } from '../../events/numbers.js';
import { firstHang, type IommuDevice, type IommuReport } from '../../report/iommuReport.js';
import { columns, counted, wrap } from '../columns.js';
import { harmless } from '../harmless.js';
import { lossLines } from '../losses.js';
import type { RenderOptions } from '../table.js';
import { findingsSection, verdictWords } from './findings.js';

/** Devices, mismatches and assumptions that are shown. */
const SHOWN_DEVICES = 10;
const SHOWN = 5;

/** The report of an IOMMU trace for a terminal: verdict, facts, findings, statistics. */
export function iommuReportText(report: IommuReport, { width, colour }: RenderOptions): string {
  const chalk = new Chalk({ level: colour });
  const shown = [...report.devices]
    .sort((a, b) => b.mappings.made - a.mappings.made)
    .slice(0, SHOWN_DEVICES);
  const sections = [
    [...verdict(report, width, chalk), '', ...facts(report, width)],
    findingsSection(report.findings, report.counts, width, chalk),
    mismatches(report, width, chalk),
    [
      chalk.bold(report.effects === null ? 'Domains' : 'Devices'),
      ...mappings(report, shown, chalk),
    ],
    [chalk.bold('Device addresses, in granules'), ...space(shown, chalk)],
    caches(shown, chalk),
    work(report, chalk),
  ];
  return sections
    .flatMap((lines) => (lines.length > 0 ? [`${lines.join('\n')}\n`] : []))
    .join('\n');
}

function verdict(report: IommuReport, width: number, chalk: ChalkInstance): string[] {
  const { trace, kernel, counts, losses } = report;
  const line = firstHang(report);
  const head = chalk.bold(`${harmless(trace.path)} on ${harmless(kernel)}: `);
  const hangs =
    line === undefined
      ? ''
      : chalk.red(`the search of line ${line} never ends: this kernel hangs; `);
  return [head + hangs + verdictWords(counts, chalk), ...lossLines(losses, width)];
}

function facts(report: IommuReport, width: number): string[] {
  const { trace, record, pool, notReplayed } = report;
  const why = report.kernelReason === undefined ? '' : `, ${report.kernelReason}`;
  const lines = wrap(
    '  kernel    ',
    `${harmless(report.kernel)}${why}; ${report.pageSize / 1024} KiB pages, ${counted(report.cpus, 'CPU')}`,
    width,
  );
  lines.push(`  trace     ${trace.format}, ${counted(trace.events, 'row')}`);
  if (record.recorded > 0) {
    const same = record.recorded - record.mismatches;
    lines.push(`  recorded  ${same} of ${counted(record.recorded, 'row')} reproduced`);
  }
  if (notReplayed > 0) {
    lines.push(`  left out  ${counted(notReplayed, 'row')} about mappings that are not there`);
  }
  const neverEnded = report.devices.reduce((sum, { mappings: own }) => sum + own.neverEnded, 0);
  if (neverEnded > 0) {
    const words = `${counted(neverEnded, 'mapping')} that the trace records as failed, so that nothing in it ends them`;
    lines.push(...wrap('  made here ', words, width));
  }
  if (pool !== null) {
    const slots = `${pool.nslabs} slots, ${pool.used} used at the end, ${pool.usedPeak} at most`;
    lines.push(`  pool      at ${hex(pool.base)}: ${slots}`);
  }
  for (const { line, message } of report.assumptions.slice(0, SHOWN)) {
    const place = line === undefined ? '' : ` (line ${line})`;
    lines.push(...wrap('  assumed   ', harmless(message) + place, width));
  }
  if (trace.skipped > 0) {
    lines.push(`  skipped   ${counted(trace.skipped, 'line')} that could not be understood:`);
    for (const { line, message, text } of report.problems.slice(0, SHOWN)) {
      lines.push(...wrap(`    line ${line}  `, harmless(`${message}: ${text}`), width));
    }
  }
  return lines;
}

function mismatches(
  { record, kernel }: IommuReport,
  width: number,
  chalk: ChalkInstance,
): string[] {
  if (record.mismatches === 0) return [];
  const lines = [chalk.bold('Rows that are not as recorded')];
  for (const { line, recorded, replayed } of record.first.slice(0, SHOWN)) {
    const words = harmless(`recorded ${recorded}; ${kernel} gives ${replayed}`);
    lines.push(...wrap(`  line ${line}  `, words, width));
  }
  if (record.mismatches > SHOWN) lines.push(`  and ${record.mismatches - SHOWN} more`);
  return lines;
}

/** A table with its head dimmed. */
function table(
  head: readonly string[],
  rows: readonly (readonly (string | number)[])[],
  chalk: ChalkInstance,
): string[] {
  const lines = columns([head, ...rows]);
  lines[0] = chalk.dim(lines[0]);
  return lines;
}

function mappings(
  { devices, effects }: IommuReport,
  shown: readonly IommuDevice[],
  chalk: ChalkInstance,
): string[] {
  const isDma = effects !== null;
  const head = ['name', 'granule', 'mode', 'made', 'failed', 'live', 'bytes'];
  const rows = shown.map(({ name, granule, lazy, untrusted, mappings: own, granulesMapped }) => [
    harmless(name),
    `${granule / 1024} KiB`,
    `${untrusted ? 'untrusted, ' : ''}${lazy ? 'lazy' : 'strict'}`,
    own.made,
    own.failed,
    own.live,
    own.bytes,
    ...(isDma ? [own.beyondNeed, granulesMapped ?? 0] : []),
  ]);
  const dmaHead = isDma ? ['beyond need', 'granules at the end'] : [];
  const lines = table([...head, ...dmaHead], rows, chalk);
  const more = devices.length - shown.length;
  if (more > 0) lines.push(`  and ${more} more; --json has all`);
  return lines;
}

function space(shown: readonly IommuDevice[], chalk: ChalkInstance): string[] {
  const head = ['name', 'used at the end', 'at most', 'gaps', 'largest gap', 'up to'];
  const rows = shown.map(({ name, space: own }) => [
    harmless(name),
    own.used,
    own.usedPeak,
    own.gaps,
    own.largestGap,
    hex(own.lastAllowed),
  ]);
  return table(head, rows, chalk);
}

/** The caches that were asked, and the flush queues that were used. */
function caches(shown: readonly IommuDevice[], chalk: ChalkInstance): string[] {
  const rows = shown.flatMap(({ name, caches: own }) =>
    own
      .filter(({ hits, misses }) => hits + misses > 0)
      .map(({ granules, hits, misses, depot }) => [
        harmless(name),
        granules,
        hits,
        misses,
        `${Math.round((hits / (hits + misses)) * 100)} %`,
        depot,
      ]),
  );
  const head = ['name', 'granules', 'hits', 'misses', 'hit rate', 'magazines in the depot'];
  const lines = rows.length === 0 ? [] : [chalk.bold('Caches'), ...table(head, rows, chalk)];
  const queues = shown.filter(({ queue }) => queue.queued > 0);
  if (queues.length === 0) return lines;
  return [
    ...lines,
    ...(lines.length > 0 ? [''] : []),
    chalk.bold('Flush queues'),
    ...table(
      ['name', 'ranges queued', 'waiting at the end', 'flushes'],
      queues.map(({ name, queue: { queued, waiting, flushes } }) => [
        harmless(name),
        queued,
        waiting,
        flushes,
      ]),
      chalk,
    ),
  ];
}

function work({ effects }: IommuReport, chalk: ChalkInstance): string[] {
  if (effects === null) return [];
  const { warnings, stray } = effects;
  const copied = (count: number, bytes: number): string =>
    `${bytes} bytes in ${counted(count, 'copy', 'copies')}`;
  const lines = columns([
    ['copied into the pool', copied(effects.copiesIn, effects.bytesIn)],
    ['copied out of it', copied(effects.copiesOut, effects.bytesOut)],
    [
      'cache maintenance',
      `${effects.cacheForDevice} for the device, ${effects.cacheForCpu} for the CPU, ${effects.cacheBytes} bytes`,
    ],
    ['kernel warnings', String(warnings)],
    ...(stray > 0 ? [['fills and copies gone astray', String(stray)]] : []),
  ]);
  return [chalk.bold('Work'), ...lines];
}
