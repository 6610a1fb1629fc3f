import { Op } from '../events/batch.js';
import { addressOf, deviceOf, eachLive, lineOf, nslotsOf, sizeOf } from '../replay/allocations.js';
import { Match, type Observer, type Outcome } from '../replay/outcome.js';
import type { Session } from '../replay/session.js';
import { type AreaTraffic, watchAreas } from './areaTraffic.js';
import { findGrowth, type Growth } from './growth.js';
import { addValue, createLogHistogram, type LogHistogram, quantile } from './logHistogram.js';
import { durationOf, type Timeline } from './timeline.js';
import type { DeviceUsage } from './usage.js';
import { addRequest, createSizeCounts, type SizeClass, sizeClasses } from './waste.js';

/** How long allocations live, from request to release. Quantiles are within 6 %. */
export interface Lifetimes {
  /** Allocations that were released, and whose both times are known. */
  count: number;
  median: number;
  p90: number;
  p99: number;
  longest: number;
}

/** What a device does to the pool, besides its counts. */
export interface DeviceHabits {
  name: string;
  /** Slots that it held, and bytes that it had asked for in them, when the pools' most were in use. */
  atPeak: { slots: number; bytes: number };
  /** Bytes of the buffers that it mapped: in all, and per unit of the clock, undefined where no time passes. */
  bounced: number;
  rate: number | undefined;
  /** Undefined where nothing was released. */
  lifetimes: Lifetimes | undefined;
  /** Live at the end, and older than anything that it released. */
  outliving: number;
  sizes: SizeClass[];
}

/** An allocation that is live when the trace ends. */
export interface OldAllocation {
  line: number;
  device: string;
  address: number;
  size: number;
  nslots: number;
  /** Since its request, in units of the clock. */
  age: number;
}

/** Who uses the pools, and how. */
export interface Who {
  /** What times, ages and rates are in; `counter` is the trace's own. */
  clock: 'seconds' | 'counter' | 'events';
  /** From the first event to the last. */
  duration: number;
  /** When the most slots of all pools together were in use; undefined without an event. */
  peak: { line: number; time: number; used: number; capacity: number } | undefined;
  /** The devices that the timeline names, the greatest peak first. */
  devices: DeviceHabits[];
  /** Oldest first. */
  oldest: OldAllocation[];
  areas: AreaTraffic[];
  growth: Growth[];
}

/** Watches who uses the pools. */
export interface WhoWatch extends Observer {
  /** To be called once, after the replay. */
  who(timeline: Timeline, devices: readonly DeviceUsage[]): Who;
}

/** Allocations that are told as the oldest. */
const OLDEST = 10;

/** Times are counted in these, so that lifetimes are whole numbers: nanoseconds, where times are seconds. */
const TICKS = 1e9;

/** Devices whose lifetimes are kept, so that a trace of nothing but devices does not fill memory. */
const MOST_HISTOGRAMS = 1024;

/** What is kept of a device. */
interface Habits {
  bounced: number;
  /** In ticks, or events; undefined before the first release, and for devices beyond the most. */
  lifetimes: LogHistogram | undefined;
  sizes: Float64Array;
}

