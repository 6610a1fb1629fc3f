import type { Outcome } from '../replay/outcome.js';
import type { Session } from '../replay/session.js';
import type { LogHistogram } from './logHistogram.js';
import type { Followed } from './timelineWatch.js';
import { createSizeCounts } from './waste.js';

/** What is kept of a device as events come: one record for all statistics, so that an event costs one look-up. */
export interface DeviceBook {
  name: string;
  maxMappingSize: number;
  unmaps: number;
  /** Requests that were refused; those that were served are in `sizes`. */
  failed: number;
  /** Live allocations, their slots, and the bytes asked for in them. */
  live: number;
  liveSlots: number;
  liveBytes: number;
  /** The most slots that it ever held. */
  peakSlots: number;
  /** Bytes of the buffers that it mapped. */
  bounced: number;
  /** What it asked for, by size class. */
  sizes: Float64Array;
  /** In ticks, or events; undefined before the first release, and for devices beyond the most. */
  lifetimes: LogHistogram | undefined;
  /** Where its series is kept: see watchTimeline(). */
  series: Followed | undefined;
}

/** An empty book for the device of an outcome. */
export function openBook(session: Session, { device }: Outcome): DeviceBook {
  return {
    name: device.name,
    maxMappingSize: session.options.release.maxMappingSize(device.minAlignMask),
    unmaps: 0,
    failed: 0,
    live: 0,
    liveSlots: 0,
    liveBytes: 0,
    peakSlots: 0,
    bounced: 0,
    sizes: createSizeCounts(),
    lifetimes: undefined,
    series: undefined,
  };
}
