import type { CheckResult } from '../../corpus/result.js';
import { harmless } from '../harmless.js';
import { differenceWords, everyCase, moreWords, summaryWords } from './words.js';

/** Annotations of one kind that GitHub shows for a step. */
const SHOWN = 10;

/** A check as workflow commands: an annotation per case that differs, at the first line that does. */
export function checkGithub(result: CheckResult): string {
  const bad = everyCase(result).filter(({ each }) => each.differences.length > 0);
  const told = bad.length > SHOWN ? SHOWN - 1 : bad.length;
  const lines = bad.slice(0, told).map(({ trace, each }) => {
    const [{ line }] = each.differences;
    const words = each.differences.slice(0, SHOWN).map(differenceWords);
    const message = [`${harmless(trace.trace)}, ${harmless(each.name)}`, ...words];
    message.push(...moreWords(each.count, words.length));
    return command('error', message.join('\n'), {
      file: harmless(trace.trace),
      ...(line !== null && { line: String(line) }),
      title: `${harmless(each.name)}: ${each.differences[0].rule}`,
    });
  });
  if (bad.length > told) {
    const names = bad
      .slice(told, told + SHOWN)
      .map(({ trace, each }) => `${trace.trace}, ${each.name}`);
    const message = [`${bad.length - told} more cases differ, such as`, ...names.map(harmless)];
    lines.push(command('error', message.join('\n'), { title: 'swiotlb-replay check' }));
  }
  const skipped = result.traces.filter(({ status }) => status === 'skipped');
  if (skipped.length > 0) {
    const names = skipped.slice(0, SHOWN).map(({ trace }) => harmless(trace));
    if (skipped.length > SHOWN) names.push('...');
    const message = `${skipped.length} without expectations: ${names.join(', ')}`;
    lines.push(command('notice', message, { title: 'swiotlb-replay check' }));
  }
  // Not a command: it is what the log shows of a check in which nothing differs.
  lines.push(summaryWords(result));
  return `${lines.join('\n')}\n`;
}

/** A workflow command; what would end it or begin another is escaped as the runner reads it. */
function command(name: string, message: string, properties: Record<string, string>): string {
  const words = Object.entries(properties).map(
    ([key, value]) => `${key}=${data(value).replaceAll(':', '%3A').replaceAll(',', '%2C')}`,
  );
  return `::${name} ${words.join(',')}::${data(message)}`;
}

function data(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}
