import { mostBroken, type Report } from '../../report/report.js';
import { AXIS_HEIGHT, axis } from './axis.js';
import { type Colours, coloursOf, NAMED } from './colours.js';
import { fragmentationChart, sizesChart } from './distributions.js';
import { type Drawing, drawingOf } from './drawing.js';
import { html, type Markup, trusted } from './markup.js';
import { occupancyChart, peakOf } from './occupancyChart.js';
import { GUTTER, labelText, type Panel } from './panel.js';
import { DRAWING_STYLE } from './style.js';

/** Width of a picture in pixels, and the height of its head. */
const WIDTH = 900;
const HEAD = 44;

/** A picture: a panel, and what stands above and below it. */
interface Plot {
  panel: Panel;
  legend: { className: string; name: string }[];
  axis: Markup | undefined;
}

/** Every picture that can be had alone. */
export const PLOTS: Record<string, (drawing: Drawing) => Plot> = {
  occupancy: ({ timeline, colours }) => ({
    panel: occupancyChart(timeline, colours, peakOf(timeline)),
    legend: deviceLegend(colours),
    axis: axis(timeline),
  }),
  fragmentation: ({ report }) => ({
    panel: fragmentationChart(
      mostBroken(report.fragmentation.end),
      mostBroken(report.fragmentation.worst),
    ),
    legend: [
      { className: 'end', name: 'at the end' },
      { className: 'worst', name: 'at worst' },
    ],
    axis: undefined,
  }),
  sizes: ({ sizes }) => ({
    panel: sizesChart(sizes),
    legend: [
      { className: 'served', name: 'served' },
      { className: 'refused', name: 'failed' },
    ],
    axis: undefined,
  }),
};

function deviceLegend({ names, others }: Colours): Plot['legend'] {
  const named = names.map((name, n) => ({ className: `c${n}`, name }));
  return others > 0 ? [...named, { className: `c${NAMED}`, name: 'other devices' }] : named;
}

/**
 * One picture of a report as an SVG of its own.
 * @param what a name in PLOTS
 */
export function renderPlot(report: Report, what: string): string {
  const drawing = drawingOf(report, coloursOf([report]), '', '');
  const { panel, legend, axis: foot } = PLOTS[what](drawing);
  const height = HEAD + panel.height + (foot === undefined ? 0 : AXIS_HEIGHT) + 8;
  const inner = WIDTH - GUTTER - 16;
  const each = Math.min(200, inner / Math.max(1, legend.length));
  const title = `${report.trace.path} on ${report.kernel}`;
  return html`<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" role="img">
<title>${title}: ${panel.title}</title><style>${trusted(DRAWING_STYLE)}text.title{fill:var(--text);font-weight:600}</style>
<rect width="${WIDTH}" height="${height}" fill="var(--ground)"/>
<text class="title" x="${GUTTER}" y="16">${title}</text>
${legend.map(({ className, name }, n) => html`<svg x="${(GUTTER + n * each).toFixed(1)}" y="22" width="${(each - 8).toFixed(1)}" height="16"><rect class="${className}" y="3" width="11" height="11"/><text x="16" y="13">${name}</text></svg>`)}
<svg y="${HEAD}" width="${GUTTER}" height="${panel.height}" overflow="visible">${labelText(panel.labels)}</svg>
<svg x="${GUTTER}" y="${HEAD}" width="${inner}" height="${panel.height}">${panel.body}</svg>
${foot === undefined ? '' : html`<svg x="${GUTTER}" y="${HEAD + panel.height}" width="${inner}" height="${AXIS_HEIGHT}" overflow="visible">${foot}</svg>`}
</svg>
`.markup;
}
