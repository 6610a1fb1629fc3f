import { Op, Recorded } from '../../events/batch.js';
import { ADDRESS_LIMIT, MAX_NSLABS } from '../../events/numbers.js';
import { IO_TLB_SIZE } from '../../kernel/constants.js';
import type { Call } from './calls.js';

/** A pool with more areas has more than any kernel makes. */
const MAX_AREAS = 4096;

/** What makes a call one that no kernel made, or of which too little is left, in words; undefined where nothing does. */
export function whyUnusable(call: Call): string | undefined {
  const { op, origAddr, size, allocSize, allocAlignMask, recorded, tlbAddr } = call;
  if (recorded === Recorded.address && !isBelow(tlbAddr, ADDRESS_LIMIT)) {
    return 'the address of the bounce buffer is missing, or is none (below 2^52)';
  }
  const mayLackSize = op !== Op.map && op !== Op.alloc;
  if (!isBelow(size, ADDRESS_LIMIT) && !(mayLackSize && Number.isNaN(size))) {
    return 'its size is missing, or is none';
  }
  if (!isBelow(allocSize, ADDRESS_LIMIT) && !Number.isNaN(allocSize)) {
    return 'its alloc_size is none';
  }
  if (!isBelow(origAddr, ADDRESS_LIMIT) && !Number.isNaN(origAddr)) {
    return 'its orig_addr is no physical address (below 2^52)';
  }
  if (op === Op.map && Number.isNaN(origAddr)) return 'its orig_addr is missing';
  return isBelow(allocAlignMask, 2 ** 32) ? undefined : 'its align_mask has more than 32 bits';
}

function isBelow(value: number, limit: number): boolean {
  return value >= 0 && value < limit;
}

/** Whether a pool can have so many areas: a power of two, as many as its slots at most. */
export function canHaveAreas(areas: number, nslabs: number): boolean {
  return areas <= Math.min(nslabs, MAX_AREAS) && Number.isInteger(Math.log2(areas)) && areas >= 1;
}

/** Whether numbers from a trace can be a pool: a base on a slot's border, and slots that a machine has. */
export function canBePool(base: number, nslabs: number): boolean {
  return (
    base % IO_TLB_SIZE === 0 && isBelow(base, ADDRESS_LIMIT) && nslabs > 0 && nslabs <= MAX_NSLABS
  );
}
