import {
  BIDIRECTIONAL,
  copyEvent,
  createBatch,
  type EventBatch,
  Flag,
  isFull,
  Look,
  Op,
  Recorded,
} from '../events/batch.js';
import type { Assumption, TraceInfo } from '../events/trace.js';
import { IO_TLB_SEGSIZE, IO_TLB_SIZE } from '../kernel/constants.js';

/**
 * Stands between a trace and its replay, and adds the releases that the trace does not tell of
 * (TraceInfo.omitsReleases).
 */
export interface UntoldReleases {
  /** Events of the trace; they are handed on with what is added. */
  run(batch: EventBatch): void;
}

/** Who has the slots of a pool, in columns: one entry per slot. */
interface Owners {
  base: number;
  /** First slot of the buffer that has the slot, plus one; 0 for none. */
  first: Int32Array;
  /** At a buffer's first slot: the slot behind its last, its device, and its offset in the slot. */
  end: Int32Array;
  device: Int32Array;
  lowOffset: Uint16Array;
}

/**
 * No kernel gives away a slot that is in use: where a request got one, the buffer that had it was
 * released before. Slots alone count. Buffers that share a page and no slot are the kernel's fault,
 * and both stay.
 * @param emit told of the trace's events and the releases added; batches are reused
 */
export function createUntoldReleases(
  info: TraceInfo,
  emit: (batch: EventBatch) => void,
): UntoldReleases {
  const ownersByPool = new Map<string | undefined, Owners>();
  const ownersByDevice: Owners[] = [];
  let out: EventBatch | undefined;
  let inferred = 0;
  let assumption: Assumption | undefined;

  function ownersFor(device: number): Owners {
    const { pool: name } = info.devices[device];
    const declared = info.pools.find((pool) => pool.name === name) ?? info.pools[0];
    const owners = ownersByPool.get(declared.name) ?? createOwners(declared.base, declared.nslabs);
    ownersByPool.set(declared.name, owners);
    ownersByDevice[device] = owners;
    return owners;
  }

  function push(to: EventBatch): number {
    if (isFull(to)) flush(to);
    return to.length++;
  }

  function flush(to: EventBatch): void {
    if (to.length > 0) emit(to);
    to.length = 0;
  }

  function addRelease(
    owners: Owners,
    first: number,
    batch: EventBatch,
    at: number,
    to: EventBatch,
  ): void {
    const line = batch.line[at];
    const n = push(to);
    to.line[n] = line;
    to.time[n] = batch.time[at];
    to.cpu[n] = 0;
    to.device[n] = owners.device[first];
    // Not `free`, which goes by the page: the slots were had again, so they went back as they were taken.
    to.op[n] = Op.unmap;
    to.origAddr[n] = Number.NaN;
    to.size[n] = Number.NaN;
    to.allocSize[n] = Number.NaN;
    to.allocAlignMask[n] = 0;
    to.dir[n] = BIDIRECTIONAL;
    to.recorded[n] = Recorded.address;
    to.tlbAddr[n] = owners.base + first * IO_TLB_SIZE + owners.lowOffset[first];
    to.flag[n] = Flag.none;
    to.slack[n] = line;
    to.look[n] = Look.whole;
    owners.first.fill(0, first, owners.end[first]);
    say(line);
  }

  function say(line: number): void {
    if (assumption === undefined) {
      assumption = { line, message: '' };
      info.assumptions.push(assumption);
    }
    inferred++;
  }

  /** Takes the slots that a request got. */
  function take(batch: EventBatch, n: number, to: EventBatch): void {
    const device = batch.device[n];
    const address = batch.tlbAddr[n];
    const owners = ownersByDevice[device] ?? ownersFor(device);
    const { first, base } = owners;
    const from = Math.floor((address - base) / IO_TLB_SIZE);
    const end = Math.min(from + Math.min(batch.flagValue[n], IO_TLB_SEGSIZE), first.length);
    for (let slot = from; slot < end; slot++) {
      if (first[slot] !== 0) addRelease(owners, first[slot] - 1, batch, n, to);
      first[slot] = from + 1;
    }
    owners.end[from] = end;
    owners.device[from] = device;
    owners.lowOffset[from] = address & (IO_TLB_SIZE - 1);
  }

  return {
    run(batch) {
      if (!info.omitsReleases) {
        emit(batch);
        return;
      }
      out ??= createBatch(batch.line.length);
      for (let n = 0; n < batch.length; n++) {
        if (batch.flag[n] === Flag.slots) take(batch, n, out);
        copyEvent(batch, n, out, push(out));
      }
      if (assumption !== undefined) {
        assumption.message =
          `releases inferred, here and further on: ${inferred}; the trace tells of none, and slots were` +
          ' got again that were in use: each buffer there was taken to be released just before';
      }
      flush(out);
    },
  };
}

function createOwners(base: number, nslabs: number): Owners {
  return {
    base,
    first: new Int32Array(nslabs),
    end: new Int32Array(nslabs),
    device: new Int32Array(nslabs),
    lowOffset: new Uint16Array(nslabs),
  };
}
