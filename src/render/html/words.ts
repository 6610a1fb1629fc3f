import { html, type Markup } from './markup.js';

/** A count with its thousands apart. */
export function grouped(count: number): string {
  return Math.round(count).toLocaleString('en-US');
}

/** `1 map`, `2,000 maps`. */
export function groupedOf(count: number, singular: string, plural = `${singular}s`): string {
  return `${grouped(count)} ${count === 1 ? singular : plural}`;
}

/** Markup joined by other markup. */
export function joined(parts: readonly Markup[], separator: Markup): Markup {
  return html`${parts.flatMap((part, n) => (n === 0 ? [part] : [separator, part]))}`;
}
