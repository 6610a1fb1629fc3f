import { html, type Markup } from './markup.js';

/** A label beside a panel. */
export interface Label {
  /** Pixels from the top. */
  y: number;
  text: string;
}

/** A drawing of any width: its content places things by percent across, by pixels down. */
export interface Panel {
  height: number;
  title: string;
  labels: Label[];
  body: Markup;
}

/** Width of the labels beside a panel, in pixels. */
export const GUTTER = 84;

/** Labels to the left of a panel. */
export function gutter(labels: readonly Label[], height: number): Markup {
  return html`<svg class="gutter" width="${GUTTER}" height="${height}" aria-hidden="true">${labelText(labels)}</svg>`;
}

/** Labels as text, right-aligned against what they stand beside. */
export function labelText(labels: readonly Label[]): Markup {
  return html`${labels.map(
    ({ y, text }) => html`<text x="100%" dx="-6" y="${y + 4}" text-anchor="end">${text}</text>`,
  )}`;
}

/** A panel as wide as the page lets it be. */
export function panelMarkup({ height, title, labels, body }: Panel): Markup {
  return html`<div class="plot">${gutter(labels, height)}<svg class="panel" width="100%" height="${height}" role="img" aria-label="${title}"><title>${title}</title>${body}</svg></div>`;
}
