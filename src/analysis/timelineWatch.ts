import { Op } from '../events/batch.js';
import { deviceOf, nslotsOf, sizeOf } from '../replay/allocations.js';
import { Match, type Observer, type Outcome } from '../replay/outcome.js';
import type { Session } from '../replay/session.js';
import { freeRunsOf } from '../swiotlb/pool.js';
import {
  type DeviceSeries,
  emptyTimeline,
  MOST_BUCKETS,
  mergePairs,
  NAMED_DEVICES,
  type Timeline,
  trimmed,
} from './timeline.js';

/** Watches a session for its timeline. */
export interface TimelineWatch extends Observer {
  /** To be called once, after the replay. */
  timeline(): Timeline;
}

/** Devices that are followed, so that those who were the largest at the end have been followed long. */
const FOLLOWED = 16;

/** How many times more than the least of the followed a newcomer must hold to take its place. */
const OUTGROWS = 2;

/** What is known of every device: its live slots, and the bytes that it asked for in them. */
interface Holding {
  slots: number;
  bytes: number;
  followed: Followed | undefined;
}

/** A device whose series is kept. */
interface Followed extends DeviceSeries {
  holding: Holding;
  /** Of the bucket that is being filled. */
  leastNow: number;
  bouncedNow: number;
}

/** What others need of a followed device. */
function seriesOf({ name, peakSlots, slots, bytes, least, bounced }: Followed): DeviceSeries {
  return { name, peakSlots, slots, bytes, least, bounced };
}

/**
 * Follows how many slots are in use and who holds them, in memory that does not grow with the trace.
 * An event costs a few sums; who holds what is noted only when a bucket's maximum is left again.
 */
export function watchTimeline(session: Session): TimelineWatch {
  const { allocations } = session;
  const timeline = emptyTimeline();
  // What changes with every event is kept in columns: a number with a fraction in a variable would cost an object.
  const { lastLine, lastTime, usedSum, bounced } = timeline;
  const holdings: Holding[] = [];
  let followed: Followed[] = [];
  const held = { slots: 0, bytes: 0 };
  let known = 0;
  let used = 0;
  let bucket = -1;
  /** Events that the bucket still takes. */
  let room = 0;
  let isAtMost = false;
  /** Of the bucket that is being filled. */
  let most = 0;
  let isInSeconds = false;

  function meet(number: number): Holding {
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
      const { slots, bytes, holding } = followed[n];
      slots[bucket] = holding.slots;
      bytes[bucket] = holding.bytes;
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
    timeline.most[bucket] = most;
    timeline.used[bucket] = used;
    timeline.capacity[bucket] = capacity;
    timeline.longestFree[bucket] = longest;
    for (const device of followed) {
      device.least[bucket] = device.leastNow;
      device.bounced[bucket] = device.bouncedNow;
    }
  }

  function openBucket(outcome: Outcome): void {
    if (bucket >= 0) closeBucket();
    if (timeline.buckets === MOST_BUCKETS) {
      timeline.devices = followed;
      mergePairs(timeline);
    }
    bucket = timeline.buckets++;
    room = timeline.span;
    bounced[bucket] = 0;
    usedSum[bucket] = 0;
    lastTime[bucket] = Number.NaN;
    timeline.firstLine[bucket] = outcome.line;
    timeline.firstTime[bucket] = Number.NaN;
    timeline.failed[bucket] = 0;
    for (const device of followed) {
      device.leastNow = device.holding.slots;
      device.bouncedNow = 0;
    }
    noteMost(outcome);
  }

  function noteMost(outcome: Outcome): void {
    most = used;
    timeline.mostLine[bucket] = outcome.line;
    timeline.mostTime[bucket] = outcome.time;
    isAtMost = true;
  }

  function count(outcome: Outcome): void {
    if (room === 0) openBucket(outcome);
    room--;
    lastLine[bucket] = outcome.line;
    const { time } = outcome;
    if (!Number.isNaN(time)) noteTime(time);
  }

  function noteTime(time: number): void {
    if (Number.isNaN(lastTime[bucket])) timeline.firstTime[bucket] = time;
    lastTime[bucket] = time;
    if (!isInSeconds) {
      isInSeconds = Math.floor(time) !== time;
      timeline.clock = isInSeconds ? 'seconds' : 'counter';
    }
  }

  /** Takes a device among the followed, in the place of the least of them if it has outgrown that. */
  function follow(holding: Holding, name: string): void {
    if (followed.length === FOLLOWED) {
      const least = followed.reduce((a, b) => (b.peakSlots < a.peakSlots ? b : a));
      if (holding.slots < OUTGROWS * least.peakSlots) return;
      least.holding.followed = undefined;
      followed = followed.filter((device) => device !== least);
    }
    const column = (): Float64Array => new Float64Array(MOST_BUCKETS);
    holding.followed = {
      name,
      peakSlots: 0,
      slots: column(),
      bytes: column(),
      least: column(),
      bounced: column(),
      holding,
      leastNow: 0,
      bouncedNow: 0,
    };
    followed.push(holding.followed);
  }

  function take({ deviceNumber, device, op, size, answer }: Outcome): void {
    const holding = holdings[deviceNumber] ?? meet(deviceNumber);
    const { nslots } = answer.plan;
    const mapped = op === Op.map ? size : 0;
    held.slots += nslots;
    held.bytes += size;
    holding.slots += nslots;
    holding.bytes += size;
    bounced[bucket] += mapped;
    if (holding.followed === undefined) follow(holding, device.name);
    const series = holding.followed;
    if (series === undefined) return;
    series.bouncedNow += mapped;
    if (holding.slots > series.peakSlots) series.peakSlots = holding.slots;
  }

  function giveBack(number: number): void {
    const holding = holdings[deviceOf(allocations, number)];
    const nslots = nslotsOf(allocations, number);
    const size = sizeOf(allocations, number);
    held.slots -= nslots;
    held.bytes -= size;
    holding.slots -= nslots;
    holding.bytes -= size;
    const series = holding.followed;
    if (series !== undefined && holding.slots < series.leastNow) series.leastNow = holding.slots;
  }

  return {
    onRequest(outcome) {
      count(outcome);
      if (outcome.allocation < 0) {
        timeline.failed[bucket]++;
      } else {
        take(outcome);
        used += outcome.answer.plan.nslots;
        if (used > most) noteMost(outcome);
      }
      usedSum[bucket] += used;
    },
    onRelease(outcome) {
      // What the recorded kernel had refused is given back in the same event, which was counted.
      const isEvent = outcome.op === Op.unmap || outcome.op === Op.free;
      if (isEvent) count(outcome);
      if (isAtMost) noteHolders();
      if (outcome.match === Match.live) giveBack(outcome.allocation);
      const { nslots } = outcome.released;
      used -= nslots;
      usedSum[bucket] += isEvent ? used : -nslots;
    },
    timeline() {
      if (bucket >= 0) closeBucket();
      const devices = [...followed].sort((a, b) => b.peakSlots - a.peakSlots);
      timeline.devices = devices.slice(0, NAMED_DEVICES).map(seriesOf);
      timeline.unnamed = known - timeline.devices.length;
      timeline.events = timeline.buckets * timeline.span - room;
      return trimmed(timeline);
    },
  };
}
