import type { Divergence } from '../analysis/divergence.js';
import type { AreaSearch, Explanation } from '../analysis/explain.js';
import { slotWords } from '../check/words.js';
import { hex } from '../events/numbers.js';
import { counted } from './columns.js';
import { candidateValues, explanationFields, plannedWords, runLine } from './explain.js';
import { harmless } from './harmless.js';

/** Runs of candidates of a side that are shown at the beginning and at the end of its search. */
const SHOWN_FIRST = 2;
const SHOWN_LAST = 4;

/** Runs of candidates and areas that JSON lists; `explain` has all. */
const LISTED = 100;

/** One side of a divergence in words. */
export interface SideWords {
  got: string;
  planned: string;
  candidates: string[];
}

/** Which request the sides part at. */
export function divergenceWords({ line, old }: Divergence): string {
  return `line ${line}, ${old.op} of ${old.size} bytes for ${harmless(old.device)}`;
}

/** Where the new side gave something else in the replay, from a state of its own; empty where it did not. */
export function givenWords({ new: { result }, given }: Divergence): string {
  if (result?.address === given) return '';
  const got = given === undefined ? 'fails' : `gives ${hex(given)}`;
  return `in the replay it ${got}: its searches had started elsewhere`;
}

/** What a side answered, what it looked for, and what its search met, folded. */
export function sideWords(explanation: Explanation): SideWords {
  const { result, examined, cause } = explanation;
  const got = result
    ? `${slotWords(result.slot, result.nslots)} at ${hex(result.address)}`
    : `fails: ${cause?.cause}: ${harmless(cause?.reason ?? '')}`;
  return {
    got: `${got}, ${counted(examined, 'slot')} examined`,
    planned: plannedWords(explanation),
    candidates: candidateLines(explanation),
  };
}

function candidateLines({ areas }: Explanation): string[] {
  const lines = areas.flatMap(({ pool, area, candidates }) =>
    candidates.map((run) => {
      const where = areas.length > 1 ? `pool ${harmless(pool)} area ${area}: ` : '';
      return where + runLine(run).trim();
    }),
  );
  const omitted = lines.length - SHOWN_FIRST - SHOWN_LAST;
  if (omitted <= 1) return lines;
  return [
    ...lines.slice(0, SHOWN_FIRST),
    `... ${omitted} more runs of candidates, as explain shows them ...`,
    ...lines.slice(-SHOWN_LAST),
  ];
}

/** One side of a divergence for JSON, with as many candidates as anybody reads. */
export function explanationValue(explanation: Explanation): unknown {
  const searched = explanation.areas.filter(({ candidates }) => candidates.length > 0);
  return {
    ...explanationFields(explanation),
    areas: searched.slice(0, LISTED).map(areaValue),
  };
}

function areaValue(area: AreaSearch): unknown {
  const { candidates } = area;
  return {
    ...area,
    candidates: candidateValues(candidates.slice(0, LISTED)),
    omittedRuns: Math.max(0, candidates.length - LISTED),
  };
}
