import { type EventBatch, Flag, Look, Op, Recorded } from '../events/batch.js';
import type { TraceInfo } from '../events/trace.js';
import { IO_TLB_SHIFT, IO_TLB_SIZE } from '../kernel/constants.js';
import { emptyRequest } from '../kernel/plan.js';
import {
  type Device,
  emptyAnswer,
  emptyReleased,
  findPool,
  storedSizeOf,
} from '../swiotlb/allocator.js';
import {
  allocPages,
  freePages,
  mapSingle,
  planAlloc,
  planMap,
  takeRecorded,
  unmapSingle,
} from '../swiotlb/calls.js';
import { foretellRelease, type Pool, slotAt } from '../swiotlb/pool.js';
import { createDeviceTable, type SessionDevice, type SessionOptions } from './devices.js';
import { type MovedIndex, movedIndex } from './follow.js';
import { isReproduced } from './outcome.js';
import {
  addTaken,
  createStepStore,
  createTakenTable,
  dropTaken,
  findTaken,
  holdersOf,
  type InferredIndex,
  NO_STEP,
  type Step,
  type Taken,
  undoStep,
} from './scoutSteps.js';
import { createTransientBases } from './transient.js';

/** Slots of a pool. */
export interface SlotRange {
  pool: Pool;
  slot: number;
  nslots: number;
}

/** A model that goes ahead of the replay, and can go back. */
export interface Scout {
  /** What each event did, since the last `forget`. */
  steps: Step[];
  /** What the model gave to the request that `apply` refused last; undefined where it gave nothing. */
  missed: SlotRange | undefined;
  /**
   * Replays an event.
   * @returns false, and nothing has changed, if the trace records another result than the model's,
   *   or if it is a release of less or more than was taken, which cannot be undone
   */
  apply(batch: EventBatch, n: number): boolean;
  /** Replays an event whatever its result, as a session does. */
  accept(batch: EventBatch, n: number): void;
  /** Undoes the last event. */
  undo(): void;
  /** Makes all but the last `keep` steps final. */
  forget(keep: number): void;
  /** The allocation that the trace knows by an address. */
  find(recordedAddr: number): Taken | undefined;
  /** The slots that a request has got as the trace records; undefined where it records none in a pool. */
  recordedRange(batch: EventBatch, n: number): SlotRange | undefined;
  /** Who holds any of the slots. */
  holders(range: SlotRange): Taken[];
  /** Pools and areas that the device of an event can get slots from. */
  areasFor(batch: EventBatch, n: number): number;
}

function noteMoved(step: Step, moved: MovedIndex | undefined): void {
  step.movedPool = moved?.pool;
  step.movedArea = moved?.area ?? 0;
  step.movedBefore = moved?.before ?? 0;
}

