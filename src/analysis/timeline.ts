/** One device in a timeline; an entry per bucket. */
export interface DeviceSeries {
  name: string;
  /** The most slots that it ever held. */
  peakSlots: number;
  /** Slots that it held, and bytes that it had asked for in them, when the bucket's most were in use. */
  slots: Float64Array;
  bytes: Float64Array;
  /** The fewest slots that it held in the bucket. */
  least: Float64Array;
  /** Bytes of the buffers that it mapped in the bucket. */
  bounced: Float64Array;
}

/** Columns of a timeline that are no device's; an entry per bucket. */
interface Columns {
  firstLine: Float64Array;
  lastLine: Float64Array;
  /** In units of `clock`, NaN where the trace does not tell: of the first event that has a time, and of the last. */
  firstTime: Float64Array;
  lastTime: Float64Array;
  /** The most slots in use, of all pools, as the kernel counts them (io_tlb_used); where that was first so. */
  most: Float64Array;
  mostLine: Float64Array;
  mostTime: Float64Array;
  /** Slots of all live allocations at that moment, and bytes asked for; the devices share these. */
  live: Float64Array;
  liveBytes: Float64Array;
  /** Slots in use after the bucket's last event. */
  used: Float64Array;
  /** Sum of the slots in use after each of its events: divided by their number, the mean. */
  usedSum: Float64Array;
  /** Slots of all pools then, transient ones left out. */
  capacity: Float64Array;
  /** Longest free run then, in slots, transient pools left out. */
  longestFree: Float64Array;
  /** Requests that were refused. */
  failed: Float64Array;
  /** Bytes of all buffers that were mapped. */
  bounced: Float64Array;
}

/** Occupancy from the first event to the last, in buckets of equally many events. */
export interface Timeline extends Columns {
  /** What times are: a time without a fraction anywhere in the trace counts something else than seconds. */
  clock: 'seconds' | 'counter' | 'none';
  /** Requests and releases. */
  events: number;
  /** Events of each bucket but the last, which may have fewer: a power of two. */
  span: number;
  /** Buckets, and so entries of each column. */
  buckets: number;
  /** The devices that held the most, the greatest peak first; at most `NAMED_DEVICES`. */
  devices: DeviceSeries[];
  /** Devices that are not named. What they held is `live` less what the named ones held. */
  unnamed: number;
}

/** Buckets at most: when they are full, pairs become one. */
export const MOST_BUCKETS = 1024;

/** Devices that a timeline names. */
export const NAMED_DEVICES = 12;

function emptyColumns(): Columns {
  const column = (): Float64Array => new Float64Array(MOST_BUCKETS);
  return {
    firstLine: column(),
    lastLine: column(),
    firstTime: column(),
    lastTime: column(),
    most: column(),
    mostLine: column(),
    mostTime: column(),
    live: column(),
    liveBytes: column(),
    used: column(),
    usedSum: column(),
    capacity: column(),
    longestFree: column(),
    failed: column(),
    bounced: column(),
  };
}

/** A timeline without a bucket, and with room for `MOST_BUCKETS`. */
export function emptyTimeline(): Timeline {
  const columns = emptyColumns();
  return { ...columns, clock: 'none', events: 0, span: 1, buckets: 0, devices: [], unnamed: 0 };
}

/** Makes one bucket of each two; the last may be without a second. Column by column, in place. */
export function mergePairs(timeline: Timeline): void {
  const { buckets, most, devices } = timeline;
  const pairs = Math.ceil(buckets / 2);
  const firsts = Int32Array.from({ length: pairs }, (_, n) => 2 * n);
  const lasts = firsts.map((first) => Math.min(first + 1, buckets - 1));
  const highest = firsts.map((first, n) => (most[lasts[n]] > most[first] ? lasts[n] : first));
  pick(timeline.firstLine, firsts);
  pickKnown(timeline.firstTime, firsts, lasts);
  pickKnown(timeline.lastTime, lasts, firsts);
  pick(timeline.lastLine, lasts);
  pick(timeline.used, lasts);
  pick(timeline.capacity, lasts);
  pick(timeline.longestFree, lasts);
  pick(timeline.mostLine, highest);
  pick(timeline.mostTime, highest);
  pick(timeline.live, highest);
  pick(timeline.liveBytes, highest);
  pick(most, highest);
  addPairs(timeline.failed, buckets);
  addPairs(timeline.bounced, buckets);
  addPairs(timeline.usedSum, buckets);
  for (const device of devices) {
    pick(device.slots, highest);
    pick(device.bytes, highest);
    addPairs(device.bounced, buckets);
    for (let n = 0; n < pairs; n++) {
      device.least[n] = Math.min(device.least[firsts[n]], device.least[lasts[n]]);
    }
  }
  timeline.buckets = pairs;
  timeline.span *= 2;
}

/** Keeps the entries at `from`, which are never before where they go. */
function pick(column: Float64Array, from: Int32Array): void {
  for (let n = 0; n < from.length; n++) column[n] = column[from[n]];
}

/** As pick(), with the entry at `otherwise` where that at `from` is not known. */
function pickKnown(column: Float64Array, from: Int32Array, otherwise: Int32Array): void {
  for (let n = 0; n < from.length; n++) {
    const value = column[from[n]];
    column[n] = Number.isNaN(value) ? column[otherwise[n]] : value;
  }
}

function addPairs(column: Float64Array, buckets: number): void {
  for (let n = 0; 2 * n < buckets; n++) {
    column[n] = column[2 * n] + (2 * n + 1 < buckets ? column[2 * n + 1] : 0);
  }
}

/** A copy that reaches to the last bucket and no further. */
export function trimmed(timeline: Timeline): Timeline {
  const cut = <T extends object>(columns: T): T =>
    Object.fromEntries(
      Object.entries(columns).map(([name, value]) => [
        name,
        value instanceof Float64Array ? value.slice(0, timeline.buckets) : value,
      ]),
    ) as T;
  return { ...cut(timeline), devices: timeline.devices.map(cut) };
}

/** The same timeline in at most so many buckets. */
export function coarser(timeline: Timeline, buckets: number): Timeline {
  const copy = trimmed(timeline);
  while (copy.buckets > buckets) mergePairs(copy);
  return trimmed(copy);
}

/** The slots in use on average of each bucket's events. */
export function meanUsed({ usedSum, buckets, span, events }: Timeline): Float64Array {
  return usedSum.map((sum, n) => sum / (n === buckets - 1 ? events - n * span : span));
}

/** From the first event to the last, as the trace's times have it; 0 where it has none. */
export function durationOf({ firstTime, lastTime }: Timeline): number {
  const first = firstTime.find((time) => !Number.isNaN(time));
  const last = lastTime.findLast((time) => !Number.isNaN(time));
  return first === undefined || last === undefined ? 0 : Math.max(0, last - first);
}
