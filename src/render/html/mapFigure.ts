import type { PoolOccupancy } from '../../analysis/occupancyMap.js';
import type { Timeline } from '../../analysis/timeline.js';
import { hex } from '../../events/numbers.js';
import { harmless } from '../harmless.js';
import { AXIS_HEIGHT, axis, percentOf, timeWords } from './axis.js';
import { NAMED } from './colours.js';
import type { Drawing } from './drawing.js';
import { LEVELS, packedCells, plainMap } from './mapCells.js';
import { html, type Markup } from './markup.js';
import { occupancyChart } from './occupancyChart.js';
import { gutter, panelMarkup } from './panel.js';
import { mapId, placeOf } from './places.js';
import { grouped, groupedOf } from './words.js';

/** Pixels that a row of slots has in a small map, and the height that a large one gets. */
const ROW_HEIGHT = 8;
const LEAST_HEIGHT = 64;
const MOST_HEIGHT = 320;

/** Height of the strip of findings above a map. */
const STRIP = 12;

/** Slots that a map shows: from `low` to before `high`, in rows of `per`, of which both are multiples. */
export interface SlotRange {
  low: number;
  high: number;
  per: number;
}

/** The slots that a pool's rows cover. */
export function slotsShown({ firstSlot, slotsPerRow, rows }: PoolOccupancy): SlotRange {
  return { low: firstSlot, high: firstSlot + slotsPerRow * rows, per: slotsPerRow };
}

/** One pool's map: a canvas that the script fills, over a plain one that needs none. */
export function mapFigure(drawing: Drawing, number: number, range: SlotRange): Markup {
  const { occupancy, columns, colours } = drawing;
  const pool = occupancy.pools[number];
  const id = mapId(drawing, number);
  const rows = (range.high - range.low) / range.per;
  const height = Math.min(MOST_HEIGHT, Math.max(LEAST_HEIGHT, rows * ROW_HEIGHT));
  const slots = range.high - range.low;
  const end = Math.min(range.high, pool.nslabs);
  const top = (pool.firstSlot - range.low) / slots;
  const share = (pool.rows * pool.slotsPerRow) / slots;
  const areas = areaStarts(pool, range).map(({ area, part }) => ({
    text: `area ${area}`,
    y: Math.round(STRIP + part * height),
  }));
  const labels = [
    ...areas.filter(({ y }) => y > STRIP + 20 && y < STRIP + height - 20),
    ...(drawing.report.findings.length > 0 ? [{ y: 4, text: 'findings' }] : []),
    { y: STRIP + 8, text: `slot ${range.low}` },
    { y: STRIP + (height * (end - range.low)) / slots - 7, text: `${end - 1}` },
  ];
  const width = ((columns.buckets * columns.span) / Math.max(1, columns.events)) * 100;
  return html`<figure class="map" id="${id}" data-map="${id}">
<figcaption>${captionOf(drawing, pool)}</figcaption>
<div class="plot">${gutter(labels, height + STRIP)}<div class="cells" tabindex="0" role="application" aria-label="Occupancy map of pool ${pool.pool}: time across, slots down. Arrow keys move, with Shift by ten; Home and End go to the first and the last event; Escape goes back." aria-describedby="${id}-said">
<svg class="strip" width="100%" height="${STRIP}" aria-hidden="true">${strip(drawing, id)}</svg>
<div class="field"><svg width="100%" height="${height}" aria-hidden="true"><svg width="${width.toFixed(3)}%" y="${(top * 100).toFixed(3)}%" height="${(share * 100).toFixed(3)}%">${plainMap(occupancy, pool, colours)}</svg></svg><canvas hidden></canvas><svg class="areas" width="100%" height="${height}" aria-hidden="true">${areas.map(({ y }) => html`<line x1="0" x2="100%" y1="${y - STRIP}" y2="${y - STRIP}"/>`)}</svg><div class="focus" hidden></div></div>
</div></div>
${axisMarkup(columns)}
<p class="said" id="${id}-said" aria-live="polite"></p>
</figure>`;
}

/** Areas that are shown by lines: more would hide the map. */
const MOST_AREAS = 16;

