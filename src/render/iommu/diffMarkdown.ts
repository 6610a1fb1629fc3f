import type { Finding } from '../../check/finding.js';
import { areIommuDifferent, type IommuDiff, regressionsIn } from '../../report/iommuDiff.js';
import { counted } from '../columns.js';
import { markdownTable, plainMarkdown } from '../markdown.js';
import { between, differenceWords, totalCells } from './diff.js';

/** Different rows and findings that the page shows. */
const SHOWN = 16;

/** A diff of an IOMMU trace for a mail or a pull request. */
export function iommuDiffMarkdown(diff: IommuDiff, onlyRegressions: boolean): string {
  const { names, vanished, appeared } = diff;
  const path = plainMarkdown(diff.old.trace.path);
  const [old, fresh] = [plainMarkdown(names.old), plainMarkdown(names.new)];
  const regressions = regressionsIn(diff);
  const sections = onlyRegressions
    ? [[regressionWords(regressions)], findings(`Appear with ${fresh}`, regressions)]
    : [
        [areIommuDifferent(diff) ? `**${differenceWords(diff)}**` : 'No difference.'],
        rows(diff, [old, fresh]),
        findings(`Vanish with ${fresh}`, vanished),
        findings(`Appear with ${fresh}`, appeared),
        markdownTable(
          ['', old, fresh],
          totalCells(diff).map(([name, ...counts]) => [plainMarkdown(name), ...counts]),
        ),
      ];
  return `${[[`### ${path}: ${plainMarkdown(between(diff))}`], ...sections]
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')}\n`;
}

function regressionWords(list: readonly Finding[]): string {
  return list.length === 0 ? 'No regression.' : `**${counted(list.length, 'regression')}**`;
}

function rows({ comparison }: IommuDiff, names: readonly string[]): string[] {
  const { first, different } = comparison;
  if (different === 0) return [];
  const shown = first.slice(0, SHOWN);
  const cells = shown.map(({ line, op, old, new: is }) => [
    line,
    plainMarkdown(op),
    plainMarkdown(old),
    plainMarkdown(is),
  ]);
  const more = different - shown.length;
  return [
    ...markdownTable(['line', 'call', ...names], cells),
    ...(more > 0 ? ['', `- and ${more} more`] : []),
  ];
}

function findings(title: string, list: readonly Finding[]): string[] {
  if (list.length === 0) return [];
  const lines = list
    .slice(0, SHOWN)
    .map(
      ({ level, rule, line, device, message }) =>
        `- ${level}, line ${line}, \`${rule}\`: ${plainMarkdown(device)}: ${plainMarkdown(message)}`,
    );
  if (list.length > SHOWN) lines.push(`- and ${list.length - SHOWN} more`);
  return [`${title}: ${counted(list.length, 'finding')}`, '', ...lines];
}
