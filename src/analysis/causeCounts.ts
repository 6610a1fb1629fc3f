import type { Observer } from '../replay/outcome.js';

/** Refused requests by cause. */
export interface CauseCounts extends Observer {
  counts: Map<string, number>;
}

/** Counts the causes of refusals; to watch behind the check that proves them. */
export function countCauses(): CauseCounts {
  const counts = new Map<string, number>();
  return {
    counts,
    onRefusal({ answer, cause }) {
      const name = cause ?? (answer.refusal === 'endless' ? 'endless-search' : 'unknown');
      counts.set(name, (counts.get(name) ?? 0) + 1);
    },
  };
}
