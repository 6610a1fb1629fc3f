import type { PageTableReport } from '../../report/pageTableReport.js';
import { mostBroken, type Report } from '../../report/report.js';
import { renderIommuText } from '../iommu.js';
import type { RenderOptions } from '../table.js';
import { whoFacts } from '../who.js';
import { coloursOf } from './colours.js';
import { fragmentationChart, sizesChart } from './distributions.js';
import { pageDocument } from './document.js';
import { type Drawing, drawingOf } from './drawing.js';
import { findingList } from './findingList.js';
import { chartFigure, legend, mapData, mapFigure, slotsShown } from './mapFigure.js';
import { html, type Markup } from './markup.js';
import { peakOf } from './occupancyChart.js';
import { panelMarkup } from './panel.js';
import { allocationTable, causeTable, deviceTable, fragmentationTable } from './tables.js';
import { facts, lossNotice, verdictSentence } from './verdict.js';
import { groupedOf } from './words.js';

/** Allocations that are shown unfolded. */
const UNFOLDED = 24;

/** A replay's report as one page. */
export function renderHtml(report: Report, options: RenderOptions): Iterable<string> {
  const drawing = drawingOf(report, coloursOf([report]), '', '');
  const maps = drawing.occupancy.pools.map((pool, n) => mapData(drawing, n, slotsShown(pool)));
  return pageDocument(`${report.trace.path} on ${report.kernel}`, sections(drawing, options), maps);
}

function* sections(drawing: Drawing, options: RenderOptions): Generator<Markup> {
  const { report } = drawing;
  yield html`<header><h1>swiotlb-replay: ${report.trace.path}</h1>${verdictSentence(report)}${lossNotice(report)}${facts(report)}</header><main>`;
  yield occupancy(drawing);
  if (report.counts.size > 0) {
    yield html`<section><h2 id="findings">Findings</h2>${findingList(drawing, report.findings, report.counts)}</section>`;
  }
  if (report.summary.failed > 0) {
    yield html`<section><h2 id="failures">Failures</h2>${causeTable(report)}</section>`;
  }
  yield fragmentation(drawing);
  yield html`<section><h2 id="devices">Devices</h2>${habits(report)}${deviceTable(report)}</section>`;
  if (options.allocations && report.allocations.total > 0) {
    yield allocations(report);
  }
  if (report.iommu !== undefined) yield iommuText({ ...report, iommu: report.iommu }, options);
  yield html`</main>`;
}

/** Slots by device over time, and the maps, on one axis. */
function occupancy(drawing: Drawing): Markup {
  const { timeline, occupancy } = drawing;
  if (timeline.events === 0) return html``;
  const most = html`<p class="soft">Slots in use, the most in each step, by device. Time goes by events, so that a burst is as wide as the calls it is made of.</p>`;
  return html`<section><h2 id="occupancy">Occupancy</h2>${most}${legend([drawing])}
${chartFigure(drawing, peakOf(timeline))}
${occupancy.pools.map((pool, n) => mapFigure(drawing, n, slotsShown(pool)))}
${occupancy.omittedPools > 0 ? html`<p class="soft">${groupedOf(occupancy.omittedPools, 'more pool')} had slots in use and are not drawn.</p>` : ''}</section>`;
}

function fragmentation({ report, sizes }: Drawing): Markup {
  const end = mostBroken(report.fragmentation.end);
  const worst = mostBroken(report.fragmentation.worst);
  return html`<section><h2 id="fragmentation">Fragmentation and sizes</h2><div class="sides">
<figure><figcaption>Free slots by length of their run: at the end (left), at worst (right)</figcaption>${panelMarkup(fragmentationChart(end, worst))}</figure>
${sizes.length === 0 ? '' : html`<figure><figcaption>Requests by size, up to so many bytes; failed ones on top</figcaption>${panelMarkup(sizesChart(sizes))}</figure>`}
</div>${fragmentationTable(end, worst)}</section>`;
}

/** What is worth a sentence about those who use the pools. */
function habits(report: Report): Markup {
  const facts = whoFacts(report).filter(([, words]) => words !== undefined);
  return html`<dl class="facts">${facts.map(([name, words]) => html`<dt>${name}</dt><dd>${words}</dd>`)}</dl>`;
}

/** Long lists are folded: the page is about what is wrong. */
function allocations(report: Report): Markup {
  const open = report.allocations.total <= UNFOLDED ? html` open` : '';
  return html`<section><h2 id="allocations">Allocations</h2><details${open}><summary>${groupedOf(report.allocations.total, 'request')}</summary>${allocationTable(report)}</details></section>`;
}

function iommuText(report: PageTableReport, options: RenderOptions): Markup {
  const text = [...renderIommuText(report, { ...options, colour: 0 })].join('');
  return html`<section><h2 id="iommu">IOMMU</h2><pre>${preformatted(text)}</pre></section>`;
}

/** Text of several lines, whose ends are kept. */
function preformatted(text: string): Markup[] {
  return text.split('\n').map((line) => html`${line}\n`);
}

/** A page for a trace of an IOMMU's page tables alone. */
export function renderIommuHtml(report: PageTableReport, options: RenderOptions): Iterable<string> {
  const head = html`<header><h1>swiotlb-replay: ${report.trace.path}</h1></header>`;
  return pageDocument(report.trace.path, [head, iommuText(report, options)], []);
}
