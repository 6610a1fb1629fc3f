import type { LogFact } from '../../events/logFacts.js';

/** A fact without its place, which the reader knows. */
export type BareFact = LogFact extends infer Fact
  ? Fact extends LogFact
    ? Omit<Fact, 'line' | 'time'>
    : never
  : never;

/** One kind of record. `literal` is looked for first, since most lines are nobody's. */
export interface Recogniser {
  literal: string;
  /** Must not be able to backtrack much: lines are somebody else's. */
  pattern: RegExp;
  /** Undefined for what turns out to say nothing. */
  fact(match: RegExpExecArray): BareFact | undefined;
}

/**
 * A driver and device in front of a message, `nvme 0000:01:00.0: `, as a source for patterns; group
 * `device` is the device. The driver may be missing, and so may both.
 */
export const DEVICE = '(?:^|\\s)(?:(?<device>[^\\s:](?:\\S{0,254}[^\\s:])?): )?';

/** The device of a match with DEVICE; `NULL` is what the kernel prints for none. */
export function deviceOf(match: RegExpExecArray): string | undefined {
  const device = match.groups?.device;
  // `(NULL device *)`, of which the pattern sees the end.
  return device === undefined || device === '*)' ? undefined : device;
}

/** Hex with or without `0x`; undefined where there is none. */
export function bigintOf(text: string | undefined): bigint | undefined {
  if (text === undefined || text === '') return undefined;
  return BigInt(text.startsWith('0x') ? text : `0x${text}`);
}
