import { harmless, wellFormed } from '../harmless.js';

/** Markup that is safe as it is: made by `html`, or by us. */
export interface Markup {
  readonly markup: string;
}

/** What may stand in a template: text and numbers are escaped, markup and lists of it are not; nothing is left out. */
export type Content = string | number | Markup | undefined | readonly Content[];

const ENTITIES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Text that means itself in HTML, SVG and XML, between tags and inside quoted attributes. */
export function escaped(text: string): string {
  return wellFormed(harmless(text)).replace(/[&<>"']/g, (character) => ENTITIES[character]);
}

function markupOf(content: Content): string {
  if (content === undefined) return '';
  if (typeof content === 'string') return escaped(content);
  if (typeof content === 'number') return String(content);
  return 'markup' in content ? content.markup : content.map(markupOf).join('');
}

/** A template of HTML or SVG, in which everything that is put in is escaped unless it is markup itself. */
export function html(parts: TemplateStringsArray, ...contents: Content[]): Markup {
  return trusted(parts.reduce((before, part, n) => before + markupOf(contents[n - 1]) + part));
}

/** Markup of our own making, such as a style sheet: never anything from a trace. */
export function trusted(markup: string): Markup {
  return { markup };
}
