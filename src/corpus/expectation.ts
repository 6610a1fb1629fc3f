import type { RuleId } from '../check/rules.js';

/** Schema of an expectation file; it changes when a field changes. */
export const EXPECT_SCHEMA = 'swiotlb-replay/expect@1';

/** What is appended to a trace's file name for the name of its expectation file. */
export const EXPECT_SUFFIX = '.expect.json';

/** How a trace is replayed in a case: words as the command line takes them. */
export interface CaseOptions {
  /** Bytes. */
  pageSize?: number;
  /** As `--pool`. */
  pools?: string[];
  /** As `--device`. */
  devices?: string[];
  /** As `--swiotlb`. */
  swiotlb?: string;
  /** As `--iommu`. */
  iommu?: string[];
  /** Boot log beside the trace, relative to the trace's folder. */
  dmesg?: string;
  /** As `--input-format`. */
  inputFormat?: string;
}

/**
 * A result of one request: hex, `failed: CAUSE` or `hang`. Of an IOMMU trace the hex is a device address (a
 * granule's number in an IOVA trace), ` via ` with the bounce buffer's follows where there is one; lists
 * have `ADDRESS+LENGTH` for each segment, separated by `;`, long ones `N segments DIGEST`.
 */
export interface AddressEntry {
  line: number;
  address: string;
}

/** The results of many requests, in the order of the replay. */
export interface AddressBlock {
  /** Line of the first. */
  line: number;
  count: number;
  /** The first 32 digits of the SHA-256 of `LINE RESULT\n` of each. */
  digest: string;
}

/** Findings of one rule: `count` (1 where missing) of one line, or `folded`: all, of which `line` is the first. */
export interface FindingEntry {
  rule: RuleId;
  line: number;
  count?: number;
  folded?: true;
}

/** One replay of a trace and what is expected of it; what is missing is not compared. */
export interface ExpectedCase {
  kernel: string;
  options?: CaseOptions;
  /** The trace is known to lack events, and is checked all the same. */
  incomplete?: true;
  findings?: FindingEntry[];
  addresses?: AddressEntry[];
  /** Instead of `addresses`, for long traces. */
  addressBlocks?: AddressBlock[];
  /** Such as `failed <= 0`; see bounds.ts. */
  bounds?: string[];
}

/** An expectation file. */
export interface Expectation {
  schema: typeof EXPECT_SCHEMA;
  cases: ExpectedCase[];
}

/** Each option's word on the command line, in the order in which names tell them. */
const OPTION_WORDS: readonly [keyof CaseOptions, string][] = [
  ['pageSize', '--page-size'],
  ['pools', '--pool'],
  ['devices', '--device'],
  ['swiotlb', '--swiotlb'],
  ['iommu', '--iommu'],
  ['dmesg', '--dmesg'],
  ['inputFormat', '--input-format'],
];

/** The options of a case as command line arguments. */
export function optionArguments(options: CaseOptions = {}): string[] {
  return OPTION_WORDS.flatMap(([key, word]) =>
    [options[key] ?? []].flat().map((value) => `${word}=${value}`),
  );
}

/** A case's name, unique within its file: the kernel and the options. */
export function caseName({ kernel, options }: Pick<ExpectedCase, 'kernel' | 'options'>): string {
  return [kernel, ...optionArguments(options)].join(' ');
}