/** A scout whose pools are empty. */
export function createScout(info: TraceInfo, options: SessionOptions): Scout {
  const { release, pageSize } = options;
  const devices = createDeviceTable(info, options, []);
  const transients = createTransientBases();
  const table = createTakenTable();
  const store = createStepStore();
  const answer = emptyAnswer();
  const released = emptyReleased();
  const request = emptyRequest();

  function deviceOf(batch: EventBatch, n: number): SessionDevice {
    return devices.list[batch.device[n]] ?? devices.declare(batch.device[n]);
  }

  function setRequest(batch: EventBatch, n: number, device: Device): void {
    const isMap = batch.op[n] === Op.map;
    const allocSize = batch.allocSize[n];
    request.line = batch.line[n];
    request.origAddr = isMap ? batch.origAddr[n] : 0;
    request.mappingSize = batch.size[n];
    request.allocSize = Number.isNaN(allocSize) ? batch.size[n] : allocSize;
    request.allocAlignMask = batch.allocAlignMask[n];
    request.minAlignMask = device.minAlignMask;
    request.cpu = batch.cpu[n];
    request.transientBase = transients.baseFor(device, batch, n);
    request.lookAt = batch.look[n] === Look.lastArea ? batch.tlbAddr[n] : Number.NaN;
  }

  function plan(batch: EventBatch, n: number): void {
    const planned = batch.op[n] === Op.map ? planMap : planAlloc;
    planned(release, pageSize, request, answer.plan);
  }

  /** The start index that an event shows, if it is the first of an area. */
  function infer(batch: EventBatch, n: number, at: SessionDevice): InferredIndex | undefined {
    const { startIndex } = at;
    if (startIndex.done || batch.recorded[n] !== Recorded.address) return undefined;
    plan(batch, n);
    const { pool } = at.device.allocator;
    const slot = slotAt(pool, batch.tlbAddr[n] - answer.plan.offset);
    const before = pool.areaIndex[Math.floor(slot / pool.areaNslabs)];
    const area = startIndex.see(batch.line[n], batch.tlbAddr[n], answer.plan);
    return area < 0 ? undefined : { pool, area, before, inference: startIndex };
  }

  /** The allocation that the answer to a request is, served or not. */
  function takenFor(batch: EventBatch, n: number, device: Device): Taken {
    const { pool, slot, address, plan } = answer;
    const taken = store.taken();
    taken.line = batch.line[n];
    taken.cpu = batch.cpu[n];
    taken.op = batch.op[n];
    taken.deviceNumber = batch.device[n];
    taken.device = device;
    taken.size = batch.size[n];
    taken.dir = batch.dir[n];
    taken.recordedAddr = batch.recorded[n] === Recorded.address ? batch.tlbAddr[n] : address;
    taken.address = address;
    taken.pool = pool;
    taken.isTransient = answer.transient !== undefined && pool === answer.transient;
    taken.area = pool === undefined ? 0 : Math.floor(slot / pool.areaNslabs);
    taken.slot = slot;
    taken.nslots = plan.nslots;
    taken.padSlots = plan.offset >>> IO_TLB_SHIFT;
    taken.lowOffset = plan.offset & (IO_TLB_SIZE - 1);
    taken.storedSize = storedSizeOf(plan);
    return taken;
  }

  /** Whether the answer to a request is the recorded one, or nothing is recorded. */
  function isRight(batch: EventBatch, n: number): boolean {
    const recorded = batch.recorded[n];
    const recordedAddr = batch.tlbAddr[n];
    return (
      recorded === Recorded.none || isReproduced({ recorded, recordedAddr, answer, own: undefined })
    );
  }

  function replayRequest(batch: EventBatch, n: number, mayDiffer: boolean): Step | undefined {
    const at = deviceOf(batch, n);
    const { device } = at;
    setRequest(batch, n, device);
    const inferred = infer(batch, n, at);
    const follows = batch.look[n] === Look.asRecorded;
    if (follows) {
      plan(batch, n);
      answer.transient = undefined;
      takeRecorded(release, device, batch.tlbAddr[n], answer);
    } else if (batch.op[n] === Op.map) mapSingle(release, pageSize, device, request, answer);
    else allocPages(release, pageSize, device, request, answer);

    const moved = movedIndex(answer);
    const isServed = answer.slot >= 0;
    const hasAddress = batch.recorded[n] === Recorded.address;
    const right = follows || isRight(batch, n);
    const took = isServed || hasAddress ? takenFor(batch, n, device) : undefined;
    if (took !== undefined) addTaken(table, took);
    const step = store.step(took);
    step.inferred = inferred;
    noteMoved(step, moved);
    if (!right && !mayDiffer) {
      const { pool, slot } = answer;
      scout.missed = pool && { pool, slot, nslots: answer.plan.nslots };
      undoStep(table, step);
      return undefined;
    }
    if (isServed && batch.recorded[n] >= Recorded.full && took !== undefined) {
      // As in a session: what the recorded kernel did not serve goes back at once; the index has moved.
      step.inferred = step.movedPool = undefined;
      undoStep(table, step);
      step.took = undefined;
      step.inferred = inferred;
      noteMoved(step, moved);
    }
    return step;
  }

  /** The size that a release up to v5.12 goes by. */
  function believedSize(batch: EventBatch, n: number, taken: Taken): number | undefined {
    if (!release.believesUnmapSize) return undefined;
    if (!Number.isNaN(batch.allocSize[n])) return batch.allocSize[n];
    return Number.isNaN(batch.size[n]) ? taken.size : batch.size[n];
  }

  function releaseAt(batch: EventBatch, n: number, taken: Taken, address: number): void {
    const { device } = deviceOf(batch, n);
    if (batch.op[n] === Op.free) freePages(device, pageSize, address, released);
    else unmapSingle(device, address, believedSize(batch, n, taken), released);
  }

  /** Whether a release would give back just what an allocation has taken, so that it can be undone. */
  function isWhole(batch: EventBatch, n: number, taken: Taken): boolean {
    const { pool, address } = taken;
    const { device } = deviceOf(batch, n);
    if (pool === undefined) return true;
    if (device !== taken.device) return false;
    if (taken.isTransient) return true;
    const page = batch.op[n] === Op.free ? address - ((address | 0) & (pageSize - 1)) : address;
    foretellRelease(pool, page, taken.lowOffset, believedSize(batch, n, taken), released);
    return released.slot === taken.slot && released.nslots === taken.nslots;
  }

  function replayRelease(batch: EventBatch, n: number, mayDiffer: boolean): Step | undefined {
    const taken = findTaken(table, batch.tlbAddr[n]);
    if (taken === undefined) return releaseUnmatched(batch, n, mayDiffer);
    const isFinal = !isWhole(batch, n, taken);
    if (isFinal && !mayDiffer) return undefined;
    if (taken.pool !== undefined) releaseAt(batch, n, taken, taken.address);
    dropTaken(table, taken);
    const step = store.step(undefined, taken);
    step.isFinal = isFinal;
    return step;
  }

  /** An address at which nothing begins: if it lies in a buffer the kernel releases the rest of it. */
  function releaseUnmatched(batch: EventBatch, n: number, mayDiffer: boolean): Step | undefined {
    const address = batch.tlbAddr[n];
    const pool = findPool(deviceOf(batch, n).device, address);
    if (pool === undefined) return NO_STEP;
    const [around] = holdersOf(table, pool, slotAt(pool, address), 1);
    if (around === undefined) return NO_STEP;
    if (!mayDiffer) return undefined;
    releaseAt(batch, n, around, address);
    const step = store.step();
    step.isFinal = true;
    return step;
  }

  function replayGrow(batch: EventBatch, n: number): Step {
    const areas = batch.flag[n] === Flag.areas ? batch.flagValue[n] : 1;
    if (!devices.grow(batch.origAddr[n], batch.size[n], areas)) return NO_STEP;
    const step = store.step();
    step.grown = devices.allocators.find(({ restricted }) => !restricted);
    return step;
  }

  function replay(batch: EventBatch, n: number, mayDiffer: boolean): boolean {
    const step = replayEvent(batch, n, mayDiffer);
    if (step === undefined) return false;
    scout.steps.push(step);
    return true;
  }

  function replayEvent(batch: EventBatch, n: number, mayDiffer: boolean): Step | undefined {
    switch (batch.op[n]) {
      case Op.grow:
        return replayGrow(batch, n);
      case Op.map:
      case Op.alloc:
        return replayRequest(batch, n, mayDiffer);
      case Op.unmap:
      case Op.free:
        return replayRelease(batch, n, mayDiffer);
      default:
        return NO_STEP;
    }
  }

  const scout: Scout = {
    steps: [],
    missed: undefined,
    apply: (batch, n) => replay(batch, n, false),
    accept(batch, n) {
      replay(batch, n, true);
    },
    undo() {
      undoStep(table, scout.steps.pop() as Step);
    },
    forget(keep) {
      if (scout.steps.length > keep) store.forget(scout.steps, scout.steps.length - keep);
    },
    find: (recordedAddr) => findTaken(table, recordedAddr),
    recordedRange(batch, n) {
      const { device } = deviceOf(batch, n);
      setRequest(batch, n, device);
      plan(batch, n);
      const pool = findPool(device, batch.tlbAddr[n]);
      if (batch.recorded[n] !== Recorded.address || pool === undefined) return undefined;
      const slot = slotAt(pool, batch.tlbAddr[n] - answer.plan.offset);
      return { pool, slot, nslots: answer.plan.nslots };
    },
    holders: ({ pool, slot, nslots }) => holdersOf(table, pool, slot, nslots),
    areasFor(batch, n) {
      const { pools } = deviceOf(batch, n).device.allocator;
      return pools.reduce((sum, { areas }) => sum + areas, 0);
    },
  };
  return scout;
}
