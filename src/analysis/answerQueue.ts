import type { MapAnswer } from '../swiotlb/allocator.js';

/** What a comparison keeps of an answer. */
export interface KeptAnswer {
  /** NaN where refused. */
  address: number;
  /** First slot, also of those that swiotlb_alloc() gave back before it refused; -1 for none. */
  slot: number;
  /** 0 where nothing was taken. */
  nslots: number;
  transientBase: number;
}

/** Answers of the side that is ahead, which the other has not reached: never more than a batch. */
export interface AnswerQueue {
  push(answer: MapAnswer, transientBase: number): void;
  /** The oldest answer; fills `into`. */
  shift(into: KeptAnswer): void;
}

/** Numbers of an answer in the queue. */
const WIDTH = 4;

/** The slot where an answer's slots begin; of those that were given back at once as well, since they moved the index. */
export function firstSlot({ refusal, slot, givenBack }: MapAnswer): number {
  return refusal === 'unaligned-page' ? givenBack.slot : slot;
}

/** How many slots an answer has taken, if only for a moment. */
export function slotCount({ refusal, slot, plan }: MapAnswer): number {
  return slot >= 0 || refusal === 'unaligned-page' ? plan.nslots : 0;
}

/** An empty queue. */
export function createAnswerQueue(): AnswerQueue {
  let numbers = new Float64Array(1024 * WIDTH);
  let written = 0;
  let read = 0;
  return {
    push(answer, transientBase) {
      if (written === numbers.length) {
        const larger = new Float64Array(numbers.length * 2);
        larger.set(numbers);
        numbers = larger;
      }
      numbers[written] = answer.address;
      numbers[written + 1] = firstSlot(answer);
      numbers[written + 2] = slotCount(answer);
      numbers[written + 3] = transientBase;
      written += WIDTH;
    },
    shift(into) {
      into.address = numbers[read];
      into.slot = numbers[read + 1];
      into.nslots = numbers[read + 2];
      into.transientBase = numbers[read + 3];
      read += WIDTH;
      if (read === written) {
        read = 0;
        written = 0;
      }
    },
  };
}
