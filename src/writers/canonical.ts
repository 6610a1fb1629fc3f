import type { EventBatch } from '../events/batch.js';
import type { DeviceDeclaration, Expectation, PoolDeclaration } from '../events/trace.js';

/** What a canonical trace declares besides its events. */
export interface Declarations {
  /** Undefined where nobody knows it. */
  kernel: string | undefined;
  /** PAGE_SIZE in bytes. */
  pageSize: number;
  dynamic: boolean;
  /** With the start index of every area, where `indexKnowledge` is `given`. */
  pools: readonly PoolDeclaration[];
  /** By the number that events use; holes for devices without events. */
  devices: readonly (DeviceDeclaration | undefined)[];
  /** Each a line that tells a reader something and no program; they hold no line ends. */
  comments: readonly string[];
  /** How many events are known to be missing, for each way in which that shows; NaN where not known. */
  lost: readonly number[];
}

/** Writes a canonical trace, in one of the ways in which it can be written. */
export interface CanonicalWriter {
  /** What stands before the events. */
  head(declarations: Declarations): string;
  /** The events of a batch from number `from` up to `to`; a few hundred make a text of a good length. */
  events(batch: EventBatch, from: number, to: number): string;
  /** What stands behind them. */
  end(expectations: readonly Omit<Expectation, 'line'>[]): string;
}
