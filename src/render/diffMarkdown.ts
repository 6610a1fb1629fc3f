import { Chalk } from 'chalk';
import { RULES } from '../check/rules.js';
import { areDifferent, type DiffReport, regressionsOf, totalOf } from '../report/diffReport.js';
import { type OneSided, sharesOf } from '../report/findingComparison.js';
import { counted } from './columns.js';
import { verdictWords } from './diff.js';
import {
  DEVICE_HEADS,
  deviceRows,
  differenceHeads,
  differenceRows,
  moreDifferences,
  totalRows,
} from './diffRows.js';
import { divergenceWords, givenWords, sideWords } from './divergence.js';
import { markdownTable, plainMarkdown } from './markdown.js';

/** Different addresses and findings that the page shows. */
const SHOWN_ROWS = 16;
const SHOWN_FINDINGS = 16;

/** A diff for a mail or a pull request. */
export function diffMarkdown(diff: DiffReport, onlyRegressions: boolean): string {
  const { names, vanished, appeared } = diff;
  const regressions = regressionsOf(diff);
  const path = plainMarkdown(diff.old.trace.path);
  const title = `### ${path}: ${plainMarkdown(names.old)} to ${plainMarkdown(names.new)}`;
  const appear = `Appear with ${plainMarkdown(names.new)}`;
  const sections = onlyRegressions
    ? [[regressionWords(regressions)], findings(appear, regressions)]
    : [
        [verdict(diff)],
        divergence(diff),
        addresses(diff),
        devices(diff),
        findings(`Vanish with ${plainMarkdown(names.new)}`, vanished),
        findings(appear, appeared),
        totals(diff),
      ];
  return `${[[title], ...sections]
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')}\n`;
}

function regressionWords(regressions: OneSided): string {
  const total = totalOf(regressions);
  return total === 0 ? 'No regression.' : `**${counted(total, 'regression')}**`;
}

function verdict(diff: DiffReport): string {
  return areDifferent(diff)
    ? `**${verdictWords(diff, new Chalk({ level: 0 }))}**`
    : 'No difference.';
}

function divergence({ comparison, names }: DiffReport): string[] {
  const { divergence } = comparison;
  if (divergence === undefined) return [];
  const side = (name: string, explanation: typeof divergence.old): string[] => {
    const { got, planned, candidates } = sideWords(explanation);
    return [
      `- **${plainMarkdown(name)}**: ${plainMarkdown(got)}`,
      `  - wants ${plainMarkdown(planned)}`,
      ...candidates.map((line) => `  - ${plainMarkdown(line)}`),
    ];
  };
  const given = givenWords(divergence);
  return [
    `First difference: ${plainMarkdown(divergenceWords(divergence))}`,
    '',
    ...side(names.old, divergence.old),
    ...side(names.new, divergence.new),
    ...(given === '' ? [] : [`  - ${given}`]),
  ];
}

function addresses(diff: DiffReport): string[] {
  const rows = differenceRows(diff, SHOWN_ROWS);
  if (rows.length === 0) return [];
  const cells = rows.map((row) => [
    ...row.cells.map((cell) => (typeof cell === 'number' ? cell : plainMarkdown(cell))),
    row.folded,
  ]);
  const more = moreDifferences(diff, SHOWN_ROWS);
  const heads = [...differenceHeads(diff).map(plainMarkdown), ''];
  return [
    ...markdownTable(heads, cells),
    ...(more.length > 0 ? ['', ...more.map((words) => `- ${words}`)] : []),
  ];
}

function devices(diff: DiffReport): string[] {
  const { rows, more } = deviceRows(diff);
  if (rows.length === 0) return [];
  const cells = rows.map((row) =>
    row.map((cell) => (typeof cell === 'number' ? cell : plainMarkdown(cell))),
  );
  return [...markdownTable(DEVICE_HEADS, cells), ...(more === '' ? [] : ['', more])];
}

function findings(title: string, side: OneSided): string[] {
  const total = totalOf(side);
  if (total === 0) return [];
  const lines = sharesOf(side, SHOWN_FINDINGS).flatMap(({ rule, count, shown }) => [
    `- ${RULES[rule].level} \`${rule}\` (${count}): ${plainMarkdown(RULES[rule].summary)}`,
    ...shown.map(
      ({ line, device, message }) =>
        `  - line ${line}: ${plainMarkdown(device)}: ${plainMarkdown(message)}`,
    ),
    ...(count > shown.length ? [`  - and ${count - shown.length} more`] : []),
  ]);
  return [`${title}: ${counted(total, 'finding')}`, '', ...lines];
}

function totals(diff: DiffReport): string[] {
  const { names } = diff;
  const rows = totalRows(diff).map((row) => row.map((cell) => plainMarkdown(cell.trim())));
  return markdownTable(['', plainMarkdown(names.old), plainMarkdown(names.new)], rows);
}
