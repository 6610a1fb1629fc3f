import type { PlainLoss } from '../report/plain.js';

/** Whether the model gives what a trace records: `swiotlb-replay/verify@1`. */
export interface Verification {
  schema: 'swiotlb-replay/verify@1';
  path: string;
  format: string;
  kernel: string;
  events: number;
  /** Results that the trace records, and how many of them the model gives. */
  recorded: number;
  reproduced: number;
  /** Taken from the trace, because no model could know them. */
  assumed: number;
  /** The trace is known to lack events. */
  incomplete: boolean;
  /** The first that differ. */
  mismatches: { line: number; recorded: string; replayed: string }[];
  /** The trace's `#expect` lines; null where it has none. */
  expect: null | { ok: boolean; differences: string[] };
  /** Why the trace is incomplete; left out where it is not. */
  losses?: PlainLoss[];
}
