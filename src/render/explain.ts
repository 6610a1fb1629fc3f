import { Chalk, type ChalkInstance } from 'chalk';
import type { AreaSearch, CandidateRun, Explanation } from '../analysis/explain.js';
import { slotWords } from '../check/words.js';
import { hex } from '../events/numbers.js';
import { counted, wrap } from './columns.js';
import { harmless, harmlessJson } from './harmless.js';
import type { RenderOptions } from './table.js';

/** Runs of candidates of an area that are shown at its beginning and at its end. */
const SHOWN_FIRST = 12;
const SHOWN_LAST = 6;

/** An explanation for a terminal. */
export function explainText(
  path: string,
  explanation: Explanation,
  options: RenderOptions,
): string {
  const chalk = new Chalk({ level: options.colour });
  const lines = [verdict(path, explanation, chalk), ''];
  for (const [name, text] of planFacts(explanation)) {
    lines.push(...wrap(`  ${name.padEnd(9)}`, text, options.width));
  }
  const visited = explanation.areas.filter(({ candidates }) => candidates.length > 0);
  lines.push('', chalk.bold(`Candidates, ${counted(explanation.examined, 'slot')} examined`));
  for (const area of visited) lines.push(...areaLines(area, explanation));
  lines.push(...notSearched(explanation, options.width));
  if (explanation.cause) {
    const { cause, reason } = explanation.cause;
    lines.push('', ...wrap('Cause  ', `${cause}: ${reason}`, options.width));
  }
  return `${lines.join('\n')}\n`;
}

/** An explanation for JSON, but for its areas, of which callers list as many as they want. */
export function explanationFields(explanation: Explanation): Record<string, unknown> {
  const { plan, result, cause } = explanation;
  return {
    ...explanation,
    origAddr: hex(explanation.origAddr),
    allocAlignMask: hex(explanation.allocAlignMask),
    minAlignMask: hex(explanation.minAlignMask),
    plan: {
      ...plan,
      clearMask: hex(plan.clearMask >>> 0),
      matchMask: hex(plan.matchMask >>> 0),
      matchBits: hex(plan.matchBits >>> 0),
    },
    result: result ? { ...result, address: hex(result.address) } : null,
    cause: cause ?? null,
  };
}

/** Runs of candidates for JSON. */
export function candidateValues(candidates: readonly CandidateRun[]): unknown[] {
  return candidates.map((run) => ({ ...run, reason: run.reason ?? null }));
}

/** An explanation as `swiotlb-replay/explain@1`, on one line. */
export function explainJson(path: string, explanation: Explanation): string {
  return `${harmlessJson({
    schema: 'swiotlb-replay/explain@1',
    path,
    ...explanationFields(explanation),
    areas: explanation.areas.map((area) => ({
      ...area,
      candidates: candidateValues(area.candidates),
    })),
  })}\n`;
}

function verdict(path: string, explanation: Explanation, chalk: ChalkInstance): string {
  const { line, kernel, op, device, size, result } = explanation;
  const what = chalk.bold(`${harmless(path)} line ${line} on ${kernel}:`);
  const got = result
    ? `gets ${slotWords(result.slot, result.nslots)} at ${hex(result.address)}`
    : chalk.red('fails');
  return `${what} ${op} of ${size} bytes for ${harmless(device)} ${got}`;
}

/** The numbers that the search ran with. */
export function plannedWords({ plan }: Explanation): string {
  const masks = [
    plan.clearMask ? `clear ${hex(plan.clearMask >>> 0)}` : '',
    plan.matchMask ? `match ${hex(plan.matchMask >>> 0)} = ${hex(plan.matchBits >>> 0)}` : '',
  ].filter(Boolean);
  return (
    `${counted(plan.nslots, 'slot')} for ${plan.totalSize} bytes, ${plan.offset} of them in front;` +
    ` stride ${plan.stride}; ${masks.join(', ') || 'no address bits asked for'}`
  );
}

function planFacts(explanation: Explanation): [string, string][] {
  const { origAddr, allocSize, allocAlignMask, minAlignMask, cpu } = explanation;
  return [
    [
      'asked',
      `orig_addr ${hex(origAddr)}, alloc_size ${allocSize}, alloc_align_mask ${hex(allocAlignMask)},` +
        ` min_align_mask ${hex(minAlignMask)}, CPU ${cpu}`,
    ],
    ['planned', plannedWords(explanation)],
    ...explanation.formulas.map((formula): [string, string] => ['formula', formula]),
  ];
}

function areaLines(area: AreaSearch, { areas }: Explanation): string[] {
  const name = areas.length > 1 ? `pool ${harmless(area.pool)} area ${area.area}` : 'the pool';
  const lines = [`  ${name}, from index ${area.index}, ${counted(area.room, 'slot')} left`];
  const { candidates } = area;
  const omitted = candidates.length - SHOWN_FIRST - SHOWN_LAST;
  if (omitted <= 1) return [...lines, ...candidates.map(runLine)];
  const middle = candidates.slice(SHOWN_FIRST, -SHOWN_LAST);
  const slots = middle.reduce((sum, { count }) => sum + count, 0);
  return [
    ...lines,
    ...candidates.slice(0, SHOWN_FIRST).map(runLine),
    `    ... ${counted(slots, 'candidate')} more, all with --json ...`,
    ...candidates.slice(-SHOWN_LAST).map(runLine),
  ];
}

/** A run of candidates and what ruled it out. */
export function runLine(run: CandidateRun): string {
  const { first, last, count, reason } = run;
  if (reason === undefined) return `    slot ${first}: chosen`;
  const why = reason + detailWords(run);
  if (count === 1) return `    slot ${first}: ${why}`;
  return `    slots ${first} to ${last}, ${count} candidates: ${why}`;
}

function detailWords({ reason, details, count }: CandidateRun): string {
  if (details.length === 0) return '';
  const list = details.join(', ') + (count > details.length && details.length > 3 ? ', ...' : '');
  return reason === 'in use'
    ? `, since ${details.length === 1 ? 'line' : 'lines'} ${list}`
    : ` (${list})`;
}

function notSearched({ areas, plan, result }: Explanation, width: number): string[] {
  const lines: string[] = [];
  for (const { pool, area, room, candidates } of areas) {
    if (candidates.length > 0) continue;
    const name = `pool ${harmless(pool)} area ${area}`;
    if (room < plan.nslots) {
      lines.push(...wrap('  ', `${name}: not searched, ${counted(room, 'slot')} left`, width));
    } else if (result === undefined) {
      lines.push(...wrap('  ', `${name}: not searched`, width));
    }
  }
  return lines;
}
