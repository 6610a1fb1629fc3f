import { scaleBand, scaleLinear } from 'd3-scale';
import { html } from './markup.js';
import type { Panel } from './panel.js';
import { grouped } from './words.js';

/** One bar of a group. */
export interface Bar {
  /** Of the style sheet. */
  className: string;
  value: number;
  /** Said of the bar, besides its value. */
  title: string;
}

/** A group of bars, beside or above one another. */
export interface Group {
  name: string;
  bars: Bar[];
}

const HEIGHT = 150;
const FOOT = 20;
const TOP = 8;

/**
 * Bars in groups.
 * @param least of the scale's end, so that two charts can have the same
 */
export function barChart(
  title: string,
  groups: readonly Group[],
  stacked: boolean,
  least = 1,
): Panel {
  const heights = groups.map(({ bars }) =>
    bars.reduce((high, { value }) => (stacked ? high + value : Math.max(high, value)), 0),
  );
  const y = scaleLinear([0, Math.max(least, ...heights)], [HEIGHT - FOOT, TOP]).nice(4);
  const x = scaleBand(
    groups.map((_, n) => n),
    [0, 100],
  ).padding(0.2);
  const ticks = y.ticks(4).filter(Number.isInteger);
  return {
    height: HEIGHT,
    title,
    labels: ticks.map((value) => ({ y: y(value), text: grouped(value) })),
    body: html`${ticks.map((value) => html`<line class="grid" x1="0" x2="100%" y1="${y(value)}" y2="${y(value)}"/>`)}${groups.map(
      ({ name, bars }, n) => {
        const left = x(n) ?? 0;
        const width = stacked ? x.bandwidth() : x.bandwidth() / bars.length;
        let below = 0;
        return html`${bars.map(({ className, value, title: words }, at) => {
          const top = y(below + value);
          const height = y(below) - top;
          if (stacked) below += value;
          const from = stacked ? left : left + at * width;
          return html`<rect class="${className}" x="${from.toFixed(2)}%" width="${width.toFixed(2)}%" y="${top.toFixed(1)}" height="${height.toFixed(1)}"><title>${words}</title></rect>`;
        })}<text x="${(left + x.bandwidth() / 2).toFixed(2)}%" y="${HEIGHT - 5}" text-anchor="middle">${name}</text>`;
      },
    )}`,
  };
}
