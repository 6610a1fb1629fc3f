import type { Allocator, Device } from '../swiotlb/allocator.js';
import { notePadding, type Pool, releaseSlots, slotAddress, takeSlots } from '../swiotlb/pool.js';
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
  /** The next in the table whose recorded address has the same low 32 bits, older ones last. */
  next: Taken | undefined;
}

function emptyTaken(): Taken {
  return {
    line: 0,
    cpu: 0,
    op: 0,
    deviceNumber: 0,
    device: undefined as unknown as Device,
    size: 0,
    dir: 0,
    recordedAddr: Number.NaN,
    address: Number.NaN,
    pool: undefined,
    isTransient: false,
    area: 0,
    slot: 0,
    nslots: 0,
    padSlots: 0,
    lowOffset: 0,
    storedSize: 0,
    next: undefined,
  };
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
  /** Whose start index it has moved, and from where: no object of its own, which would outlive the nursery. */
  movedPool: Pool | undefined;
  movedArea: number;
  movedBefore: number;
  /** The allocator that a pool has joined. */
  grown: Allocator | undefined;
  /** It broke the model as it broke the kernel (a wrong unmap): nothing goes back behind it. */
  isFinal: boolean;
}

function emptyStep(): Step {
  return {
    took: undefined,
    released: undefined,
    inferred: undefined,
    movedPool: undefined,
    movedArea: 0,
    movedBefore: 0,
    grown: undefined,
    isFinal: false,
  };
}

/** A step that changes nothing. */
export const NO_STEP: Step = emptyStep();

/** Steps and allocations that are used again: a scout makes one for each event, and keeps it for a while. */
export interface StepStore {
  /** A step that has nothing but these. */
  step(took?: Taken, released?: Taken): Step;
  /** An allocation to be described. */
  taken(): Taken;
  /** Takes the first steps away, which are never undone. */
  forget(steps: Step[], count: number): void;
}

/** A store of nothing yet. */
export function createStepStore(): StepStore {
  const spareSteps: Step[] = [];
  const spareTaken: Taken[] = [];
  return {
    step(took, released) {
      const step = spareSteps.pop() ?? emptyStep();
      step.took = took;
      step.released = released;
      step.inferred = undefined;
      step.movedPool = undefined;
      step.grown = undefined;
      step.isFinal = false;
      return step;
    },
    taken: () => spareTaken.pop() ?? emptyTaken(),
    forget(steps, count) {
      for (let n = 0; n < count; n++) {
        const step = steps[n];
        // What was released is in no table, and the step that took it is gone already.
        if (step.released !== undefined) spareTaken.push(step.released);
        if (step !== NO_STEP) spareSteps.push(step);
      }
      steps.splice(0, count);
    },
  };
}

/** Allocations by recorded address, and by pool and first slot. */
export interface TakenTable {
  /**
   * Lists by what the low 32 bits hash to, the newest first. No Map: one that entries pass through is
   * copied over and over, which made memory grow with the trace until the collector looked.
   */
  byAddress: (Taken | undefined)[];
  /** Per pool one entry per slot. */
  bySlot: Map<Pool, (Taken | undefined)[]>;
}

/** Lists of a table: a pool of 64 MiB that is full of pages has half a one in each. */
const LIST_BITS = 15;

/** A table of nothing. */
export function createTakenTable(): TakenTable {
  return { byAddress: new Array(1 << LIST_BITS).fill(undefined), bySlot: new Map() };
}

function listOf(recordedAddr: number): number {
  return Math.imul(recordedAddr | 0, 0x9e3779b1) >>> (32 - LIST_BITS);
}

/** The newest allocation that the trace knows by exactly this address. */
export function findTaken({ byAddress }: TakenTable, recordedAddr: number): Taken | undefined {
  let taken = byAddress[listOf(recordedAddr)];
  while (taken !== undefined && taken.recordedAddr !== recordedAddr) taken = taken.next;
  return taken;
}

/** Puts an allocation into the table. */
export function addTaken({ byAddress, bySlot }: TakenTable, taken: Taken): void {
  const list = listOf(taken.recordedAddr);
  taken.next = byAddress[list];
  byAddress[list] = taken;
  const { pool } = taken;
  if (pool === undefined) return;
  let slots = bySlot.get(pool);
  if (slots === undefined) {
    slots = new Array(pool.nslabs).fill(undefined);
    bySlot.set(pool, slots);
  }
  slots[taken.slot] = taken;
}

/** Takes an allocation out of the table. */
export function dropTaken({ byAddress, bySlot }: TakenTable, taken: Taken): void {
  const list = listOf(taken.recordedAddr);
  let before = byAddress[list];
  if (before === taken) {
    byAddress[list] = taken.next;
  } else {
    while (before !== undefined && before.next !== taken) before = before.next;
    if (before !== undefined) before.next = taken.next;
  }
  if (taken.pool === undefined) return;
  const slots = bySlot.get(taken.pool);
  if (taken.isTransient) bySlot.delete(taken.pool);
  else if (slots !== undefined) slots[taken.slot] = undefined;
}

/** The allocations that hold any of `nslots` slots from `slot` on; no allocation is longer than a segment. */
export function holdersOf(table: TakenTable, pool: Pool, slot: number, nslots: number): Taken[] {
  const slots = table.bySlot.get(pool);
  if (slots === undefined) return [];
  const holders: Taken[] = [];
  // A damaged line may ask for billions of slots.
  const end = Math.min(slot + nslots, pool.nslabs);
  for (let at = slot - 127; at < end; at++) {
    const taken = slots[at];
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
  if (taken.padSlots > 0) notePadding(pool, slot + taken.padSlots, taken.padSlots);
}

/** Undoes the last step that was made. */
export function undoStep(table: TakenTable, step: Step): void {
  const { took, released, inferred, movedPool } = step;
  if (took !== undefined) {
    untake(took);
    dropTaken(table, took);
  }
  if (released !== undefined) {
    unrelease(released);
    addTaken(table, released);
  }
  if (movedPool !== undefined) movedPool.areaIndex[step.movedArea] = step.movedBefore;
  if (inferred !== undefined) {
    inferred.pool.areaIndex[inferred.area] = inferred.before;
    inferred.inference.unsee(inferred.area);
  }
  step.grown?.pools.shift();
}
