import { createHash } from 'node:crypto';
import { RULES } from '../../check/rules.js';
import type { Difference, DifferenceRule } from '../../corpus/compare.js';
import type { CaseResult, CheckResult } from '../../corpus/result.js';
import { harmless, harmlessJson, wellFormed } from '../harmless.js';
import { differenceWords, everyCase, moreWords } from './words.js';

/** What code scanning keeps of a run, and of a case that is told result by result. */
const RESULTS_PER_RUN = 5000;
const RESULTS_PER_CASE = 25;

/** Rules that only a check has. */
const OWN_RULES: Record<Exclude<DifferenceRule, keyof typeof RULES>, string> = {
  address: 'a request got another address than expected',
  bound: 'a number of the report is out of its bounds',
  incomplete: 'a trace that should be complete lacks events, or the other way round',
  unusable: 'a trace or its expectations could not be used',
};

/** What a reader of an alert can do. */
const HELP =
  'Replay the trace with the release that the message names: swiotlb-replay TRACE --kernel RELEASE. Where the new' +
  ' result is the right one, swiotlb-replay check TRACE --update writes it into the expectations.';

/** Every rule, by the index that results refer to. */
const RULE_TEXTS: readonly [id: string, text: string][] = [
  ...Object.entries(OWN_RULES),
  ...Object.entries(RULES).map(([id, { summary }]): [string, string] => [id, summary]),
];

/** One result before it is numbered. */
interface Told {
  rule: DifferenceRule;
  trace: string;
  /** Null where it is about the whole trace. */
  line: number | null;
  message: string;
  /** What makes it the same result in another run. */
  identity: string;
}

/**
 * A check as SARIF 2.1.0. Cases with many differences are folded to their first ones and one result
 * for the others, and what exceeds what code scanning takes to one result at the end.
 */
export function checkSarif(result: CheckResult): string {
  const all = everyCase(result).flatMap(({ trace, each }) => caseResults(trace.trace, each));
  const told = all.length > RESULTS_PER_RUN ? all.slice(0, RESULTS_PER_RUN - 1) : all;
  if (told.length < all.length) told.push(remainder(all.slice(told.length)));
  return `${harmlessJson({
    $schema:
      'https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: 'swiotlb-replay',
            rules: RULE_TEXTS.map(([id, text]) => ({
              id,
              shortDescription: { text },
              fullDescription: { text },
              help: { text: HELP },
              defaultConfiguration: { level: 'error' },
            })),
          },
        },
        columnKind: 'utf16CodeUnits',
        results: numbered(told),
      },
    ],
  })}\n`;
}

function caseResults(trace: string, { name, count, differences }: CaseResult): Told[] {
  const folds = count > RESULTS_PER_CASE;
  const shown = differences.slice(0, folds ? RESULTS_PER_CASE - 1 : RESULTS_PER_CASE);
  const told = shown.map((difference) => differenceResult(trace, name, difference));
  if (folds) {
    const { rule, line } = differences[shown.length];
    const [message] = moreWords(count, shown.length);
    const identity = ['folded', trace, name].join('\0');
    told.push({ rule, trace, line, message: `${name}: ${message}`, identity });
  }
  return told;
}

function differenceResult(trace: string, name: string, difference: Difference): Told {
  const { rule, line } = difference;
  const message = `${name}: ${differenceWords(difference)}`;
  // Without what was found instead: that may change while the difference stays the same one.
  return { rule, trace, line, message, identity: [rule, trace, name, line].join('\0') };
}

function remainder(rest: readonly Told[]): Told {
  const [{ rule, trace, line }] = rest;
  const message = `and ${rest.length} more results, the first of them here`;
  return { rule, trace, line, message, identity: 'remainder' };
}

function numbered(results: readonly Told[]): unknown[] {
  const times = new Map<string, number>();
  return results.map(({ rule, trace, line, message, identity }) => {
    const time = (times.get(identity) ?? 0) + 1;
    times.set(identity, time);
    const fingerprint = createHash('sha256').update(`${identity}\0${time}`).digest('hex');
    return {
      ruleId: rule,
      ruleIndex: RULE_TEXTS.findIndex(([id]) => id === rule),
      level: 'error',
      message: { text: harmless(message) },
      locations: [
        {
          physicalLocation: {
            artifactLocation: { uri: uriOf(trace) },
            // Code scanning shows no result without a line.
            region: { startLine: line ?? 1 },
          },
        },
      ],
      partialFingerprints: { 'swiotlbReplay/v1': fingerprint.slice(0, 32) },
    };
  });
}

/** A relative URI reference: what no path segment may hold is percent-encoded. */
function uriOf(path: string): string {
  return path
    .split('/')
    .map((segment) => encodeURIComponent(wellFormed(segment)))
    .join('/');
}
