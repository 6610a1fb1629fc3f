import { MEASURE_NAMES, type Measure } from '../../src/corpus/bounds.js';
import type { AddressBlock, AddressEntry } from '../../src/corpus/expectation.js';
import type { Observation } from '../../src/corpus/observation.js';

/** What may differ from an empty replay in v6.8. */
type Seen = Partial<Omit<Observation, 'addresses'>> & {
  count?: number;
  list?: AddressEntry[];
  blocks?: AddressBlock[];
};

/** What a replay showed. */
export function observation({ count, list = [], blocks = [], ...others }: Seen): Observation {
  const measures = Object.fromEntries(MEASURE_NAMES.map((name) => [name, 0]));
  return {
    kernel: 'v6.8',
    losses: [],
    findings: [],
    measures: measures as Record<Measure, number>,
    ...others,
    addresses: { count: count ?? list.length, list, blocks },
  };
}
