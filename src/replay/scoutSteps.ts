import type { Allocator, Device } from '../swiotlb/allocator.js';
import { type Pool, releaseSlots, slotAddress, takeSlots } from '../swiotlb/pool.js';
import type { MovedIndex } from './follow.js';
import type { StartIndexInference } from './startIndex.js';

/** An allocation that a scout holds. */
export interface Taken {
  /** The event that made it. */
  line: number;
  cpu: number;
  op: number;
  deviceNumber: number;
  device: Device;
  /** Bytes asked for. */
  size: number;
  dir: number;
  /** The address that the trace knows it by. */
  recordedAddr: number;
  /** Where the model has it; NaN where it refused it. */
  address: number;
  /** Undefined where the model refused it. */
  pool: Pool | undefined;
  isTransient: boolean;
  area: number;
  /** First slot, padding included. */
  slot: number;
  nslots: number;
  /** Padding slots in front of the data. */
  padSlots: number;
  /** Bytes from the start of the data's first slot to the data. */
  lowOffset: number;
  /** Bytes that the first slot stores. */
  storedSize: number;
  /** An older one that the trace knows by the same address. */
  older: Taken | undefined;
}

/** A start index that was inferred from the trace. */
export interface InferredIndex extends MovedIndex {
  inference: StartIndexInference;
}

/** What one event did to the model, and what it takes to undo it. */
export interface Step {
  took: Taken | undefined;
  released: Taken | undefined;
  inferred: InferredIndex | undefined;
  moved: MovedIndex | undefined;
  /** The allocator that a pool has joined. */
  grown: Allocator | undefined;
  /** It broke the model as it broke the kernel (a wrong unmap): nothing goes back behind it. */
  isFinal: boolean;
}

/** A step that changes nothing. */
export const NO_STEP: Step = {
  took: undefined,
  released: undefined,
  inferred: undefined,
  moved: undefined,
  grown: undefined,
  isFinal: false,
};

/** Allocations by recorded address, and by pool and first slot. */
export interface TakenTable {
  byAddress: Map<number, Taken>;
  bySlot: Map<Pool, Map<number, Taken>>;
}

/** Puts an allocation into the table. */
export function addTaken({ byAddress, bySlot }: TakenTable, taken: Taken): void {
  taken.older = byAddress.get(taken.recordedAddr);
  byAddress.set(taken.recordedAddr, taken);
  if (taken.pool === undefined) return;
  let slots = bySlot.get(taken.pool);
  if (slots === undefined) {
    slots = new Map();
    bySlot.set(taken.pool, slots);
  }
  slots.set(taken.slot, taken);
}

/** Takes the newest allocation of its address out of the table. */
export function dropTaken({ byAddress, bySlot }: TakenTable, taken: Taken): void {
  if (taken.older === undefined) byAddress.delete(taken.recordedAddr);
  else byAddress.set(taken.recordedAddr, taken.older);
  if (taken.pool === undefined) return;
  if (taken.isTransient) bySlot.delete(taken.pool);
  else bySlot.get(taken.pool)?.delete(taken.slot);
}

/** The allocations that hold any of `nslots` slots from `slot` on; no allocation is longer than a segment. */
export function holdersOf(table: TakenTable, pool: Pool, slot: number, nslots: number): Taken[] {
  const slots = table.bySlot.get(pool);
  if (slots === undefined) return [];
  const holders: Taken[] = [];
  for (let at = slot - 127; at < slot + nslots; at++) {
    const taken = slots.get(at);
    if (taken !== undefined && at + taken.nslots > slot) holders.push(taken);
  }
  return holders;
}

const unread = { slot: 0, nslots: 0 };

/** Gives the slots of an allocation back as if it had never been. */
function untake({ device, pool, isTransient, slot, nslots, ...taken }: Taken): void {
  if (pool === undefined) return;
  device.allocator.used -= nslots;
  if (isTransient) {
    device.transientPools.splice(device.transientPools.indexOf(pool), 1);
    return;
  }
  const address = slotAddress(pool, slot + taken.padSlots) + taken.lowOffset;
  releaseSlots(pool, address, taken.lowOffset, undefined, unread);
}

/** Takes the slots of an allocation again as if they had never been released. */
function unrelease({ device, pool, isTransient, area, slot, nslots, ...taken }: Taken): void {
  if (pool === undefined) return;
  device.allocator.used += nslots;
  if (isTransient) {
    device.transientPools.push(pool);
    return;
  }
  const index = pool.areaIndex[area];
  takeSlots(pool, area, slot, nslots, taken.storedSize);
  pool.areaIndex[area] = index;
  if (taken.padSlots > 0) pool.padSlots[slot + taken.padSlots] = taken.padSlots;
}

/** Undoes the last step that was made. */
export function undoStep(table: TakenTable, step: Step): void {
  const { took, released, inferred, moved } = step;
  if (took !== undefined) {
    untake(took);
    dropTaken(table, took);
  }
  if (released !== undefined) {
    unrelease(released);
    addTaken(table, released);
  }
  if (moved !== undefined) moved.pool.areaIndex[moved.area] = moved.before;
  if (inferred !== undefined) {
    inferred.pool.areaIndex[inferred.area] = inferred.before;
    inferred.inference.unsee(inferred.area);
  }
  step.grown?.pools.shift();
}
