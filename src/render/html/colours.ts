import type { Report } from '../../report/report.js';

/** Devices that have a colour of their own; the others share one. */
export const NAMED = 7;

/** The colour of each device, by name: 0 to `NAMED` - 1, `NAMED` for all others. */
export interface Colours {
  names: string[];
  /** Devices without one. */
  others: number;
  of(device: string): number;
}

/** Gives colours to the devices that held the most slots, in any of the reports. */
export function coloursOf(reports: readonly Report[]): Colours {
  const peaks = new Map<string, number>();
  for (const { devices } of reports) {
    for (const { name, peakSlots } of devices) {
      peaks.set(name, Math.max(peakSlots, peaks.get(name) ?? 0));
    }
  }
  const holders = [...peaks].filter(([, peak]) => peak > 0).sort(([, a], [, b]) => b - a);
  const names = holders.slice(0, NAMED).map(([name]) => name);
  return {
    names,
    others: holders.length - names.length,
    of(device) {
      const known = names.indexOf(device);
      return known < 0 ? NAMED : known;
    },
  };
}
