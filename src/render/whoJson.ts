import { coarser, meanUsed, type Timeline } from '../analysis/timeline.js';
import type { Who } from '../analysis/who.js';
import { hex } from '../events/numbers.js';

/** Buckets of the timeline in JSON: enough for a picture, and little beside a list of allocations. */
const BUCKETS = 128;

const plain = (column: Float64Array): number[] => Array.from(column);

/** NaN, which JSON does not know, becomes null there. */
const known = (value: number): number | null => (Number.isNaN(value) ? null : value);

/** Who uses the pools, as the report's schema has it. */
export function whoJson(who: Who): object {
  return {
    ...who,
    peak: who.peak === undefined ? null : { ...who.peak, time: known(who.peak.time) },
    devices: who.devices.map(({ rate = null, lifetimes = null, ...device }) => ({
      ...device,
      rate,
      lifetimes,
    })),
    oldest: who.oldest.map(({ address, ...old }) => ({ ...old, address: hex(address) })),
    growth: who.growth.map(({ rate = null, ...growth }) => ({ ...growth, rate })),
  };
}

/** Occupancy as the report's schema has it: a list per column, an entry per bucket. */
export function timelineJson(timeline: Timeline): object {
  const fewer = coarser(timeline, BUCKETS);
  return {
    clock: fewer.clock,
    events: fewer.events,
    span: fewer.span,
    firstLine: plain(fewer.firstLine),
    lastLine: plain(fewer.lastLine),
    firstTime: plain(fewer.firstTime).map(known),
    lastTime: plain(fewer.lastTime).map(known),
    most: plain(fewer.most),
    mostLine: plain(fewer.mostLine),
    mostTime: plain(fewer.mostTime).map(known),
    mean: plain(meanUsed(fewer)).map((mean) => Math.round(mean * 10) / 10),
    used: plain(fewer.used),
    capacity: plain(fewer.capacity),
    longestFree: plain(fewer.longestFree),
    failed: plain(fewer.failed),
    bounced: plain(fewer.bounced),
    live: plain(fewer.live),
    liveBytes: plain(fewer.liveBytes),
    devices: fewer.devices.map(({ name, peakSlots, slots, bytes, least, bounced }) => ({
      name,
      peakSlots,
      slots: plain(slots),
      bytes: plain(bytes),
      least: plain(least),
      bounced: plain(bounced),
    })),
    unnamed: fewer.unnamed,
  };
}
