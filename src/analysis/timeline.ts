import { Op } from '../events/batch.js';
import { deviceOf, nslotsOf, sizeOf } from '../replay/allocations.js';
import { Match, type Observer, type Outcome } from '../replay/outcome.js';
import type { Session } from '../replay/session.js';
import { freeRunsOf } from '../swiotlb/pool.js';

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

/** Watches a session for its timeline. */
export interface TimelineWatch extends Observer {
  /** To be called once, after the replay. */
  timeline(): Timeline;
}

/** Buckets at most: when they are full, pairs become one. */
export const MOST_BUCKETS = 1024;

/** Devices that a timeline names. */
export const NAMED_DEVICES = 12;

/** Devices that are followed, so that those who were the largest at the end have been followed long. */
const FOLLOWED = 16;

/** How many times more than the least of the followed a newcomer must hold to take its place. */
const OUTGROWS = 2;

/** A followed device while the replay goes on. */
interface Followed extends DeviceSeries {
  number: number;
  liveSlots: number;
  liveBytes: number;
}

/** What is known of every device. */
interface Holding {
  slots: number;
  bytes: number;
  followed: Followed | undefined;
}

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
    capacity: column(),
    longestFree: column(),
    failed: column(),
    bounced: column(),
  };
}

function emptyTimeline(): Timeline {
  const columns = emptyColumns();
  return { ...columns, clock: 'none', events: 0, span: 1, buckets: 0, devices: [], unnamed: 0 };
}

/** Makes one bucket of each two; the last may be without a second. */
function mergePairs(timeline: Timeline): void {
  const { buckets, most, firstTime, lastTime, devices } = timeline;
  const pairs = Math.ceil(buckets / 2);
  const lasts = [timeline.lastLine, timeline.used, timeline.capacity, timeline.longestFree];
  const atMost = [timeline.mostLine, timeline.mostTime, timeline.live, timeline.liveBytes, most];
  const sums = [timeline.failed, timeline.bounced];
  const leasts: Float64Array[] = [];
  for (const device of devices) {
    atMost.unshift(device.slots, device.bytes);
    sums.push(device.bounced);
    leasts.push(device.least);
  }
  for (let n = 0; n < pairs; n++) {
    const a = 2 * n;
    const b = Math.min(a + 1, buckets - 1);
    const higher = most[b] > most[a] ? b : a;
    timeline.firstLine[n] = timeline.firstLine[a];
    firstTime[n] = Number.isNaN(firstTime[a]) ? firstTime[b] : firstTime[a];
    lastTime[n] = Number.isNaN(lastTime[b]) ? lastTime[a] : lastTime[b];
    for (const column of lasts) column[n] = column[b];
    for (const column of atMost) column[n] = column[higher];
    for (const column of leasts) column[n] = Math.min(column[a], column[b]);
    for (const column of sums) column[n] = b > a ? column[a] + column[b] : column[a];
  }
  timeline.buckets = pairs;
  timeline.span *= 2;
}

