import { Chalk, type ChalkInstance } from 'chalk';
import type { CaseResult, CheckResult, CheckStatus } from '../../corpus/result.js';
import { wrap } from '../columns.js';
import { harmless } from '../harmless.js';
import type { RenderOptions } from '../table.js';
import { differenceWords, everyCase, moreWords, summaryWords } from './words.js';

/** Differences of a case that are shown. */
const SHOWN = 10;

/** A check for a terminal: what differs, what has no expectations, and a line with the sum. */
export function checkText(result: CheckResult, options: RenderOptions): string {
  const chalk = new Chalk({ level: options.colour });
  const lines: string[] = [];
  for (const { trace, each } of everyCase(result)) {
    if (each.status === 'passed') continue;
    const name = each.kernel === '' ? '' : `  ${harmless(each.name)}`;
    const reason = each.status === 'skipped' ? `: ${harmless(trace.reason ?? '')}` : '';
    lines.push(`${statusWord(each.status, chalk)}  ${harmless(trace.trace)}${name}${reason}`);
    lines.push(...differenceLines(each, options.width));
  }
  lines.push(chalk.bold(summaryWords(result)));
  return `${lines.join('\n')}\n`;
}

function statusWord(status: CheckStatus, chalk: ChalkInstance): string {
  if (status === 'skipped') return chalk.yellow('SKIPPED');
  return chalk.red(status === 'error' ? 'ERROR  ' : 'DIFFERS');
}

function differenceLines({ differences, count }: CaseResult, width: number): string[] {
  const shown = differences.slice(0, SHOWN);
  const lines = shown.flatMap((difference) => wrap('  ', differenceWords(difference), width));
  return [...lines, ...moreWords(count, shown.length).map((line) => `  ${line}`)];
}
