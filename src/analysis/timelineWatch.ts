import { Op } from '../events/batch.js';
import { deviceOf, nslotsOf, sizeOf } from '../replay/allocations.js';
import { Match, type Observer, type Outcome } from '../replay/outcome.js';
import type { Session } from '../replay/session.js';
import { freeRunsOf } from '../swiotlb/pool.js';
import { type AreaTraffic, watchAreas } from './areaTraffic.js';
import { type DeviceBook, openBook } from './deviceBooks.js';
import { type Lifetimes, watchLifetimes } from './lifetimes.js';
import {
  type DeviceSeries,
  emptyTimeline,
  MOST_BUCKETS,
  mergePairs,
  NAMED_DEVICES,
  type Timeline,
  trimmed,
} from './timeline.js';
import { servedOf } from './usage.js';
import { addRequest } from './waste.js';

/** Watches a session for its timeline, and for what its devices do. */
export interface TimelineWatch extends Observer {
  /** To be called once, after the replay. */
  timeline(): Timeline;
  /** The books of devices with events: in the order of their first, and by device number. */
  books: DeviceBook[];
  byNumber: DeviceBook[];
  /** How old a live allocation is at the end; see lifetimes.ts. */
  lifetimes: Lifetimes;
  /** Searches by area. */
  areas(): AreaTraffic[];
}

/** Devices that are followed, so that those who were the largest at the end have been followed long. */
const FOLLOWED = 16;

/** How many times more than the least of the followed a newcomer must hold to take its place. */
const OUTGROWS = 2;

/** A device whose series is kept. */
export interface Followed extends Omit<DeviceSeries, 'name' | 'peakSlots'> {
  book: DeviceBook;
  /** The fewest slots in the bucket that is being filled. */
  leastNow: number;
  /** Bytes that it had mapped when that bucket, or its series, began. */
  bouncedBefore: number;
}

/** What others need of a followed device. */
function seriesOf({ book, slots, bytes, least, bounced }: Followed): DeviceSeries {
  return { name: book.name, peakSlots: book.peakSlots, slots, bytes, least, bounced };
}

/**
 * Follows how many slots are in use and who holds them, in memory that does not grow with the trace.
 * An event costs a few sums in its device's book; what can be told from these is noted when a bucket
 * ends, and who holds what when its maximum is left again. One observer, since each costs a call.
 */
