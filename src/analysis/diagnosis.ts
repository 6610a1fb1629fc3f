import type { Assumption, PoolDeclaration } from '../events/trace.js';

/** What a refused request tells of its pool. */
export type Verdict =
  /** No pool of any size could ever serve it. */
  | 'too-large'
  /** The device has no pool. */
  | 'no-pool'
  /** More than 80 % of the slots were used. */
  | 'full'
  /** Fewer were: alignment, boundary, areas or fragmentation are the reason. */
  | 'not-full'
  /** A message without totals, and a size that proves nothing. */
  | 'unknown';

/** A refusal as the log has it, and what it proves. */
export interface RefusalReport {
  line: number;
  device: string | undefined;
  /** Bytes, as the kernel prints them. */
  size: number;
  /** Slots; undefined before v5.0. */
  total: number | undefined;
  used: number | undefined;
  verdict: Verdict;
  /** The verdict follows from what the log says, and not only likely. */
  proved: boolean;
  /** Refusals that the kernel did not print, as it says after this one; other devices' may be among them. */
  suppressed: number;
  advice: string;
}

/** Refusals that differ in their line and in the slots used at most. */
export interface RefusalGroup {
  /** The kernel that refused; undefined where the log does not tell. */
  kernel: string | undefined;
  device: string | undefined;
  size: number;
  total: number | undefined;
  verdict: Verdict;
  proved: boolean;
  count: number;
  suppressed: number;
  firstLine: number;
  lastLine: number;
  /** Fewest and most used slots; undefined without totals. */
  usedLeast: number | undefined;
  usedMost: number | undefined;
  /** What is proved, likely or not known. */
  reason: string;
  /** What to do, and what not to. */
  advice: string;
}

/** Something else that is wrong, known or not; equal ones are one. */
export interface LogProblem {
  id: string;
  /** Of the first; undefined for what the log gives a reason to look at, but no line of its own. */
  line: number | undefined;
  count: number;
  /** What the kernel did not print, as it says. */
  suppressed: number;
  device: string | undefined;
  message: string;
  /** Releases that have it; undefined where it is no fault of the kernel's, or not known. */
  affected: string | undefined;
  /** The mainline commit that ends it. */
  fixedBy: string | undefined;
  advice: string;
}

/** What a kernel log proves, as plain data. */
export interface Diagnosis {
  path: string;
  lines: number;
  /** A release, or the kernel's own name where that is none that is known. */
  kernel: string | undefined;
  kernelReason: string | undefined;
  pools: PoolDeclaration[];
  /** The first refusals, one by one. */
  reports: RefusalReport[];
  /** All refusals, those beyond the first and the suppressed ones counted in. */
  groups: RefusalGroup[];
  totals: {
    reports: number;
    /** Reports that the list leaves out. */
    omitted: number;
    suppressed: number;
    /** Kinds of refusals and of problems for which there was no room any more. */
    unlisted: number;
  };
  problems: LogProblem[];
  assumptions: Assumption[];
}
