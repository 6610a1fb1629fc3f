import { Chalk, type ChalkInstance } from 'chalk';
import type { Diagnosis, LogProblem, RefusalGroup, Verdict } from '../analysis/diagnosis.js';
import { hex } from '../events/numbers.js';
import { counted, wrap } from './columns.js';
import { harmless, harmlessJson } from './harmless.js';
import type { RenderOptions } from './table.js';

/** Groups, problems and assumptions that are shown; JSON has all. */
const SHOWN = 12;

/** Verdicts in words, those that a larger pool cannot help first. */
const VERDICTS: Record<Verdict, string> = {
  'too-large': 'too large for any pool',
  'no-pool': 'no pool',
  'not-full': 'refused though slots were free',
  full: 'pool full',
  unknown: 'not known why',
};

/** A diagnosis for a terminal: what is proved first, then each kind of refusal, then what else is wrong. */
export function diagnosisText(diagnosis: Diagnosis, options: RenderOptions): string {
  const chalk = new Chalk({ level: options.colour });
  const sections = [
    head(diagnosis, options.width, chalk),
    refusals(diagnosis, options.width, chalk),
    problems(diagnosis, options.width, chalk),
  ];
  return `${sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')}\n`;
}

function head(diagnosis: Diagnosis, width: number, chalk: ChalkInstance): string[] {
  const { path, kernel, kernelReason, pools, totals, groups, assumptions, lines } = diagnosis;
  const where = `${harmless(path)}${kernel === undefined ? '' : ` on ${harmless(kernel)}`}`;
  const out = [`${where}: ${verdictWords(diagnosis, chalk)}`];
  const verdicts = (Object.keys(VERDICTS) as Verdict[])
    .map((verdict) => {
      const those = groups.filter((group) => group.verdict === verdict);
      const count = those.reduce((sum, group) => sum + group.count, 0);
      return count === 0 ? '' : `${count} ${VERDICTS[verdict]}`;
    })
    .filter(Boolean);
  if (verdicts.length > 0) out.push(...wrap('', verdicts.join(', '), width));
  const fact = (name: string, text: string): void => {
    out.push(...wrap(`  ${name.padEnd(8)}  `, harmless(text), width));
  };
  if (totals.reports + diagnosis.problems.length === 0) {
    fact(
      'read',
      `${counted(lines, 'line')} without a word about swiotlb refusals, dma-debug or an IOMMU fault`,
    );
  }
  if (kernelReason !== undefined) fact('kernel', `${kernel ?? 'not known'}: ${kernelReason}`);
  for (const { name, base, nslabs, areas } of pools.slice(0, SHOWN)) {
    fact('pool', `${name} at ${hex(base)}: ${nslabs} slots in ${counted(areas, 'area')}`);
  }
  for (const { line, message } of assumptions.slice(0, SHOWN)) {
    fact('assumed', line === undefined ? message : `${message} (line ${line})`);
  }
  return out;
}

function verdictWords({ totals, problems }: Diagnosis, chalk: ChalkInstance): string {
  if (totals.reports + problems.length === 0) return chalk.green('nothing found');
  const words: string[] = [];
  if (totals.reports > 0) {
    const more = totals.suppressed > 0 ? `, ${totals.suppressed} more suppressed` : '';
    words.push(`${counted(totals.reports, 'refused request')}${more}`);
  }
  const other = totals.reports > 0 ? 'other problem' : 'problem';
  if (problems.length > 0) words.push(counted(problems.length, other));
  return chalk.red(words.join('; '));
}

/** Most frequent first, within the verdicts' order. */
function refusals(diagnosis: Diagnosis, width: number, chalk: ChalkInstance): string[] {
  const order = Object.keys(VERDICTS);
  const groups = [...diagnosis.groups].sort(
    (a, b) =>
      order.indexOf(a.verdict) - order.indexOf(b.verdict) ||
      b.count + b.suppressed - (a.count + a.suppressed),
  );
  if (groups.length === 0) return [];
  const lines = ['Refused requests'];
  const several = new Set(groups.map(({ kernel }) => kernel)).size > 1;
  let told = '';
  groups.slice(0, SHOWN).forEach((group, n) => {
    lines.push(...groupLines(group, several, width, chalk));
    const same = groups[n + 1];
    told = group.reason + group.advice;
    const repeats = n + 1 < Math.min(groups.length, SHOWN) && same.reason + same.advice === told;
    if (repeats) return;
    lines.push(...wrap('    ', `${certainty(group)}: ${group.reason}.`, width));
    lines.push(...wrap('    ', group.advice, width));
  });
  const rest = groups.length - SHOWN;
  if (rest > 0) lines.push(`  ${counted(rest, 'kind')} more: --json lists them`);
  const { unlisted } = diagnosis.totals;
  if (unlisted > 0) lines.push(`  ${counted(unlisted, 'line')} of still other kinds only counted`);
  return lines;
}

