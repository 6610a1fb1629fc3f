import type { Timeline } from './timeline.js';
import type { DeviceUsage } from './usage.js';

/** A device that holds ever more slots, and the evidence. */
export interface Growth {
  device: string;
  /** The fewest slots that it held in each part of the trace; the parts have equally many events. */
  least: number[];
  /** First line of the first part, last line of the last. */
  firstLine: number;
  lastLine: number;
  /** Slots that the least grows by per unit of the duration; undefined where that is 0. */
  rate: number | undefined;
}

/** Parts of the trace that are compared. */
const PARTS = 8;

/** Events below which a trend is not told from chance. */
const LEAST_EVENTS = 512;

/** A device that still holds more than this part of what it got tells of no releases, or does not mean to. */
const MOST_KEPT = 0.75;

/**
 * Devices that give slots back, and yet never fall back to what they held before: from each part of the
 * trace to the next the fewest slots that they held become more, and in the later half by no less than
 * half of what they do in the earlier. Eight numbers that only swing stand in that order once in 40,000
 * times; what fills up at first and then stays, as rings do, does not.
 * @param duration of the timeline, in whatever unit the rate shall have
 */
export function findGrowth(
  timeline: Timeline,
  devices: readonly DeviceUsage[],
  duration: number,
): Growth[] {
  const { events, buckets, firstLine, lastLine } = timeline;
  if (events < LEAST_EVENTS) return [];
  const found: Growth[] = [];
  for (const { name, least } of timeline.devices) {
    const usage = devices.find((device) => device.name === name);
    const served = usage === undefined ? 0 : usage.maps - usage.failed;
    if (usage === undefined || usage.live > served * MOST_KEPT) continue;
    const leasts = Array.from({ length: PARTS }, (_, part) =>
      Math.min(...least.subarray((part * buckets) / PARTS, ((part + 1) * buckets) / PARTS)),
    );
    if (!growsSteadily(leasts)) continue;
    const grown = leasts[PARTS - 1] - leasts[0];
    found.push({
      device: name,
      least: leasts,
      firstLine: firstLine[0],
      lastLine: lastLine[buckets - 1],
      rate: duration > 0 ? grown / (duration * ((PARTS - 1) / PARTS)) : undefined,
    });
  }
  return found;
}

function growsSteadily(leasts: readonly number[]): boolean {
  const middle = leasts[PARTS / 2 - 1];
  const early = middle - leasts[0];
  const late = leasts[PARTS - 1] - middle;
  return late >= early / 2 && leasts.every((least, n) => n === 0 || least > leasts[n - 1]);
}
