import type { RuleId } from '../check/rules.js';
import { parseBound } from './bounds.js';
import type { AddressBlock, AddressEntry, ExpectedCase, FindingEntry } from './expectation.js';
import type { Observation, ObservedFinding } from './observation.js';

/** What a difference is about: a finding's rule, or something else that a case expects. */
export type DifferenceRule = RuleId | 'address' | 'bound' | 'incomplete' | 'unusable';

/** Where a replay is not as expected. Texts may hold device names as the trace has them. */
export interface Difference {
  rule: DifferenceRule;
  /** Line of the trace; null where it is about the whole. */
  line: number | null;
  expected: string;
  actual: string;
}

/** Where a replay is not as its case expects: addresses first, since the rest follows from them. */
export function differencesOf(expected: ExpectedCase, observed: Observation): Difference[] {
  return [
    ...completeness(expected, observed),
    ...(expected.addresses ? addresses(expected.addresses, observed) : []),
    ...(expected.addressBlocks ? blocks(expected.addressBlocks, observed) : []),
    ...(expected.findings ? findings(expected.findings, observed.findings) : []),
    ...(expected.bounds ?? []).flatMap((bound) => boundDifference(bound, observed)),
  ];
}

function completeness({ incomplete }: ExpectedCase, { losses }: Observation): Difference[] {
  if ((incomplete ?? false) === losses.length > 0) return [];
  const actual = incomplete ? 'nothing shows that events are missing' : losses.join('; ');
  const expected = incomplete ? 'an incomplete trace' : 'a complete trace';
  return [{ rule: 'incomplete', line: null, expected, actual }];
}

/** Both lists are by line; a line that only one has is a request that the other did not see. */
function addresses(
  expected: readonly AddressEntry[],
  { addresses: { count, list } }: Observation,
): Difference[] {
  const differences: Difference[] = [];
  const differ = (line: number, was: string, is: string): void => {
    if (was !== is) differences.push({ rule: 'address', line, expected: was, actual: is });
  };
  const ordered = [...expected].sort((a, b) => a.line - b.line);
  let at = 0;
  for (const { line, address } of ordered) {
    while (list[at]?.line < line) differ(list[at].line, NO_REQUEST, list[at++].address);
    if (list[at]?.line === line) differ(line, address, list[at++].address);
    else differ(line, address, NO_REQUEST);
  }
  for (const { line, address } of list.slice(at)) differ(line, NO_REQUEST, address);
  if (count > list.length) {
    differ(list[list.length - 1].line, `${expected.length} requests`, `${count} requests`);
  }
  return differences;
}

const NO_REQUEST = 'no request';

function blocks(expected: readonly AddressBlock[], { addresses }: Observation): Difference[] {
  const differences: Difference[] = [];
  const longer = Math.max(expected.length, addresses.blocks.length);
  for (let n = 0; n < longer; n++) {
    const [was, is] = [expected[n], addresses.blocks[n]];
    if (blockWords(was) === blockWords(is)) continue;
    differences.push({
      rule: 'address',
      line: (is ?? was).line,
      expected: blockWords(was),
      actual: blockWords(is),
    });
  }
  return differences;
}

function blockWords(block: AddressBlock | undefined): string {
  if (block === undefined) return 'no more requests';
  return `${block.count} results from line ${block.line} on with digest ${block.digest}`;
}

function findings(
  expected: readonly FindingEntry[],
  observed: readonly ObservedFinding[],
): Difference[] {
  const key = ({ rule, line }: FindingEntry): string => `${rule} ${line}`;
  const were = new Map(expected.map((entry) => [key(entry), entry]));
  const are = new Set(observed.map(key));
  const differences: Difference[] = [];
  for (const is of observed) {
    const was = were.get(key(is));
    if (findingWords(was) === findingWords(is)) continue;
    differences.push({
      rule: is.rule,
      line: is.line,
      expected: findingWords(was),
      actual: `${findingWords(is)}: ${is.device}: ${is.message}`,
    });
  }
  for (const was of expected) {
    if (are.has(key(was))) continue;
    const expectedWords = findingWords(was);
    differences.push({ rule: was.rule, line: was.line, expected: expectedWords, actual: 'none' });
  }
  return differences.sort((a, b) => (a.line ?? 0) - (b.line ?? 0));
}

function findingWords(entry: FindingEntry | undefined): string {
  if (entry === undefined) return 'none';
  const count = entry.count ?? 1;
  if (entry.folded) return `${count} findings, the first here`;
  return count === 1 ? 'a finding' : `${count} findings`;
}

function boundDifference(text: string, { measures }: Observation): Difference[] {
  const bound = parseBound(text);
  if (bound === undefined) throw new Error(`unparsed bound ${text}`);
  const value = measures[bound.measure];
  if (value !== undefined && bound.holds(value)) return [];
  const actual = `${bound.measure} is ${value ?? 'no number of such a trace'}`;
  return [{ rule: 'bound', line: null, expected: text, actual }];
}
