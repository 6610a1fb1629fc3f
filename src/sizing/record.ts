import { Op, Recorded } from '../events/batch.js';
import { UserError } from '../events/errors.js';
import { slotsOf } from '../kernel/constants.js';
import { findAllocation, sizeOf } from '../replay/allocations.js';
import { Match, type Observer, type Outcome } from '../replay/outcome.js';
import type { Session } from '../replay/session.js';
import type { Device } from '../swiotlb/allocator.js';
import { heldUntil, type RefusedRequest } from './held.js';
import {
  appendEvent,
  asUint32,
  type Chunk,
  createColumns,
  HAS_ORIG,
  type Workload,
  type WorkloadDevice,
  type WorkloadTrace,
} from './workload.js';

/** What is known of a trace besides its events. */
export type TraceFacts = Pick<
  WorkloadTrace,
  'path' | 'format' | 'lines' | 'events' | 'losses' | 'isRecordedKernel'
>;

/** Records what a session is asked, as a workload. */
export interface WorkloadRecorder {
  observer: Observer;
  /** The workload; to be called after the last event. */
  finish(trace: TraceFacts): Workload;
}

/** CPUs that a column holds. */
const CPU_MASK = 0xffff;

/**
 * A recorder for a session's events. Recorded addresses join releases with their requests, as the
 * session does it; where the buffers lay is not kept.
 * @param withTime keep the time of each event, for workloads that are to be merged
 */