function certainty({ proved, verdict }: RefusalGroup): string {
  if (proved) return 'Proved';
  return verdict === 'unknown' ? 'Not known' : 'Likely';
}

function groupLines(
  group: RefusalGroup,
  several: boolean,
  width: number,
  chalk: ChalkInstance,
): string[] {
  const { device, size, total, verdict, count, suppressed, firstLine, lastLine } = group;
  const { usedLeast, usedMost } = group;
  const used = usedLeast === usedMost ? `${usedMost}` : `${usedLeast} to ${usedMost}`;
  const slots = total === undefined ? '' : `; ${used} of ${total} slots used`;
  const lines = firstLine === lastLine ? `line ${firstLine}` : `lines ${firstLine} to ${lastLine}`;
  const times = count === 1 ? lines : `${count} times, ${lines}`;
  const more = suppressed === 0 ? '' : `, ${suppressed} more suppressed`;
  const on = several ? ` on ${harmless(group.kernel ?? 'a kernel not named')}` : '';
  const text = `${harmless(device ?? 'unnamed device')}${on}: ${size} bytes: ${times}${more}${slots}`;
  const [first, ...rest] = wrap(`  ${verdict.padEnd(9)}  `, text, width);
  return [first.replace(verdict, chalk.bold(verdict)), ...rest];
}

function problems(diagnosis: Diagnosis, width: number, chalk: ChalkInstance): string[] {
  if (diagnosis.problems.length === 0) return [];
  const lines = [diagnosis.groups.length > 0 ? 'Other problems' : 'Problems'];
  for (const problem of diagnosis.problems.slice(0, SHOWN)) {
    lines.push(...problemLines(problem, width, chalk));
  }
  const rest = diagnosis.problems.length - SHOWN;
  if (rest > 0) lines.push(`  ${counted(rest, 'problem')} more: --json lists them`);
  return lines;
}

function problemLines(problem: LogProblem, width: number, chalk: ChalkInstance): string[] {
  const { id, line, count, suppressed, device, message, affected, fixedBy, advice } = problem;
  const times = count === 1 ? '' : ` (${count} times)`;
  const more = suppressed === 0 ? '' : ` (${suppressed} more suppressed)`;
  const at = line === undefined ? '' : `, line ${line}`;
  const name = device === undefined ? '' : `${harmless(device)}: `;
  const known = [
    affected === undefined ? '' : `Affected: ${affected}.`,
    fixedBy === undefined ? '' : `Fixed by ${fixedBy}.`,
  ];
  return [
    `  ${chalk.bold(id)}${at}${times}${more}`,
    ...wrap('    ', `${name}${harmless(message)}`, width),
    ...wrap('    ', [...known, advice].filter(Boolean).join(' '), width),
  ];
}

/** A diagnosis as `swiotlb-replay/diagnosis@1`. */
export function diagnosisJson(diagnosis: Diagnosis): string {
  const { path, lines, kernel, kernelReason, pools, totals, assumptions } = diagnosis;
  const json = {
    schema: 'swiotlb-replay/diagnosis@1',
    path,
    lines,
    kernel: kernel ?? null,
    kernelReason: kernelReason ?? null,
    pools: pools.map(({ name, base, nslabs, areas, restricted }) => ({
      name,
      base: hex(base),
      nslabs,
      areas,
      restricted,
    })),
    reports: diagnosis.reports.map(nullsForUndefined),
    groups: diagnosis.groups.map(nullsForUndefined),
    problems: diagnosis.problems.map(nullsForUndefined),
    totals,
    assumptions: assumptions.map(nullsForUndefined),
  };
  return `${harmlessJson(json)}\n`;
}

function nullsForUndefined(row: object): object {
  return Object.fromEntries(Object.entries(row).map(([key, value]) => [key, value ?? null]));
}