/** Where areas begin, as a part of the way down. */
function areaStarts(
  { areas, nslabs }: PoolOccupancy,
  { low, high }: SlotRange,
): { area: number; part: number }[] {
  if (areas > MOST_AREAS) return [];
  return Array.from({ length: areas }, (_, area) => ({
    area,
    part: (area * Math.floor(nslabs / areas) - low) / (high - low),
  })).filter(({ part }) => part > 0 && part < 1);
}

function captionOf({ occupancy, name }: Drawing, pool: PoolOccupancy): Markup {
  const { firstSlot, rows, slotsPerRow, nslabs } = pool;
  const last = Math.min(nslabs, firstSlot + rows * slotsPerRow) - 1;
  const untouched = nslabs - (last - firstSlot + 1);
  const beyond = untouched > 0 ? `; the other ${grouped(untouched)} were never used` : '';
  return html`${name === '' ? '' : html`<b>${name}</b>, `}pool ${pool.pool} at <code>${hex(pool.base)}</code>: slots ${firstSlot} to ${last} of ${nslabs}${beyond}. A cell is ${groupedOf(slotsPerRow, 'slot')} by ${groupedOf(occupancy.eventsPerColumn, 'event')}.`;
}

/** Marks above the columns that have findings; the worst of a column is drawn last. */
function strip(drawing: Drawing, id: string): Markup {
  const { report, columns } = drawing;
  const worst = new Map<number, string>();
  for (const level of ['note', 'warning', 'error']) {
    for (const finding of report.findings) {
      if (finding.level !== level) continue;
      const place = placeOf(finding, drawing);
      if (place?.map === id) worst.set(place.column, level);
    }
  }
  const width = `${Math.max(0.3, (100 * columns.span) / Math.max(1, columns.events)).toFixed(3)}%`;
  return html`${[...worst].map(
    ([column, level]) =>
      html`<rect class="${level}" x="${percentOf(column, columns)}" width="${width}" height="${STRIP - 4}"/>`,
  )}`;
}

/** What the script needs of a map. */
export function mapData(drawing: Drawing, number: number, range: SlotRange): object {
  const { occupancy, columns, colours } = drawing;
  const pool = occupancy.pools[number];
  const words = timeWords(columns);
  return {
    id: mapId(drawing, number),
    ...range,
    base: pool.base,
    nslabs: pool.nslabs,
    first: pool.firstSlot,
    per: pool.slotsPerRow,
    rows: pool.rows,
    columns: occupancy.columns,
    span: columns.span,
    events: columns.events,
    levels: LEVELS,
    names: colours.names.map(harmless),
    cells: packedCells(occupancy, pool, colours),
    firstLines: [...columns.firstLine],
    lastLines: [...columns.lastLine],
    times: [...columns.firstTime].map((time) => words(time) ?? ''),
  };
}

/** Slots in use over time, above its axis. */
export function chartFigure({ timeline, colours }: Drawing, peak: number): Markup {
  if (timeline.events === 0) return html``;
  return html`<figure>${panelMarkup(occupancyChart(timeline, colours, peak))}${axisMarkup(timeline)}</figure>`;
}

/** The axis below a panel. */
function axisMarkup(timeline: Timeline): Markup {
  return html`<div class="plot"><span class="gutter"></span><svg class="axis" width="100%" height="${AXIS_HEIGHT}" aria-hidden="true">${axis(timeline)}</svg></div>`;
}

/** Names of devices beside their colours, and what the other marks are. */
export function legend(drawings: readonly Drawing[]): Markup {
  const { names, others } = drawings[0].colours;
  const isMixed = drawings.some(({ occupancy: { pools } }) =>
    pools.some(({ owner, fraction }) => owner.some((who, n) => who < 0 && fraction[n] > 0)),
  );
  const grey = [...(others > 0 ? ['other devices'] : []), ...(isMixed ? ['several devices'] : [])];
  const entry = (className: string, words: string): Markup =>
    html`<li><svg width="12" height="12" aria-hidden="true"><rect class="${className}" width="12" height="12"/></svg>${words}</li>`;
  return html`<ul class="legend">${names.map((name, n) => entry(`c${n}`, name))}${
    grey.length > 0 ? entry(`c${NAMED}`, grey.join(', ')) : ''
  }${drawings.some(({ report }) => report.summary.failed > 0) ? entry('refused', 'failed requests, above') : ''}</ul>`;
}
