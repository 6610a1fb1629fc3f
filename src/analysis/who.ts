import { addressOf, deviceOf, eachLive, lineOf, nslotsOf, sizeOf } from '../replay/allocations.js';
import type { Session } from '../replay/session.js';
import type { AreaTraffic } from './areaTraffic.js';
import type { DeviceBook } from './deviceBooks.js';
import { findGrowth, type Growth } from './growth.js';
import { quantile } from './logHistogram.js';
import { durationOf, type Timeline } from './timeline.js';
import type { TimelineWatch } from './timelineWatch.js';
import type { DeviceUsage } from './usage.js';
import { type SizeClass, sizeClasses } from './waste.js';

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

/** Allocations that are told as the oldest. */
const OLDEST = 10;

/**
 * Who uses the pools of a session that is over.
 * @param timeline of the same watch
 */
export function whoOf(
  session: Session,
  watch: TimelineWatch,
  timeline: Timeline,
  devices: readonly DeviceUsage[],
): Who {
  const { allocations } = session;
  const { byNumber, lifetimes } = watch;
  const hasTimes = lifetimes.hasTimes();
  const unit = lifetimes.unit();
  const lastTime = timeline.lastTime.findLast((time) => !Number.isNaN(time)) ?? Number.NaN;
  const ageOf = (number: number): number => lifetimes.ageOf(number, lastTime);

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
    eachLive(allocations, (number) => {
      const device = deviceOf(allocations, number);
      const { lifetimes: released } = byNumber[device];
      if (released === undefined || ageOf(number) * unit <= released.most) return;
      const { name } = session.device(device);
      counts.set(name, (counts.get(name) ?? 0) + 1);
    });
    return counts;
  }

  const outliving = countOutliving();
  const byName = new Map<string, DeviceBook>();
  for (const book of byNumber) if (book !== undefined) byName.set(book.name, book);
  const duration = hasTimes ? durationOf(timeline) : timeline.events;
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
      ...habitsOf(byName.get(name), duration, unit),
    })),
    oldest: oldest(),
    areas: watch.areas(),
    growth: findGrowth(timeline, devices, duration),
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
  book: DeviceBook | undefined,
  duration: number,
  unit: number,
): Pick<DeviceHabits, 'bounced' | 'rate' | 'lifetimes' | 'sizes'> {
  if (book === undefined) return { bounced: 0, rate: 0, lifetimes: undefined, sizes: [] };
  const { bounced, lifetimes, sizes } = book;
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
