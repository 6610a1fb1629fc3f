import { scaleLinear } from 'd3-scale';
import type { Timeline } from '../../analysis/timeline.js';
import { html, type Markup } from './markup.js';

/** A place on the axis of time. */
interface Tick {
  /** 0 at the first event, 100 behind the last. */
  percent: number;
  /** As the trace writes it; undefined where it does not. */
  time: string | undefined;
  line: number;
}

/** Height of the axis below a panel, and how many places it names at most. */
export const AXIS_HEIGHT = 36;
const TICKS = 8;

/** Where a bucket begins, in percent of the axis. */
export function percentOf(bucket: number, { span, events }: Timeline): string {
  const percent = Math.min(100, (100 * bucket * span) / Math.max(1, events));
  return `${Number(percent.toFixed(3))}%`;
}

/** Times of a trace in words, with as many digits as tell its ticks apart. */
export function timeWords(timeline: Timeline): (time: number) => string | undefined {
  const times = timeline.firstTime.filter((time) => !Number.isNaN(time));
  const isCounter = times.every((time) => Number.isInteger(time));
  const step = times.length < 2 ? 0 : (times[times.length - 1] - times[0]) / TICKS;
  const digits = step > 0 ? Math.max(0, Math.min(6, 1 - Math.floor(Math.log10(step)))) : 6;
  return (time) => {
    if (Number.isNaN(time)) return undefined;
    return isCounter ? `time ${time}` : `${time.toFixed(digits)} s`;
  };
}

function ticksOf(timeline: Timeline): Tick[] {
  const { events, span, firstTime, firstLine } = timeline;
  if (events === 0) return [];
  const words = timeWords(timeline);
  const buckets = scaleLinear([0, events], [0, 1])
    .ticks(TICKS)
    // A name at the very end would run into the one before.
    .filter((event) => Number.isInteger(event) && event <= 0.94 * events)
    .map((event) => Math.floor(event / span));
  return [...new Set(buckets)].map((bucket) => ({
    percent: (100 * bucket * span) / events,
    time: words(firstTime[bucket]),
    line: firstLine[bucket],
  }));
}

/**
 * The axis that panels over time share, as what stands in an SVG of any width. It goes by events, and
 * names the line of each and its time.
 */
export function axis(timeline: Timeline): Markup {
  return html`${ticksOf(timeline).map(({ percent, time, line }, n) => {
    const x = `${Number(percent.toFixed(3))}%`;
    const anchor = percent < 3 ? 'start' : 'middle';
    return html`<g class="${n % 2 === 1 ? 'tick odd' : 'tick'}"><line x1="${x}" x2="${x}" y1="0" y2="5"/>
<text x="${x}" y="18" text-anchor="${anchor}">${time ?? `line ${line}`}</text>
${time === undefined ? '' : html`<text x="${x}" y="32" text-anchor="${anchor}">line ${line}</text>`}</g>`;
  })}`;
}
