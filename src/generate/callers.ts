import { type EventBatch, Flag, Look, Op, Recorded } from '../events/batch.js';
import { emptyRequest } from '../kernel/plan.js';
import type { Release } from '../kernel/release.js';
import { type Device, emptyAnswer, emptyReleased } from '../swiotlb/allocator.js';
import { mapSingle, unmapSingle } from '../swiotlb/calls.js';
import { MISCHIEF, unmapsOwed } from './mischief.js';

/** A buffer to be mapped. */
export interface Buffer {
  /** Number of its device. */
  device: number;
  origAddr: number;
  size: number;
  /** Index into DIR_NAMES. */
  dir: number;
  cpu: number;
  /** What becomes of it: one of MISCHIEF, or -1. */
  mischief: number;
}

/** Calls of the model, written down as the events of a trace. */
export interface Callers {
  /** Events are added here; there must be room. */
  batch: EventBatch;
  /** Nanoseconds; the time of the calls to come. */
  now: number;
  /** Events written down. */
  events: number;
  /** Unmaps to come for what is mapped. */
  owed: number;
  /** @returns the mapping's number, -1 where the model refused it */
  map(buffer: Buffer): number;
  /** Gives a mapping back, as it was decided when it was mapped. Its number is used again. */
  unmap(mapping: number, cpu: number): void;
  /** The CPU looks at the first bytes of a mapping, and gives them to the device again. */
  sync(mapping: number, bytes: number): void;
}

/** Callers of a release's allocator. */
export function createCallers(
  release: Release,
  pageSize: number,
  devices: readonly Device[],
  batch: EventBatch,
): Callers {
  const request = emptyRequest();
  const answer = emptyAnswer();
  const released = emptyReleased();
  const mappings: (Buffer & { address: number })[] = [];
  const unused: number[] = [];

  /** An event of a mapping, whose own fields are still to be set. */
  function write(op: number, { device, dir }: Buffer, cpu: number, size: number): number {
    const n = batch.length++;
    callers.events++;
    batch.line[n] = callers.events;
    batch.slack[n] = callers.events;
    // As tracefs has it: microseconds.
    batch.time[n] = Math.floor(callers.now / 1000) / 1e6;
    batch.cpu[n] = cpu;
    batch.device[n] = device;
    batch.op[n] = op;
    batch.origAddr[n] = Number.NaN;
    batch.size[n] = size;
    batch.allocSize[n] = Number.NaN;
    batch.allocAlignMask[n] = 0;
    batch.dir[n] = dir;
    batch.flag[n] = Flag.none;
    batch.flagValue[n] = Number.NaN;
    batch.look[n] = Look.whole;
    return n;
  }

  function recorded({ refusal, address }: typeof answer, n: number): void {
    if (refusal === undefined) batch.recorded[n] = Recorded.address;
    else batch.recorded[n] = refusal === 'endless' ? Recorded.hang : Recorded.full;
    batch.tlbAddr[n] = address;
  }

  function unmapOnce(mapping: number, cpu: number): void {
    const buffer = mappings[mapping];
    const { mischief, address } = buffer;
    const size = mischief === MISCHIEF['wrong-size'] ? otherSize(buffer.size) : buffer.size;
    const n = write(Op.unmap, buffer, cpu, size);
    batch.recorded[n] = Recorded.address;
    batch.tlbAddr[n] = address;
    if (mischief === MISCHIEF['wrong-dir']) batch.dir[n] = buffer.dir === 0 ? 1 : 0;
    const believed = release.believesUnmapSize ? size : undefined;
    unmapSingle(devices[buffer.device], address, believed, released);
    callers.owed--;
  }

  const callers: Callers = {
    batch,
    now: 0,
    events: 0,
    owed: 0,
    map(buffer) {
      const { device, origAddr, size, cpu } = buffer;
      request.origAddr = origAddr;
      request.mappingSize = size;
      request.allocSize = size;
      request.minAlignMask = devices[device].minAlignMask;
      request.cpu = cpu;
      mapSingle(release, pageSize, devices[device], request, answer);
      const n = write(Op.map, buffer, cpu, size);
      batch.origAddr[n] = origAddr;
      recorded(answer, n);
      if (answer.slot < 0) return -1;
      callers.owed += unmapsOwed(buffer.mischief);
      const mapping = unused.pop() ?? mappings.length;
      mappings[mapping] = { ...buffer, address: answer.address };
      return mapping;
    },
    unmap(mapping, cpu) {
      const times = unmapsOwed(mappings[mapping].mischief);
      for (let n = 0; n < times; n++) unmapOnce(mapping, cpu);
      unused.push(mapping);
    },
    sync(mapping, bytes) {
      const buffer = mappings[mapping];
      for (const op of [Op.syncForCpu, Op.syncForDevice]) {
        const n = write(op, buffer, buffer.cpu, bytes);
        batch.recorded[n] = Recorded.address;
        batch.tlbAddr[n] = buffer.address;
      }
    },
  };
  return callers;
}

function otherSize(size: number): number {
  return size > 1 ? Math.floor(size / 2) : size + 1;
}
