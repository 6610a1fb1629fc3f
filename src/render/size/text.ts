import { Chalk, type ChalkInstance } from 'chalk';
import { sizeWords } from '../../check/words.js';
import type { SizeAnswer, SizedPool, SizeReport, SweepPoint } from '../../report/sizeReport.js';
import type { FailedRequest } from '../../sizing/trial.js';
import { columns, counted, wrap } from '../columns.js';
import { harmless } from '../harmless.js';
import { lossLines } from '../losses.js';
import type { RenderOptions } from '../table.js';

/** Assumptions and requests that are shown in words. */
const SHOWN = 8;

/** What `size` found, for a terminal: the answer, what it rests on, each number of areas, and its proof. */
export function sizeText(report: SizeReport, options: RenderOptions): string {
  const chalk = new Chalk({ level: options.colour });
  const sections = [
    verdict(report, options.width, chalk),
    facts(report, options.width),
    ...poolsOf(report).map((pool) => answers(report, pool, chalk)),
    proofs(report, options.width, chalk),
    refusals(report, options.width, chalk),
    neverServed(report, options.width, chalk),
    sweep(report, chalk),
  ];
  return sections
    .filter((lines) => lines.length > 0)
    .map((lines) => `${lines.join('\n')}\n`)
    .join('\n');
}

function poolsOf({ answers }: SizeReport): SizedPool[] {
  return [...new Set(answers.map(({ pool }) => pool))];
}

function verdict(report: SizeReport, width: number, chalk: ChalkInstance): string[] {
  const head = chalk.bold(`${harmless(report.path)} on ${report.kernel}: `);
  const lines = poolsOf(report).map((pool) => {
    const best = report.answers.find((answer) => answer.pool === pool) as SizeAnswer;
    return head + chalk.green(answerWords(best));
  });
  for (const { pool, areas, failsAt } of report.unanswered) {
    const tried = failsAt === undefined ? 'no pool' : `no pool up to ${slotWords(failsAt.nslabs)}`;
    const where = `${harmless(pool.name)}, ${counted(areas, 'area')}`;
    lines.push(head + chalk.red(`${tried} serves every request (${where})`));
  }
  if (report.sweep !== undefined) {
    lines.push(`${head}${counted(report.sweep.length, 'pool')} tried`);
  }
  const [incomplete, ...losses] = lossLines(report.losses, width);
  return incomplete === undefined ? lines : [...lines, chalk.yellow(incomplete), ...losses];
}

function answerWords({ pool, parameter, nslabs, areas, bytes }: SizeAnswer): string {
  const size = `${slotWords(nslabs)}${areas > 1 ? ` in ${areas} areas` : ''}`;
  if (parameter !== undefined) return `swiotlb=${parameter} is enough: ${size}`;
  return `a region of ${bytes} bytes is enough for ${harmless(pool.name)}: ${size}`;
}

function slotWords(nslabs: number): string {
  return `${counted(nslabs, 'slot')} (${sizeWords(nslabs * 2048)})`;
}

function facts(report: SizeReport, width: number): string[] {
  const lines: string[] = [];
  const fact = (name: string, text: string): void => {
    lines.push(...wrap(`  ${name.padEnd(10)}`, text, width));
  };
  const reason = report.kernelReason ? `, ${harmless(report.kernelReason)}` : '';
  fact('kernel', `${report.kernel}${reason}; ${sizeWords(report.pageSize)} pages`);
  for (const trace of report.traces) {
    const recorded =
      trace.recorded > 0
        ? `; ${trace.reproduced} of ${counted(trace.recorded, 'result')} reproduced in the recorded pool`
        : '';
    const name = report.traces.length > 1 ? `${harmless(trace.path)}: ` : '';
    fact('trace', `${name}${trace.format}, ${counted(trace.events, 'event')}${recorded}`);
  }
  fact('load', loadWords(report));
  for (const { line, message } of report.assumptions.slice(0, SHOWN)) {
    fact('assumed', `${harmless(message)}${line === undefined ? '' : ` (line ${line})`}`);
  }
  const more = report.assumptions.length - SHOWN;
  if (more > 0) fact('', `and ${more} more; --json has all`);
  return lines;
}

function loadWords({ traces, merged, requests, load, cpus }: SizeReport): string {
  const parts = [counted(requests, 'request')];
  if (traces.length > 1) parts.push(merged ? 'the traces at once' : 'each trace by itself');
  if (load.scale !== 1) parts.push(`laid over itself ${load.scale} times`);
  parts.push(`${load.cpus === undefined ? '' : 'spread over '}${counted(cpus, 'CPU')}`);
  return parts.join(', ');
}

