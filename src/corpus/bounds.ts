import { countLevel } from '../check/finding.js';
import type { Report } from '../report/report.js';

/** What a bound may be about: a number of the report. */
export const MEASURES = {
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

/** A number that a bound may be about. */
export type Measure = keyof typeof MEASURES;

/** Every number of a report that a bound may be about. */
export function measuresOf(report: Report): Record<Measure, number> {
  const entries = Object.entries(MEASURES).map(([name, measure]) => [name, measure(report)]);
  return Object.fromEntries(entries) as Record<Measure, number>;
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
  if (parts === null || !Object.hasOwn(MEASURES, parts[1])) return undefined;
  const compare = COMPARISONS[parts[2]];
  const limit = Number(parts[3]);
  return { measure: parts[1] as Measure, holds: (value) => compare(value, limit) };
}

/** What a bound looks like, for messages. */
export const BOUND_HELP = `a bound is NAME <= NUMBER (or <, ==, >=, >) with a NAME of ${Object.keys(MEASURES).join(', ')}`;
