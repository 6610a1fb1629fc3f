import { harmless } from './harmless.js';

/**
 * Text for Markdown: nothing in it marks up, links, mentions anybody or ends a table's cell. Backslashes
 * where they read well in a mail, entities where those do not help.
 */
export function plainMarkdown(text: string): string {
  return harmless(text)
    .replace(/[\\`*_{}[\]|~#]/g, '\\$&')
    .replace(/[&<>@]/g, (character) => `&#${character.charCodeAt(0)};`)
    .replace(/(https?|ftp):\/\//gi, '$1:&#47;&#47;')
    .replace(/www\./gi, 'www&#46;');
}

/** A table; its cells are Markdown already. Numbers stand right. */
export function markdownTable(
  heads: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): string[] {
  const line = (cells: readonly (string | number)[]): string => `| ${cells.join(' | ')} |`;
  const rule = heads.map((_, n) =>
    rows.length > 0 && rows.every((row) => typeof row[n] === 'number') ? '--:' : '---',
  );
  return [line(heads), line(rule), ...rows.map(line)];
}