const HEADS = ['areas', 'slots', 'size', 'peak', '99.9 %', 'spare', 'half as much again'];

/** The smallest pool by number of areas. */
function answers(report: SizeReport, pool: SizedPool, chalk: ChalkInstance): string[] {
  const rows = report.answers
    .filter((answer) => answer.pool === pool)
    .map((answer) => [
      answer.parameter === undefined ? `${answer.bytes} bytes` : `swiotlb=${answer.parameter}`,
      answer.areas,
      answer.nslabs,
      sizeWords(answer.bytes),
      answer.peakSlots,
      answer.percentile999,
      answer.headroomSlots,
      burstWords(answer),
    ]);
  if (rows.length === 0) return [];
  return [
    chalk.bold(`Smallest pools: ${harmless(pool.name)}`),
    ...columns([[pool.restricted ? 'region' : 'parameter', ...HEADS], ...rows]),
  ];
}

function burstWords({ burst }: SizeAnswer): string {
  if (burst === undefined) return 'more than any pool';
  return burst.parameter === undefined ? `${burst.bytes} bytes` : `swiotlb=${burst.parameter}`;
}

/** That one step smaller fails, and where one step larger does. */
function proofs(report: SizeReport, width: number, chalk: ChalkInstance): string[] {
  const { answers, traces } = report;
  const lines = answers.flatMap(({ areas, failsAt, failsAbove, parameter }) => [
    ...(failsAt === undefined
      ? wrap(
          '  ',
          `${parameter === undefined ? 'the region' : `swiotlb=${parameter}`}: there is no smaller pool`,
          width,
        )
      : wrap(
          '  ',
          `${slotWords(failsAt.nslabs)}, ${counted(areas, 'area')}: ${requestWords(failsAt.request, traces.length)}`,
          width,
        )),
    ...(failsAbove === undefined
      ? []
      : wrap(
          '  larger, and fails all the same: ',
          `${slotWords(failsAbove.nslabs)}: ${requestWords(failsAbove.request, traces.length)}`,
          width,
        )),
  ]);
  return lines.length > 0 ? [chalk.bold('One step smaller'), ...lines] : [];
}

/** What fails even in the largest pool that was tried. */
function refusals(
  { unanswered, traces }: SizeReport,
  width: number,
  chalk: ChalkInstance,
): string[] {
  const lines = unanswered.flatMap(({ areas, failsAt }) =>
    failsAt === undefined
      ? []
      : wrap(
          '  ',
          `${slotWords(failsAt.nslabs)}, ${counted(areas, 'area')}: ${requestWords(failsAt.request, traces.length)}`,
          width,
        ),
  );
  return lines.length > 0 ? [chalk.bold('What fails in the largest'), ...lines] : [];
}

function requestWords(request: FailedRequest, traces: number): string {
  const { path, line, device, size, cause, reason } = request;
  const where = traces > 1 ? `${harmless(path)} ` : '';
  return (
    `${where}line ${line}: ${sizeWords(size)} for ${harmless(device)}:` +
    ` ${cause}: ${harmless(reason)}`
  );
}

function neverServed(report: SizeReport, width: number, chalk: ChalkInstance): string[] {
  if (report.never === 0) return [];
  const lines = report.neverServed
    .slice(0, SHOWN)
    .flatMap((request) => wrap('  ', requestWords(request, report.traces.length), width));
  const more = report.never - Math.min(SHOWN, report.neverServed.length);
  if (more > 0) lines.push(`  and ${counted(more, 'request')} more`);
  return [
    chalk.bold(`Left out: ${counted(report.never, 'request')} that no pool serves, however large`),
    ...lines,
  ];
}

/** The table of a sweep. */
function sweep({ sweep: points }: SizeReport, chalk: ChalkInstance): string[] {
  if (points === undefined) return [];
  const heads = ['kernel', 'asked', 'areas', 'slots', 'size', 'failed', 'peak', '99.9 %', 'first'];
  const pools = [...new Set(points.map(({ pool }) => pool))];
  return pools.flatMap((pool) => [
    chalk.bold(`Pool ${harmless(pool.name)}`),
    ...columns([heads, ...points.filter((point) => point.pool === pool).map(sweepRow)]),
  ]);
}

function sweepRow(point: SweepPoint): (string | number)[] {
  const { asked, areas, nslabs, bytes, failed, first } = point;
  return [
    point.kernel,
    `${asked.nslabs},${asked.areas}`,
    areas,
    nslabs,
    sizeWords(bytes),
    failed,
    point.peakSlots,
    point.percentile999,
    first === undefined ? 'fits' : `line ${first.line}: ${first.cause}`,
  ];
}