/** Watches lifetimes, sizes and areas. An event costs a few sums and two look-ups. */
export function watchWho(session: Session): WhoWatch {
  const { allocations } = session;
  const byNumber: Habits[] = [];
  const areas = watchAreas();
  let events = 0;
  let histograms = 0;
  let hasTimes: boolean | undefined;
  /** The event's time and the last that was known; in an array, since in variables each would cost an object. */
  const clock = Float64Array.of(Number.NaN, Number.NaN);
  /** When an allocation began, by its number. */
  let begun = new Float64Array(1024);

  /** Sets the clock. Whether the trace has times the first event tells. */
  function tick({ time }: Outcome): void {
    hasTimes ??= !Number.isNaN(time);
    events++;
    clock[0] = hasTimes ? time : events;
    if (!Number.isNaN(time)) clock[1] = time;
  }

  function begin(number: number): void {
    if (number >= begun.length) {
      const larger = new Float64Array(Math.max(number + 1, begun.length * 2));
      larger.set(begun);
      begun = larger;
    }
    begun[number] = clock[0];
  }

  function end(number: number): void {
    const lived = clock[0] - begun[number];
    if (Number.isNaN(lived)) return;
    const habits = byNumber[deviceOf(allocations, number)];
    if (habits.lifetimes === undefined) {
      if (histograms === MOST_HISTOGRAMS) return;
      histograms++;
      habits.lifetimes = createLogHistogram();
    }
    // The records of several CPUs need not stand in the order of their clocks.
    addValue(habits.lifetimes, hasTimes ? Math.max(0, Math.round(lived * TICKS)) : lived);
  }

  function meet(number: number): Habits {
    byNumber[number] = { bounced: 0, lifetimes: undefined, sizes: createSizeCounts() };
    return byNumber[number];
  }

  /** Ages are never below 0, nor NaN: without a time an allocation counts as new. */
  function ageOf(number: number): number {
    return Math.max(0, (hasTimes ? clock[1] : events) - begun[number]) || 0;
  }

  function oldest(): OldAllocation[] {
    const numbers: number[] = [];
    eachLive(allocations, (number) => {
      const line = lineOf(allocations, number);
      if (numbers.length === OLDEST) {
        if (line >= lineOf(allocations, numbers[OLDEST - 1])) return;
        numbers.pop();
      }
      const before = numbers.findIndex((other) => lineOf(allocations, other) > line);
      numbers.splice(before < 0 ? numbers.length : before, 0, number);
    });
    return numbers.map((number) => ({
      line: lineOf(allocations, number),
      device: session.device(deviceOf(allocations, number)).name,
      address: addressOf(allocations, number),
      size: sizeOf(allocations, number),
      nslots: nslotsOf(allocations, number),
      age: ageOf(number),
    }));
  }

  /** Live allocations that are older than any of their device that was released, by device. */
  function countOutliving(): Map<string, number> {
    const counts = new Map<string, number>();
    const unit = hasTimes ? TICKS : 1;
    eachLive(allocations, (number) => {
      const device = deviceOf(allocations, number);
      const { lifetimes } = byNumber[device];
      if (lifetimes === undefined || ageOf(number) * unit <= lifetimes.most) return;
      const { name } = session.device(device);
      counts.set(name, (counts.get(name) ?? 0) + 1);
    });
    return counts;
  }

  return {
    onRequest(outcome) {
      tick(outcome);
      areas.see(outcome);
      const { allocation, deviceNumber } = outcome;
      const habits = byNumber[deviceNumber] ?? meet(deviceNumber);
      if (allocation < 0) return;
      begin(allocation);
      addRequest(habits.sizes, outcome);
      if (outcome.op === Op.map) habits.bounced += outcome.size;
    },
    onRelease(outcome) {
      // What the recorded kernel had refused is given back in the same event, and has not lived.
      if (outcome.op !== Op.unmap && outcome.op !== Op.free) return;
      tick(outcome);
      if (outcome.match === Match.live) end(outcome.allocation);
    },
    who(timeline, devices) {
      const outliving = countOutliving();
      const byName = new Map<string, Habits>();
      byNumber.forEach((habits, number) => {
        byName.set(session.device(number).name, habits);
      });
      const duration = hasTimes ? durationOf(timeline) : events;
      const { most } = timeline;
      const peak = most.indexOf(most.reduce((a, b) => Math.max(a, b), 0));
      return {
        clock: !hasTimes ? 'events' : timeline.clock === 'seconds' ? 'seconds' : 'counter',
        duration,
        peak: peak < 0 ? undefined : peakOf(timeline, peak),
        devices: timeline.devices.map(({ name, slots, bytes }) => ({
          name,
          atPeak: { slots: slots[peak], bytes: bytes[peak] },
          outliving: outliving.get(name) ?? 0,
          ...habitsOf(byName.get(name), duration, hasTimes ? TICKS : 1),
        })),
        oldest: oldest(),
        areas: areas.areas(),
        growth: findGrowth(timeline, devices, duration),
      };
    },
  };
}

function peakOf({ mostLine, mostTime, most, capacity }: Timeline, bucket: number): Who['peak'] {
  return {
    line: mostLine[bucket],
    time: mostTime[bucket],
    used: most[bucket],
    capacity: capacity[bucket],
  };
}

/** @param unit of the lifetimes, as parts of the clock's */
function habitsOf(
  habits: Habits | undefined,
  duration: number,
  unit: number,
): Pick<DeviceHabits, 'bounced' | 'rate' | 'lifetimes' | 'sizes'> {
  if (habits === undefined) return { bounced: 0, rate: 0, lifetimes: undefined, sizes: [] };
  const { bounced, lifetimes, sizes } = habits;
  return {
    bounced,
    rate: duration > 0 ? bounced / duration : undefined,
    lifetimes: lifetimes && {
      count: lifetimes.count,
      median: quantile(lifetimes, 0.5) / unit,
      p90: quantile(lifetimes, 0.9) / unit,
      p99: quantile(lifetimes, 0.99) / unit,
      longest: lifetimes.most / unit,
    },
    sizes: sizeClasses(sizes),
  };
}
