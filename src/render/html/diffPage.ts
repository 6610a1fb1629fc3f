import { Chalk } from 'chalk';
import { areDifferent, type DiffReport, totalOf } from '../../report/diffReport.js';
import type { OneSided } from '../../report/findingComparison.js';
import { mostBroken, type Report } from '../../report/report.js';
import { verdictWords } from '../diff.js';
import { differenceHeads, differenceRows, moreDifferences, totalRows } from '../diffRows.js';
import { divergenceWords, sideWords } from '../divergence.js';
import { coloursOf } from './colours.js';
import { fragmentationChart, mostInRuns } from './distributions.js';
import { pageDocument } from './document.js';
import { type Drawing, drawingOf } from './drawing.js';
import { findingList } from './findingList.js';
import {
  chartFigure,
  legend,
  mapData,
  mapFigure,
  type SlotRange,
  slotsShown,
} from './mapFigure.js';
import { html, type Markup } from './markup.js';
import { peakOf } from './occupancyChart.js';
import { panelMarkup } from './panel.js';
import { deviceTable, plainTable } from './tables.js';
import { facts, foundWords, lossNotice } from './verdict.js';
import { groupedOf } from './words.js';

/** Different addresses that the page lists. */
const SHOWN = 40;

/** Two sides of one page. */
type Sides = readonly [old: Drawing, fresh: Drawing];

/** What two releases, or two pools, make of a trace: side by side. */
export function renderDiffHtml(diff: DiffReport<Report>): Iterable<string> {
  const { old, new: fresh, names } = diff;
  const colours = coloursOf([old, fresh]);
  const sides: Sides = [
    drawingOf(old, colours, 'old', names.old),
    drawingOf(fresh, colours, 'new', names.new),
  ];
  const maps = sides.flatMap((side) =>
    side.occupancy.pools.map((_, n) => mapData(side, n, rangeOf(sides, n))),
  );
  const title = `${old.trace.path}: ${names.old} and ${names.new}`;
  return pageDocument(title, sections(diff, sides), maps);
}

/** The slots that both sides' maps of a pool show, so that they can be compared. */
function rangeOf(sides: Sides, number: number): SlotRange {
  const ranges = sides.flatMap(({ occupancy }) =>
    occupancy.pools.slice(number, number + 1).map(slotsShown),
  );
  // Rows are powers of two, and begin at multiples of their size.
  const per = Math.max(...ranges.map((range) => range.per));
  return {
    low: Math.floor(Math.min(...ranges.map(({ low }) => low)) / per) * per,
    high: Math.ceil(Math.max(...ranges.map(({ high }) => high)) / per) * per,
    per,
  };
}

function* sections(diff: DiffReport<Report>, sides: Sides): Generator<Markup> {
  const [old, fresh] = sides;
  const { path } = diff.old.trace;
  yield html`<header><h1>swiotlb-replay: ${path}, ${old.name} and ${fresh.name}</h1>${verdict(diff)}${lossNotice(diff.old)}
${beside(sides, ({ report, name }) => html`<h3>${name}</h3>${facts(report)}`)}</header><main>`;
  yield html`<section><h2>Totals</h2>${plainTable(`What ${old.name} and ${fresh.name} make of the trace`, ['', old.name, fresh.name], totals(diff))}</section>`;
  yield occupancy(sides);
  yield differences(diff);
  yield html`<section><h2 id="findings">Findings</h2>
${oneSided(`Vanish with ${fresh.name}`, diff.vanished, old)}
${oneSided(`Appear with ${fresh.name}`, diff.appeared, fresh)}
${beside(sides, (side) => html`<h3>All with ${side.name}</h3>${side.report.counts.size === 0 ? html`<p>none</p>` : findingList(side, side.report.findings, side.report.counts, 0)}`)}</section>`;
  yield html`<section><h2>Fragmentation</h2>${fragmentation(sides)}</section>`;
  yield html`<section><h2>Devices</h2>${sides.map((side) => html`<h3>${side.name}</h3>${deviceTable(side.report)}`)}</section></main>`;
}

/** Causes stand below the failures that they are of, which blanks do not show here. */
function totals(diff: DiffReport<Report>): string[][] {
  return totalRows(diff).map(([name, ...counts]) => [name.replace(/^ +/, 'failed: '), ...counts]);
}

function beside(sides: Sides, draw: (side: Drawing) => Markup): Markup {
  return html`<div class="sides">${sides.map((side) => html`<div>${draw(side)}</div>`)}</div>`;
}

function verdict(diff: DiffReport<Report>): Markup {
  const { old, new: fresh, names } = diff;
  const changed = areDifferent(diff)
    ? verdictWords(diff, new Chalk({ level: 0 }))
    : 'no difference';
  return html`<p class="verdict">${names.old}: ${foundWords(old)}; ${names.new}: ${foundWords(fresh)}; ${changed}.</p>`;
}

/** Charts and maps on the same scales. */
function occupancy(sides: Sides): Markup {
  const peak = Math.max(...sides.map(({ timeline }) => peakOf(timeline)));
  return html`<section><h2 id="occupancy">Occupancy</h2>${legend(sides)}
${beside(sides, (side) => html`<h3>${side.name}</h3>${chartFigure(side, peak)}${side.occupancy.pools.map((_, n) => mapFigure(side, n, rangeOf(sides, n)))}`)}</section>`;
}

function differences(diff: DiffReport<Report>): Markup {
  const rows = differenceRows(diff, SHOWN);
  if (rows.length === 0) return html``;
  const { divergence } = diff.comparison;
  const first =
    divergence === undefined
      ? ''
      : html`<p>First difference: ${divergenceWords(divergence)}</p><dl class="facts">${[
          [diff.names.old, sideWords(divergence.old).got],
          [diff.names.new, sideWords(divergence.new).got],
        ].map(([name, got]) => html`<dt>${name}</dt><dd>${got}</dd>`)}</dl>`;
  const heads = [...differenceHeads(diff), ''];
  const cells = rows.map(({ cells: [line, ...cells], folded }) => [`${line}`, ...cells, folded]);
  const more = moreDifferences(diff, SHOWN).map((words) => html`<p class="soft">${words}</p>`);
  return html`<section><h2>Addresses that differ</h2>${first}${plainTable('Differences that stand by themselves', heads, cells)}${more}</section>`;
}

function oneSided(title: string, { first, counts }: OneSided, side: Drawing): Markup {
  if (counts.size === 0) return html``;
  const total = totalOf({ first, counts });
  return html`<h3>${title}: ${groupedOf(total, 'finding')}</h3>${findingList(side, first, counts)}`;
}

/** Both on one scale. */
function fragmentation(sides: Sides): Markup {
  const pairs = sides.map(({ report }) => ({
    end: mostBroken(report.fragmentation.end),
    worst: mostBroken(report.fragmentation.worst),
  }));
  const most = mostInRuns(pairs.flatMap(({ end, worst }) => [end, worst]));
  return beside(sides, (side) => {
    const { end, worst } = pairs[sides.indexOf(side)];
    return html`<figure><figcaption>${side.name}: free slots by length of their run, at the end (left) and at worst (right)</figcaption>${panelMarkup(fragmentationChart(end, worst, most))}</figure>`;
  });
}
