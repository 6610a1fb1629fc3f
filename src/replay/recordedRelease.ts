import type { EventBatch } from '../events/batch.js';
import type { TraceInfo } from '../events/trace.js';
import type { Release } from '../kernel/release.js';
import type { SessionOptions } from './devices.js';
import { createOrderFinder } from './order.js';

/** Little: every release is tried, and in most of them nothing is to be found. */
const BUDGET = { start: 20_000, perEvent: 0 };

/**
 * The release, of several, that explains most of a trace's first results; the last of equals. For
 * traces that do not name their kernel and do not tell the order: no release gives every recorded
 * address before an order is found, and no order can be found without a release.
 * @param batch the first events
 * @param optionsOf what a replay in a release runs on
 */
export function explainingRelease(
  info: TraceInfo,
  batch: EventBatch,
  releases: readonly Release[],
  optionsOf: (release: Release) => SessionOptions,
): Release {
  let best = releases[releases.length - 1];
  let least = { wanting: Number.POSITIVE_INFINITY, moved: 0 };
  for (const release of releases) {
    const own = { ...info, losses: [], assumptions: [] };
    const finder = createOrderFinder(own, optionsOf(release), () => {}, BUDGET);
    finder.run(batch);
    finder.finish();
    const { gaveUp, unexplained, aside, lost, moved } = finder.tally;
    const wanting = unexplained + aside + lost;
    const isWorse = wanting > least.wanting || (wanting === least.wanting && moved > least.moved);
    if (gaveUp || isWorse) continue;
    best = release;
    least = { wanting, moved };
  }
  return best;
}
