import { scaleLinear } from 'd3-scale';
import { area, line, stack } from 'd3-shape';
import { coarser, type Timeline } from '../../analysis/timeline.js';
import { percentOf } from './axis.js';
import { type Colours, NAMED } from './colours.js';
import { html, type Markup } from './markup.js';
import type { Panel } from './panel.js';
import { grouped } from './words.js';

/** Buckets that a chart draws: finer steps than that no screen shows. */
const BUCKETS = 256;

const HEIGHT = 170;
const WIDTH = 1000;
/** Room for the marks of failures above the highest value. */
const TOP = 10;

/** Slots by colour in each bucket, at the moment when the bucket's most were in use. */
function seriesOf(timeline: Timeline, colours: Colours): number[][] {
  const { buckets, live, devices } = timeline;
  return Array.from({ length: buckets }, (_, bucket) => {
    const slots = new Array<number>(NAMED + 1).fill(0);
    let named = 0;
    for (const device of devices) {
      slots[colours.of(device.name)] += device.slots[bucket];
      named += device.slots[bucket];
    }
    slots[NAMED] += Math.max(0, live[bucket] - named);
    return slots;
  });
}

/** The most slots in use that a timeline has. */
export function peakOf({ most }: Timeline): number {
  return most.reduce((a, b) => Math.max(a, b), 0);
}

/**
 * Slots in use over time, by device, one above the other; the line is what the kernel counts.
 * @param peak the height of the scale, in slots
 */
export function occupancyChart(whole: Timeline, colours: Colours, peak: number): Panel {
  const timeline = coarser(whole, BUCKETS);
  const { buckets, span, events, most, failed, capacity } = timeline;
  const y = scaleLinear([0, Math.max(1, peak)], [HEIGHT - 1, TOP]).nice(4);
  const x = scaleLinear([0, Math.max(1, events)], [0, WIDTH]);
  // Steps: a bucket's value holds to its end, so that each has two points.
  const points = Array.from({ length: 2 * buckets }, (_, n) => n);
  const xOf = (n: number): number => x(Math.min(events, ((n + 1) >> 1) * span));
  const layers = stack<number[]>().keys([...new Array(NAMED + 1).keys()].map(String))(
    seriesOf(timeline, colours) as never,
  );
  const areas = layers.map((layer, colour) => {
    if (layer.every(([from, to]) => from === to)) return undefined;
    const path = area<number>()
      .digits(1)
      .x(xOf)
      .y0((n) => y(layer[n >> 1][0]))
      .y1((n) => y(layer[n >> 1][1]))(points);
    return html`<path class="c${colour}" d="${path ?? ''}"><title>${colours.names[colour] ?? 'other devices'}</title></path>`;
  });
  const used = line<number>()
    .digits(1)
    .x(xOf)
    .y((n) => y(most[n >> 1]))(points);
  const full = capacity[buckets - 1] ?? 0;
  const ticks = y.ticks(4).filter(Number.isInteger);
  return {
    height: HEIGHT,
    title: `Slots in use over ${grouped(events)} events, by device; ${grouped(peakOf(whole))} at most of ${grouped(full)}`,
    labels: ticks.map((value) => ({ y: y(value), text: grouped(value) })),
    body: html`${ticks.map((value) => html`<line class="grid" x1="0" x2="100%" y1="${y(value)}" y2="${y(value)}"/>`)}
<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" width="100%" height="${HEIGHT}" preserveAspectRatio="none">${areas}<path class="used" d="${used ?? ''}"/></svg>
${full <= y.domain()[1] ? html`<line class="capacity" x1="0" x2="100%" y1="${y(full)}" y2="${y(full)}"/>` : ''}${failureMarks(timeline, failed)}`,
  };
}

function failureMarks(timeline: Timeline, failed: Float64Array): Markup {
  return html`${[...failed].flatMap((count, bucket) =>
    count === 0
      ? []
      : [
          html`<line class="failed" x1="${percentOf(bucket, timeline)}" x2="${percentOf(bucket, timeline)}" y1="0" y2="7"><title>${grouped(count)} failed</title></line>`,
        ],
  )}`;
}
