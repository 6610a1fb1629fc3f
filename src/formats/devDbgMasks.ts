import { type EventBatch, Op } from '../events/batch.js';
import { hex } from '../events/numbers.js';
import type { TraceInfo } from '../events/trace.js';
import { IO_TLB_SIZE } from '../kernel/constants.js';

/** Splits the one mask that a debug line prints into the two that its caller gave. */
export interface MaskInference {
  /** Keeps the printed iotlb_align_mask of event `n` of the current batch. */
  note(n: number, alignMask: number): void;
  /** Sets the masks of devices that are new in a batch, and alloc_align_mask of its events. */
  settle(batch: EventBatch): void;
}

const SLOT_BITS = IO_TLB_SIZE - 1;

/** The smallest mask of low ones that covers `bits`. */
function onesCovering(bits: number): number {
  return bits === 0 ? 0 : 2 ** (32 - Math.clz32(bits)) - 1;
}

/** What the lines of one device say about its min_align_mask. */
interface Evidence {
  firstLine: number;
  /** Bits above the slot offset that every line prints. */
  common: number;
  /** Those of them that a page-sized request does not explain. */
  beyondPage: number;
  /** Low bits of original addresses that are in the result, and that are not. */
  kept: number;
  lost: number;
}

function minAlignMaskFrom({ common, beyondPage, kept, lost }: Evidence): number {
  // A device's mask is of low ones: it ends below a bit that was lost, and holds all that were kept.
  if (lost !== 0) return onesCovering(kept) & ((lost & -lost) - 1);
  if (beyondPage !== 0) return onesCovering(beyondPage);
  return kept !== 0 && common !== 0 ? onesCovering(common) : onesCovering(kept);
}

/**
 * The line prints min_align_mask, alloc_align_mask and the page bits or-ed together, without the low
 * 11 bits. A device's min_align_mask is the same in all its lines, so it is what they have in common;
 * its low bits show in the addresses. What is left of a line's mask is its alloc_align_mask.
 */
export function createMaskInference(info: TraceInfo, pageSize: number): MaskInference {
  const printed: number[] = [];
  const minAlignMask: number[] = [];

  const pageBits = (size: number): number => (size >= pageSize ? (pageSize - 1) & ~SLOT_BITS : 0);

  function gather(batch: EventBatch): Map<number, Evidence> {
    const evidence = new Map<number, Evidence>();
    for (let n = 0; n < batch.length; n++) {
      const device = batch.device[n];
      if (minAlignMask[device] !== undefined) continue;
      const seen = evidence.get(device) ?? {
        firstLine: batch.line[n],
        common: -1,
        beyondPage: -1,
        kept: 0,
        lost: 0,
      };
      evidence.set(device, seen);
      seen.common &= printed[n];
      seen.beyondPage &= printed[n] & ~pageBits(batch.size[n]);
      if (batch.op[n] !== Op.map) continue;
      const low = batch.origAddr[n] & SLOT_BITS;
      seen.kept |= low & batch.tlbAddr[n];
      seen.lost |= low & ~batch.tlbAddr[n];
    }
    return evidence;
  }

  return {
    note(n, alignMask) {
      printed[n] = alignMask;
    },
    settle(batch) {
      for (const [device, evidence] of gather(batch)) {
        const mask = minAlignMaskFrom(evidence);
        minAlignMask[device] = mask;
        info.devices[device].minAlignMask = mask;
        if (mask === 0) continue;
        info.assumptions.push({
          line: evidence.firstLine,
          message: `device ${info.devices[device].name}: min_align_mask ${hex(mask)}, from iotlb_align_mask and addresses`,
        });
      }
      for (let n = 0; n < batch.length; n++) {
        if (batch.op[n] !== Op.map) continue;
        const rest = printed[n] & ~minAlignMask[batch.device[n]] & ~pageBits(batch.size[n]);
        batch.allocAlignMask[n] = onesCovering(rest);
      }
    },
  };
}
