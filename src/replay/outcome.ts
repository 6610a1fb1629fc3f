import { type EventBatch, Recorded } from '../events/batch.js';
import type { Device, MapAnswer, Released } from '../swiotlb/allocator.js';
import type { OwnAnswer } from './follow.js';

/** What the replay made of an unmap or free. The numbers are the values of `Outcome.match`. */
export const Match = {
  /** It releases a live allocation. */
  live: 0,
  /** The recorded kernel had served the allocation, the model had not: nothing to release. */
  refused: 1,
  /** The address was mapped, and has been released already. */
  released: 2,
  /** No allocation of the trace starts at the address. */
  unknown: 3,
} as const;

/**
 * One event and what became of it. One object is reused for all events of a replay: observers read
 * it and keep what they need.
 */
export interface Outcome {
  /** Line of the trace, 1-based. */
  line: number;
  /** As the column of that name. */
  time: number;
  /** One of `Op`. */
  op: number;
  cpu: number;
  device: Device;
  /** Index into the trace's devices. */
  deviceNumber: number;
  /** map: physical address of the original buffer; 0 for alloc. */
  origAddr: number;
  /** map: mapping_size; alloc: size; unmap, free: the caller's size, NaN where not told. */
  size: number;
  /** map, unmap: alloc_size as passed, or `size`. */
  allocSize: number;
  /** map: the caller's alloc_align_mask; alloc: what the release searched with. */
  allocAlignMask: number;
  /** Index into DIR_NAMES. */
  dir: number;
  /** One of `Recorded`. */
  recorded: number;
  /** The recorded address; NaN where there is none. */
  recordedAddr: number;
  /** map, alloc: one of `Look`. */
  look: number;
  /** map, alloc: where a transient pool would lie; NaN where none can be had. */
  transientBase: number;
  /** map, alloc: what the model answered. */
  answer: MapAnswer;
  /** What it had answered by itself, where `answer` follows the trace (Look.asRecorded). */
  own: OwnAnswer | undefined;
  /**
   * map, alloc: number of the new allocation in the replay's table, -1 where refused.
   * unmap, free: number of the allocation that the event is about, -1 where there is none.
   */
  allocation: number;
  /** unmap, free: one of `Match`. */
  match: number;
  /** unmap, free: what the model gave back. */
  released: Released;
  /** A refused request's cause, once a check has proved it. */
  cause: string | undefined;
}

/** Watches a replay. What a check or a statistic does not need it leaves out. */
export interface Observer {
  /** Before a map or alloc: the outcome holds the request, the pools are as the search will find them. */
  beforeRequest?(outcome: Outcome): void;
  /** After a map or alloc that was refused: for who needs no other, in its turn among the observers. */
  onRefusal?(outcome: Outcome): void;
  /** After a map or alloc, served or refused. */
  onRequest?(outcome: Outcome): void;
  /** After an unmap or free; the allocation's columns still hold what it was. */
  onRelease?(outcome: Outcome): void;
  /** After the events of a batch from number `from` up to `to`, which it may not change. */
  onBatch?(batch: EventBatch, from: number, to: number): void;
  /** After the last event. */
  atEnd?(): void;
}

/** What a request's answer is held against. */
type Recollection = Pick<Outcome, 'recorded' | 'recordedAddr' | 'answer' | 'own'>;

/** Whether the model's answer is the recorded one; only for events with a recorded result. */
export function isReproduced({ recorded, recordedAddr, answer, own }: Recollection): boolean {
  if (own !== undefined) return false;
  switch (recorded) {
    case Recorded.address:
      return answer.address === recordedAddr;
    case Recorded.hang:
      return answer.refusal === 'endless';
    default:
      return answer.refusal !== undefined && answer.refusal !== 'endless';
  }
}
