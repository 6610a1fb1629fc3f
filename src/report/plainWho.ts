import type { Growth } from '../analysis/growth.js';
import { coarser, meanUsed, type Timeline } from '../analysis/timeline.js';
import type { DeviceHabits, Lifetimes, OldAllocation, Who } from '../analysis/who.js';
import { hex } from '../events/numbers.js';

/** Who uses the pools, as plain data; null where something is not known, or not there. */
export interface PlainWho extends Pick<Who, 'clock' | 'duration' | 'areas'> {
  peak: { line: number; time: number | null; used: number; capacity: number } | null;
  devices: (Omit<DeviceHabits, 'rate' | 'lifetimes'> & {
    rate: number | null;
    lifetimes: Lifetimes | null;
  })[];
  oldest: (Omit<OldAllocation, 'address'> & { address: string })[];
  growth: (Omit<Growth, 'rate'> & { rate: number | null })[];
}

/** Columns of a timeline whose numbers are always known. */
type KnownColumn =
  | 'firstLine'
  | 'lastLine'
  | 'most'
  | 'mostLine'
  | 'used'
  | 'capacity'
  | 'longestFree'
  | 'failed'
  | 'bounced'
  | 'live'
  | 'liveBytes';

/** Columns of times. */
type TimeColumn = 'firstTime' | 'lastTime' | 'mostTime';

/** Occupancy as plain data: a list per column, an entry per bucket. */
export interface PlainTimeline
  extends Pick<Timeline, 'clock' | 'events' | 'span' | 'unnamed'>,
    Record<KnownColumn | 'mean', number[]>,
    Record<TimeColumn, (number | null)[]> {
  devices: {
    name: string;
    peakSlots: number;
    slots: number[];
    bytes: number[];
    least: number[];
    bounced: number[];
  }[];
}

/** Buckets of the timeline in JSON: enough for a picture, and little beside a list of allocations. */
const BUCKETS = 128;

const plain = (column: Float64Array): number[] => Array.from(column);

/** NaN, which JSON does not know, becomes null. */
const known = (value: number): number | null => (Number.isNaN(value) ? null : value);

/** Who uses the pools, with what is not known as null. */
export function plainWho(who: Who): PlainWho {
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

/** Occupancy in few buckets, times that are not known as null. */
export function plainTimeline(timeline: Timeline): PlainTimeline {
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
