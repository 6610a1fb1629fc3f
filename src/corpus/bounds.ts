import { countLevel } from '../check/finding.js';
import { countOfLevel, type IommuReport } from '../report/iommuReport.js';
import type { Report } from '../report/report.js';

/** What a bound on a trace of the slot allocator may be about: a number of its report. */
const MEASURES = {
  events: ({ trace }: Report) => trace.events,
  skipped: ({ trace }: Report) => trace.skipped,
  maps: ({ summary }: Report) => summary.maps,
  unmaps: ({ summary }: Report) => summary.unmaps,
  failed: ({ summary }: Report) => summary.failed,
  live: ({ summary }: Report) => summary.live,
  mismatches: ({ summary }: Report) => summary.mismatches,
  slotsSearched: ({ summary }: Report) => summary.slotsSearched,
  errors: ({ counts }: Report) => countLevel(counts, 'error'),
  warnings: ({ counts }: Report) => countLevel(counts, 'warning'),
  doubleAllocatedPages: (report: Report) => report.doubleAllocatedPages.length,
  /** Slots of all pools together at the end. */
  used: ({ pools }: Report) =>
    pools.reduce((sum, pool) => sum + (pool.usedHiwater === null ? 0 : pool.used), 0),
  /** Slots of the pool that was fullest. */
  usedHiwater: ({ pools }: Report) => Math.max(0, ...pools.map((pool) => pool.usedHiwater ?? 0)),
} as const;

/** A sum over devices. */
function sum({ devices }: IommuReport, of: (device: IommuReport['devices'][number]) => number) {
  return devices.reduce((total, device) => total + of(device), 0);
}

/** What a bound on an IOMMU trace may be about. */
const IOMMU_MEASURES = {
  events: ({ trace }: IommuReport) => trace.events,
  skipped: ({ trace }: IommuReport) => trace.skipped,
  maps: (report: IommuReport) => sum(report, ({ mappings: own }) => own.made + own.failed),
  failed: (report: IommuReport) => sum(report, ({ mappings }) => mappings.failed),
  live: (report: IommuReport) => sum(report, ({ mappings }) => mappings.live),
  mismatches: ({ record }: IommuReport) => record.mismatches,
  errors: ({ counts }: IommuReport) => countOfLevel(counts, 'error'),
  warnings: ({ counts }: IommuReport) => countOfLevel(counts, 'warning'),
  used: ({ pool }: IommuReport) => pool?.used ?? 0,
  usedHiwater: ({ pool }: IommuReport) => pool?.usedPeak ?? 0,
  /** In and out of the pool. */
  bytesCopied: ({ effects }: IommuReport) => (effects?.bytesIn ?? 0) + (effects?.bytesOut ?? 0),
  beyondNeed: (report: IommuReport) => sum(report, ({ mappings }) => mappings.beyondNeed),
  /** In page tables at the end. */
  granulesMapped: (report: IommuReport) => sum(report, (device) => device.granulesMapped ?? 0),
  /** Device addresses in use at most, in granules. */
  granulesHiwater: (report: IommuReport) => sum(report, ({ space }) => space.usedPeak),
  cacheMisses: (report: IommuReport) =>
    sum(report, ({ caches }) => caches.reduce((total, { misses }) => total + misses, 0)),
  kernelWarnings: ({ effects }: IommuReport) => effects?.warnings ?? 0,
} as const;

/** A number that a bound may be about. */
export type Measure = keyof typeof MEASURES | keyof typeof IOMMU_MEASURES;

/** Their names, those of the slot allocator first. */
export const MEASURE_NAMES: readonly Measure[] = [
  ...new Set([...Object.keys(MEASURES), ...Object.keys(IOMMU_MEASURES)] as Measure[]),
];

/** Every number of a report that a bound may be about. */
export function measuresOf(report: Report): Partial<Record<Measure, number>> {
  const entries = Object.entries(MEASURES).map(([name, measure]) => [name, measure(report)]);
  return Object.fromEntries(entries);
}

/** The same for an IOMMU trace. */
export function iommuMeasuresOf(report: IommuReport): Partial<Record<Measure, number>> {
  const entries = Object.entries(IOMMU_MEASURES).map(([name, measure]) => [name, measure(report)]);
  return Object.fromEntries(entries);
}

const COMPARISONS: Record<string, (a: number, b: number) => boolean> = {
  '<=': (a, b) => a <= b,
  '>=': (a, b) => a >= b,
  '==': (a, b) => a === b,
  '<': (a, b) => a < b,
  '>': (a, b) => a > b,
};

/** A bound such as `failed <= 0`, understood. */
export interface Bound {
  measure: Measure;
  holds(value: number): boolean;
}

/** Understands a bound; undefined if it is none. */
export function parseBound(text: string): Bound | undefined {
  const parts = /^(\w{1,40}) ?(<=|>=|==|<|>) ?(\d{1,15})$/.exec(text);
  const measure = MEASURE_NAMES.find((name) => name === parts?.[1]);
  if (parts === null || measure === undefined) return undefined;
  const compare = COMPARISONS[parts[2]];
  const limit = Number(parts[3]);
  return { measure, holds: (value) => compare(value, limit) };
}

/** What a bound looks like, for messages. */
export const BOUND_HELP = `a bound is NAME <= NUMBER (or <, ==, >=, >) with a NAME of ${MEASURE_NAMES.join(', ')}`;
