import { searchIndexed } from './indexed.js';
import { type Searcher, searchLinear } from './search.js';

/** Every searcher, as `--search` names it; all give the same slots, at different cost. */
export const SEARCHERS: Readonly<Record<string, Searcher>> = {
  linear: searchLinear,
  indexed: searchIndexed,
};

/** The searcher that is used when none is named. */
export const DEFAULT_SEARCH = 'indexed';