export function recordWorkload(session: Session, withTime: boolean): WorkloadRecorder {
  const { allocations, totals } = session;
  const columns = createColumns(withTime);
  const unused: number[] = [];
  /** Handles by the number of the session's allocation; -1 for none. */
  const handleOf: number[] = [];
  const refused: RefusedRequest[] = [];
  /** Refused requests that nobody has repeated yet, by what they asked for. */
  const waiting = new Map<string, RefusedRequest>();
  /** By the trace's device number; holes for devices without events. */
  const devices: Device[] = [];
  let handles = 0;
  let requests = 0;
  let cpus = 1;
  let olderBuffers = 0;
  let olderSlots = 0;
  let strayReleases = 0;

  function append(outcome: Outcome): Chunk {
    const chunk = appendEvent(columns);
    const n = chunk.length - 1;
    chunk.line[n] = outcome.line;
    chunk.device[n] = outcome.deviceNumber;
    chunk.cpu[n] = outcome.cpu & CPU_MASK;
    if (chunk.time !== undefined) chunk.time[n] = outcome.time;
    devices[outcome.deviceNumber] = outcome.device;
    return chunk;
  }

  function addRequest(outcome: Outcome, handle: number): void {
    const chunk = append(outcome);
    const n = chunk.length - 1;
    const isMap = outcome.op === Op.map;
    chunk.op[n] = outcome.op | (isMap && outcome.origAddr !== 0 ? HAS_ORIG : 0);
    chunk.handle[n] = handle;
    chunk.orig[n] = isMap ? outcome.origAddr | 0 : 0;
    chunk.size[n] = asUint32(outcome.size);
    chunk.allocSize[n] = asUint32(outcome.allocSize);
    chunk.allocAlignMask[n] = isMap ? outcome.allocAlignMask : 0;
    requests++;
    cpus = Math.max(cpus, chunk.cpu[n] + 1);
  }

  function addRelease(outcome: Outcome, number: number, handle: number): void {
    const chunk = append(outcome);
    const n = chunk.length - 1;
    const isFree = outcome.op === Op.free;
    const told = outcome.op === Op.unmap ? outcome.allocSize : Number.NaN;
    chunk.op[n] = isFree ? Op.free : Op.unmap;
    chunk.handle[n] = handle;
    chunk.allocSize[n] = asUint32(Number.isNaN(told) ? sizeOf(allocations, number) : told);
    handleOf[number] = -1;
    unused.push(handle);
  }

  /** A request that the recorded kernel refused, or that the model refuses where nothing is recorded. */
  function addRefused(outcome: Outcome, wanted: string): void {
    const request: RefusedRequest = {
      event: columns.length,
      handle: handles++,
      device: outcome.deviceNumber,
      allocSize: asUint32(outcome.allocSize),
      retry: Number.POSITIVE_INFINITY,
    };
    refused.push(request);
    waiting.set(wanted, request);
    addRequest(outcome, request.handle);
  }

  /** The session's number of a request's allocation, also of one that the model refused; -1 for none. */
  function numberOf({ allocation, recorded, recordedAddr }: Outcome): number {
    if (recorded === Recorded.full || recorded === Recorded.hang) return -1;
    if (allocation >= 0 || recorded !== Recorded.address) return allocation;
    return findAllocation(allocations, recordedAddr);
  }

  function onRequest(outcome: Outcome): void {
    const number = numberOf(outcome);
    const wanted = waiting.size > 0 || number < 0 ? keyOf(outcome) : '';
    const before = waiting.get(wanted);
    if (before !== undefined) {
      before.retry = columns.length;
      waiting.delete(wanted);
    }
    if (number < 0) {
      addRefused(outcome, wanted);
      return;
    }
    // Its slot was had again: the trace lacks the release of what had it.
    const former = handleOf[number] ?? -1;
    if (former >= 0) addRelease(outcome, number, former);
    const handle = unused.pop() ?? handles++;
    handleOf[number] = handle;
    addRequest(outcome, handle);
  }

  function onRelease(outcome: Outcome): void {
    // What the session gives back by itself, since the trace has no release for it: see held.ts.
    if (outcome.op === Op.map || outcome.op === Op.alloc) return;
    const { match, allocation, size } = outcome;
    const handle = match === Match.unknown ? -1 : (handleOf[allocation] ?? -1);
    if (match === Match.unknown) {
      olderBuffers++;
      if (size > 0) olderSlots += slotsOf(size);
    } else if (match === Match.released || handle < 0) {
      strayReleases++;
    } else {
      addRelease(outcome, allocation, handle);
    }
  }

  function devicesOf(): WorkloadDevice[] {
    const allocators = session.allocators;
    return Array.from(devices, (device: Device | undefined) => ({
      name: device?.name ?? '',
      minAlignMask: device?.minAlignMask ?? 0,
      segBoundaryMask: device?.segBoundaryMask ?? Number.POSITIVE_INFINITY,
      dmaMask: device?.dmaMask ?? Number.POSITIVE_INFINITY,
      pool: device === undefined ? -1 : allocators.indexOf(device.allocator),
    }));
  }

  return {
    observer: { onRequest, onRelease },
    finish(trace) {
      if (requests === 0) {
        throw new UserError(`${trace.path}: holds no requests, so that there is nothing to size`);
      }
      const { pageSize } = session.options;
      return {
        traces: [
          {
            ...trace,
            recorded: totals.recorded,
            reproduced: totals.recorded - totals.mismatches,
            olderBuffers,
            olderSlots,
            strayReleases,
            dynamic: devices.some(({ allocator }) => allocator.dynamic && !allocator.restricted),
          },
        ],
        chunks: columns.chunks,
        length: columns.length,
        requests,
        handles,
        cpus,
        pageSize,
        devices: devicesOf(),
        pools: session.allocators.map(({ pool, restricted, dynamic }) => ({
          name: pool.name,
          base: pool.base,
          nslabs: pool.nslabs,
          areas: pool.areas,
          restricted,
          ...(restricted && dynamic && { defaultAreas: dynamic.defaultAreas }),
        })),
        ...heldUntil(columns, refused),
      };
    },
  };
}

/** What a driver asks for again when it was refused: the same bytes of the same buffer. */
function keyOf({ deviceNumber, op, origAddr, size }: Outcome): string {
  return `${deviceNumber} ${op} ${origAddr} ${size}`;
}
