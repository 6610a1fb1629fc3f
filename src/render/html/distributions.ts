import type { PoolFragmentation } from '../../analysis/fragmentation.js';
import type { SizeClass } from '../../analysis/requestSizes.js';
import { barChart } from './bars.js';
import type { Panel } from './panel.js';
import { grouped } from './words.js';

/** Shortest runs of the classes that a histogram has: powers of two up to a segment. */
const RUNS = [1, 2, 4, 8, 16, 32, 64, 128];

/** `2-3`: the lengths of runs in a class. */
export function runWords(from: number): string {
  return from === 1 || from === 128 ? `${from}` : `${from}-${2 * from - 1}`;
}

/** The most slots that a class of runs has. */
export function mostInRuns(pools: readonly PoolFragmentation[]): number {
  return Math.max(0, ...pools.flatMap(({ histogram }) => histogram.map(({ slots }) => slots)));
}

/**
 * Free slots by the length of the run that they are in, at the end and when a pool was most broken up.
 * @param least of the scale's end
 */
export function fragmentationChart(
  end: PoolFragmentation,
  worst: PoolFragmentation,
  least = 1,
): Panel {
  const barOf = (at: PoolFragmentation, className: string, when: string, from: number) => {
    const bucket = at.histogram.find((candidate) => candidate.from === from);
    const { slots = 0, runs = 0 } = bucket ?? {};
    const title = `${when}: ${grouped(slots)} slots in ${grouped(runs)} free runs of ${runWords(from)}`;
    return { className, value: slots, title };
  };
  return barChart(
    'Free slots by the length of their run, at the end and at worst',
    RUNS.map((from) => ({
      name: runWords(from),
      bars: [barOf(end, 'end', 'at the end', from), barOf(worst, 'worst', 'at worst', from)],
    })),
    false,
    least,
  );
}

/** `64`, `4K`: a class of sizes by its upper end, in bytes. */
function sizeName({ to }: SizeClass): string {
  if (to < 1024) return `${to}`;
  return to < 2 ** 20 ? `${to / 1024}K` : `${to / 2 ** 20}M`;
}

/** Requests by size. */
export function sizesChart(sizes: readonly SizeClass[]): Panel {
  return barChart(
    'Requests by size: served and failed',
    sizes.map((one) => {
      const words = `${grouped(one.from)} to ${grouped(one.to)} bytes`;
      return {
        name: sizeName(one),
        bars: [
          {
            className: 'served',
            value: one.served,
            title: `${words}: ${grouped(one.served)} served`,
          },
          {
            className: 'refused',
            value: one.failed,
            title: `${words}: ${grouped(one.failed)} failed`,
          },
        ],
      };
    }),
    true,
  );
}
