import { OP_NAMES } from '../events/batch.js';
import type { Observer } from '../replay/outcome.js';

/** A request that two replays of one trace answered differently; an address is undefined where it was refused. */
export interface DifferentAnswer {
  line: number;
  op: string;
  device: string;
  /** Bytes asked for. */
  size: number;
  old: number | undefined;
  new: number | undefined;
}

/** Two replays of one trace, request by request. */
export interface Comparison {
  /** To observe the first replay, whose batches come first. */
  old: Observer;
  /** To observe the second. */
  new: Observer;
  requests: number;
  different: number;
  /** The first requests that were answered differently. */
  first: DifferentAnswer[];
}

/** A comparison that keeps the first `keep` differences. */
export function createComparison(keep: number): Comparison {
  // Answers of the first replay that the second has not reached: never more than a batch.
  let answers = new Float64Array(1024);
  let written = 0;
  let read = 0;
  const served = (address: number): number | undefined =>
    Number.isNaN(address) ? undefined : address;

  const comparison: Comparison = {
    requests: 0,
    different: 0,
    first: [],
    old: {
      onRequest(outcome) {
        if (written === answers.length) {
          const larger = new Float64Array(answers.length * 2);
          larger.set(answers);
          answers = larger;
        }
        answers[written++] = outcome.answer.address;
      },
    },
    new: {
      onRequest(outcome) {
        const before = answers[read++];
        if (read === written) {
          read = 0;
          written = 0;
        }
        comparison.requests++;
        const { address } = outcome.answer;
        if (Object.is(before, address)) return;
        comparison.different++;
        if (comparison.first.length >= keep) return;
        comparison.first.push({
          line: outcome.line,
          op: OP_NAMES[outcome.op],
          device: outcome.device.name,
          size: outcome.size,
          old: served(before),
          new: served(address),
        });
      },
    },
  };
  return comparison;
}