export function watchTimeline(session: Session): TimelineWatch {
  const { allocations } = session;
  const timeline = emptyTimeline();
  // What changes with every event is kept in columns: a number with a fraction in a variable would cost an object.
  const { lastLine, lastTime, usedSum } = timeline;
  const books: DeviceBook[] = [];
  const byNumber: DeviceBook[] = [];
  const lifetimes = watchLifetimes();
  const areas = watchAreas();
  let followed: Followed[] = [];
  /** Of all devices; `bouncedBefore` when the bucket began. */
  const all = { slots: 0, bytes: 0, bounced: 0, bouncedBefore: 0 };
  let used = 0;
  let bucket = -1;
  /** Events that the bucket still takes. */
  let room = 0;
  let isAtMost = false;
  /** Of the bucket that is being filled. */
  let most = 0;
  let isInSeconds = false;

  function meet(outcome: Outcome): DeviceBook {
    const book = openBook(session, outcome);
    byNumber[outcome.deviceNumber] = book;
    books.push(book);
    return book;
  }

  /** Who holds what at the bucket's maximum, which is now. */
  function noteHolders(): void {
    isAtMost = false;
    timeline.live[bucket] = all.slots;
    timeline.liveBytes[bucket] = all.bytes;
    for (let n = 0; n < followed.length; n++) {
      const { slots, bytes, book } = followed[n];
      slots[bucket] = book.liveSlots;
      bytes[bucket] = book.liveBytes;
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
    timeline.bounced[bucket] = all.bounced - all.bouncedBefore;
    for (const device of followed) {
      device.least[bucket] = device.leastNow;
      device.bounced[bucket] = device.book.bounced - device.bouncedBefore;
    }
  }

  function openBucket(outcome: Outcome): void {
    if (bucket >= 0) closeBucket();
    if (timeline.buckets === MOST_BUCKETS) {
      timeline.devices = followed.map(seriesOf);
      mergePairs(timeline);
    }
    bucket = timeline.buckets++;
    room = timeline.span;
    all.bouncedBefore = all.bounced;
    usedSum[bucket] = 0;
    lastTime[bucket] = Number.NaN;
    timeline.firstLine[bucket] = outcome.line;
    timeline.firstTime[bucket] = Number.NaN;
    timeline.failed[bucket] = 0;
    for (const device of followed) {
      device.leastNow = device.book.liveSlots;
      device.bouncedBefore = device.book.bounced;
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
    lifetimes.tick(outcome);
    if (!Number.isNaN(outcome.time)) noteTime(outcome);
  }

  function noteTime({ time }: Outcome): void {
    if (Number.isNaN(lastTime[bucket])) timeline.firstTime[bucket] = time;
    lastTime[bucket] = time;
    if (!isInSeconds) {
      isInSeconds = Math.floor(time) !== time;
      timeline.clock = isInSeconds ? 'seconds' : 'counter';
    }
  }

  /** Takes a device among the followed, in the place of the least of them if it has outgrown that. */
  function follow(book: DeviceBook): void {
    if (followed.length === FOLLOWED) {
      const least = followed.reduce((a, b) => (b.book.peakSlots < a.book.peakSlots ? b : a));
      if (book.liveSlots < OUTGROWS * least.book.peakSlots) return;
      least.book.series = undefined;
      followed = followed.filter((device) => device !== least);
    }
    const column = (): Float64Array => new Float64Array(MOST_BUCKETS);
    book.series = {
      slots: column(),
      bytes: column(),
      least: column(),
      bounced: column(),
      book,
      leastNow: 0,
      bouncedBefore: book.bounced,
    };
    followed.push(book.series);
  }

  /** Hot path, as giveBack(). */
  function take(book: DeviceBook, outcome: Outcome): void {
    const { size } = outcome;
    const { nslots } = outcome.answer.plan;
    all.slots += nslots;
    all.bytes += size;
    book.live++;
    book.liveSlots += nslots;
    book.liveBytes += size;
    if (book.liveSlots > book.peakSlots) book.peakSlots = book.liveSlots;
    if (book.series === undefined) follow(book);
    if (outcome.op === Op.map) {
      all.bounced += size;
      book.bounced += size;
    }
    addRequest(book.sizes, outcome);
    lifetimes.begin(outcome);
    used += nslots;
    if (used > most) noteMost(outcome);
  }

  function giveBack(outcome: Outcome, isEvent: boolean): void {
    const number = outcome.allocation;
    const book = byNumber[deviceOf(allocations, number)];
    const nslots = nslotsOf(allocations, number);
    const size = sizeOf(allocations, number);
    all.slots -= nslots;
    all.bytes -= size;
    book.live--;
    book.liveSlots -= nslots;
    book.liveBytes -= size;
    const { series } = book;
    if (series !== undefined && book.liveSlots < series.leastNow) series.leastNow = book.liveSlots;
    // What is given back in the event that took it has not lived.
    if (isEvent) lifetimes.end(outcome, book);
  }

  return {
    books,
    byNumber,
    lifetimes,
    areas: areas.areas,
    onRequest(outcome) {
      count(outcome);
      areas.see(outcome);
      const book = byNumber[outcome.deviceNumber] ?? meet(outcome);
      if (outcome.allocation >= 0) {
        take(book, outcome);
      } else {
        timeline.failed[bucket]++;
        book.failed++;
      }
      usedSum[bucket] += used;
    },
    onRelease(outcome) {
      // What the recorded kernel had refused is given back in the same event, which was counted.
      const isEvent = outcome.op === Op.unmap || outcome.op === Op.free;
      if (isEvent) {
        count(outcome);
        const book = byNumber[outcome.deviceNumber] ?? meet(outcome);
        book.unmaps++;
      }
      if (isAtMost) noteHolders();
      // The slots count for who took them, whichever device gives them back.
      if (outcome.match === Match.live) giveBack(outcome, isEvent);
      const { nslots } = outcome.released;
      used -= nslots;
      usedSum[bucket] += isEvent ? used : -nslots;
    },
    timeline() {
      if (bucket >= 0) closeBucket();
      const devices = [...followed].sort((a, b) => b.book.peakSlots - a.book.peakSlots);
      timeline.devices = devices.slice(0, NAMED_DEVICES).map(seriesOf);
      const known = books.filter((book) => servedOf(book) > 0).length;
      timeline.unnamed = known - timeline.devices.length;
      timeline.events = timeline.buckets * timeline.span - room;
      return trimmed(timeline);
    },
  };
}
