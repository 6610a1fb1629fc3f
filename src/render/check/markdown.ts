import type { CheckResult, CheckStatus } from '../../corpus/result.js';
import { harmless, wellFormed } from '../harmless.js';
import { differenceWords, everyCase, moreWords, summaryWords } from './words.js';

/** Differences of a case, and cases with differences, that are told: a job summary ends at 1 MiB. */
const SHOWN = 10;
const SHOWN_CASES = 200;

const WORDS: Record<CheckStatus, string> = {
  passed: 'as expected',
  failed: '**differs**',
  error: '**could not be checked**',
  skipped: 'no expectations',
};

/** A check as a Markdown page: the sum, what differs, and a table of the traces. */
export function checkMarkdown(result: CheckResult): string {
  const bad = everyCase(result).filter(({ each }) => each.differences.length > 0);
  const lines = ['## swiotlb-replay check', '', summaryWords(result), ''];
  for (const { trace, each } of bad.slice(0, SHOWN_CASES)) {
    lines.push(`### ${markdown(trace.trace)}, ${markdown(each.name)}`, '');
    const words = each.differences.slice(0, SHOWN).map(differenceWords);
    lines.push(...words.map((line) => `- ${markdown(line)}`));
    lines.push(...moreWords(each.count, words.length).map((line) => `- ${line}`), '');
  }
  if (bad.length > SHOWN_CASES) lines.push(`and ${bad.length - SHOWN_CASES} more cases`, '');
  return `${[...lines, ...table(result)].join('\n')}\n`;
}

/** Traces that are not as expected come first in a table that may be cut. */
function table({ traces }: CheckResult): string[] {
  const isGood = ({ status }: { status: CheckStatus }): number => (status === 'passed' ? 1 : 0);
  const ordered = [...traces].sort((a, b) => isGood(a) - isGood(b));
  const rows = ordered
    .slice(0, SHOWN_CASES)
    .map(
      ({ trace, cases, status }) =>
        `| ${markdown(trace)} | ${cases.map(({ name }) => markdown(name)).join(', ')} | ${WORDS[status]} |`,
    );
  if (traces.length > SHOWN_CASES) rows.push(`| and ${traces.length - SHOWN_CASES} more | | |`);
  return ['| trace | cases | |', '| --- | --- | --- |', ...rows];
}

/**
 * Text that Markdown shows as it is: everything that could be markup or HTML is written as a character
 * reference, and so is what would make a word a link.
 */
function markdown(text: string): string {
  return wellFormed(harmless(text))
    .replace(/[^\p{L}\p{N} .,:;=()/+-]/gu, (character) => `&#${character.codePointAt(0)};`)
    .replace(/:\/\//g, '&#58;//')
    .replace(/\bwww\./gi, (word) => `${word.slice(0, 3)}&#46;`);
}