/** A copy that reaches to the last bucket and no further. */
function trimmed(timeline: Timeline): Timeline {
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

/**
 * Follows how many slots are in use and who holds them, in memory that does not grow with the trace.
 * An event costs a few sums; who holds what is noted only when a bucket's maximum is left again.
 */
export function watchTimeline(session: Session): TimelineWatch {
  const { allocations } = session;
  const timeline = emptyTimeline();
  const holdings: Holding[] = [];
  let followed: Followed[] = [];
  const held = { slots: 0, bytes: 0 };
  let used = 0;
  let bucket = -1;
  let room = 0;
  let isAtMost = false;
  let known = 0;

  function holdingOf(number: number): Holding {
    const holding = holdings[number];
    if (holding !== undefined) return holding;
    known++;
    holdings[number] = { slots: 0, bytes: 0, followed: undefined };
    return holdings[number];
  }

  /** Who holds what at the bucket's maximum, which is now. */
  function noteHolders(): void {
    isAtMost = false;
    timeline.live[bucket] = held.slots;
    timeline.liveBytes[bucket] = held.bytes;
    for (let n = 0; n < followed.length; n++) {
      const device = followed[n];
      device.slots[bucket] = device.liveSlots;
      device.bytes[bucket] = device.liveBytes;
    }
  }

  function closeBucket(): void {
    if (isAtMost) noteHolders();
    let capacity = 0;
    let longest = 0;
    for (const { pools } of session.allocators) {
      for (const pool of pools) {
        capacity += pool.nslabs;
        longest = Math.max(longest, freeRunsOf(pool).longest);
      }
    }
    timeline.used[bucket] = used;
    timeline.capacity[bucket] = capacity;
    timeline.longestFree[bucket] = longest;
  }

  function openBucket(outcome: Outcome): void {
    if (bucket >= 0) closeBucket();
    if (timeline.buckets === MOST_BUCKETS) {
      timeline.devices = followed;
      mergePairs(timeline);
    }
    bucket = timeline.buckets++;
    room = timeline.span;
    timeline.firstLine[bucket] = outcome.line;
    timeline.firstTime[bucket] = outcome.time;
    timeline.lastTime[bucket] = Number.NaN;
    timeline.failed[bucket] = 0;
    timeline.bounced[bucket] = 0;
    for (const device of followed) {
      device.least[bucket] = device.liveSlots;
      device.bounced[bucket] = 0;
    }
    noteMost(outcome);
  }

  function noteMost(outcome: Outcome): void {
    timeline.most[bucket] = used;
    timeline.mostLine[bucket] = outcome.line;
    timeline.mostTime[bucket] = outcome.time;
    isAtMost = true;
  }

  function count(outcome: Outcome): void {
    if (room === 0) openBucket(outcome);
    room--;
    timeline.events++;
    timeline.lastLine[bucket] = outcome.line;
    if (!Number.isNaN(outcome.time)) noteTime(outcome.time);
  }

  function noteTime(time: number): void {
    if (Number.isNaN(timeline.firstTime[bucket])) timeline.firstTime[bucket] = time;
    timeline.lastTime[bucket] = time;
    if (timeline.clock !== 'seconds') {
      timeline.clock = Math.floor(time) === time ? 'counter' : 'seconds';
    }
  }

  /** Takes a device among the followed, in the place of the least of them if it has outgrown that. */
  function follow(number: number, holding: Holding, name: string): void {
    if (followed.length === FOLLOWED) {
      const least = followed.reduce((a, b) => (b.peakSlots < a.peakSlots ? b : a));
      if (holding.slots < OUTGROWS * least.peakSlots) return;
      holdings[least.number].followed = undefined;
      followed = followed.filter((device) => device !== least);
    }
    const column = (): Float64Array => new Float64Array(MOST_BUCKETS);
    holding.followed = {
      name,
      number,
      peakSlots: holding.slots,
      liveSlots: holding.slots,
      liveBytes: holding.bytes,
      slots: column(),
      bytes: column(),
      least: column(),
      bounced: column(),
    };
    followed.push(holding.followed);
  }

  function take(outcome: Outcome): void {
    const number = outcome.deviceNumber;
    const holding = holdingOf(number);
    const { nslots } = outcome.answer.plan;
    held.slots += nslots;
    held.bytes += outcome.size;
    holding.slots += nslots;
    holding.bytes += outcome.size;
    const bounced = outcome.op === Op.map ? outcome.size : 0;
    timeline.bounced[bucket] += bounced;
    if (holding.followed === undefined) follow(number, holding, outcome.device.name);
    const device = holding.followed;
    if (device === undefined) return;
    device.liveSlots = holding.slots;
    device.liveBytes = holding.bytes;
    device.bounced[bucket] += bounced;
    if (holding.slots > device.peakSlots) device.peakSlots = holding.slots;
  }

  function giveBack(number: number): void {
    const holding = holdingOf(deviceOf(allocations, number));
    const nslots = nslotsOf(allocations, number);
    const size = sizeOf(allocations, number);
    held.slots -= nslots;
    held.bytes -= size;
    holding.slots -= nslots;
    holding.bytes -= size;
    const device = holding.followed;
    if (device === undefined) return;
    device.liveSlots = holding.slots;
    device.liveBytes = holding.bytes;
    if (holding.slots < device.least[bucket]) device.least[bucket] = holding.slots;
  }

  return {
    onRequest(outcome) {
      count(outcome);
      if (outcome.allocation < 0) {
        timeline.failed[bucket]++;
        return;
      }
      take(outcome);
      used += outcome.answer.plan.nslots;
      if (used > timeline.most[bucket]) noteMost(outcome);
    },
    onRelease(outcome) {
      // What the recorded kernel had refused is given back in the same event.
      if (outcome.op === Op.unmap || outcome.op === Op.free) count(outcome);
      if (isAtMost) noteHolders();
      if (outcome.match === Match.live) giveBack(outcome.allocation);
      used -= outcome.released.nslots;
    },
    timeline() {
      if (bucket >= 0) closeBucket();
      const devices = [...followed].sort((a, b) => b.peakSlots - a.peakSlots);
      timeline.devices = devices.slice(0, NAMED_DEVICES);
      timeline.unnamed = known - timeline.devices.length;
      return trimmed(timeline);
    },
  };
}
