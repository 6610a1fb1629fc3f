import { type EventBatch, Flag, Look, Op, Recorded } from '../events/batch.js';
import type { Assumption, TraceInfo } from '../events/trace.js';
import { emptyRequest } from '../kernel/plan.js';
import { type Allocator, type Device, emptyAnswer, emptyReleased } from '../swiotlb/allocator.js';
import {
  allocPages,
  freePages,
  mapSingle,
  planAlloc,
  planMap,
  unmapSingle,
} from '../swiotlb/calls.js';
import {
  type Allocations,
  addAllocation,
  addressOf,
  createAllocations,
  describeAllocation,
  endAllocation,
  findAllocation,
  findAround,
  findReleased,
  isLive,
  recordedAddrOf,
  sizeOf,
} from './allocations.js';
import {
  createDeviceTable,
  type DeviceTable,
  type SessionDevice,
  type SessionOptions,
} from './devices.js';
import { followRecord } from './follow.js';
import { isReproduced, Match, type Observer, type Outcome } from './outcome.js';
import type { StartIndexInference } from './startIndex.js';
import { createTransientBases, type TransientBases } from './transient.js';

/** Totals of a replay. */
export interface Totals {
  /** Calls of map and alloc. */
  maps: number;
  /** Calls of unmap and free. */
  unmaps: number;
  syncs: number;
  /** Requests that the model refused. */
  failed: number;
  /** Candidate slots that searches examined. */
  examined: number;
  /** Results that the trace records. */
  recorded: number;
  /** Results where the model differs from the trace. */
  mismatches: number;
  /** Requests that searched no more than the area that holds the recorded address (Look.lastArea). */
  lookedAside: number;
  /** Requests that the recorded kernel refused and the model served. */
  servedAnyway: number;
  /** Pools that joined in the trace and not here: the release has no dynamic pools. */
  ignoredPools: number;
}

/** One trace replayed in one release's allocator. */
export interface Session {
  options: SessionOptions;
  allocators: Allocator[];
  allocations: Allocations;
  assumptions: Assumption[];
  totals: Totals;
  /** Where transient pools lie: taken from the trace, or invented. */
  transients: TransientBases;
  observers: Observer[];
  devices: DeviceTable;
  /** A device that has had events, by its number in the trace. */
  device(number: number): Device;
  /** Replays a batch of events, or a part of it. Declarations of the trace may have grown since the last. */
  run(batch: EventBatch, from?: number, to?: number): void;
  /** To be called once, after the last event. */
  finish(): void;
}

type Watcher = (outcome: Outcome) => void;

/**
 * A session whose pools are empty.
 * @param info the trace's declarations; read again as they grow
 */
export function createSession(info: TraceInfo, options: SessionOptions): Session {
  const { release, pageSize, followsLook = false } = options;
  const allocations = createAllocations();
  const observers: Observer[] = [];
  // The observers' functions by event: looked up once a batch, not once an event.
  let beforeRequest: Watcher[] = [];
  let onRequest: Watcher[] = [];
  let onRelease: Watcher[] = [];
  const assumptions: Assumption[] = [];
  const devices = createDeviceTable(info, options, assumptions);
  const transients = createTransientBases();
  const totals: Totals = {
    maps: 0,
    unmaps: 0,
    syncs: 0,
    failed: 0,
    examined: 0,
    recorded: 0,
    mismatches: 0,
    lookedAside: 0,
    servedAnyway: 0,
    ignoredPools: 0,
  };
  const request = emptyRequest();
  const answer = emptyAnswer();
  const outcome: Outcome = {
    line: 0,
    time: Number.NaN,
    op: 0,
    cpu: 0,
    device: undefined as unknown as Device,
    deviceNumber: 0,
    origAddr: 0,
    size: 0,
    allocSize: 0,
    allocAlignMask: 0,
    dir: 0,
    recorded: 0,
    recordedAddr: 0,
    look: Look.whole,
    transientBase: Number.NaN,
    own: undefined,
    answer,
    allocation: -1,
    match: Match.unknown,
    released: emptyReleased(),
    cause: undefined,
  };

  /** Before a request: where the trace does not tell the start index, its result may. */
  function inferStartIndex(startIndex: StartIndexInference): void {
    const plan = outcome.op === Op.map ? planMap : planAlloc;
    plan(release, pageSize, request, answer.plan);
    startIndex.see(outcome.line, outcome.recordedAddr, answer.plan);
  }

  function replayGrow(batch: EventBatch, n: number): void {
    const areas = batch.flag[n] === Flag.areas ? batch.flagValue[n] : 1;
    if (!devices.grow(batch.origAddr[n], batch.size[n], areas)) totals.ignoredPools++;
  }

  function replayRequest(at: SessionDevice): void {
    const { device, startIndex } = at;
    const { transientBase } = request;
    totals.maps++;
    request.line = outcome.line;
    request.origAddr = outcome.op === Op.map ? outcome.origAddr : 0;
    request.mappingSize = outcome.size;
    request.allocSize = outcome.allocSize;
    request.allocAlignMask = outcome.allocAlignMask;
    request.minAlignMask = device.minAlignMask;
    request.cpu = outcome.cpu;
    request.lookAt = outcome.look === Look.lastArea ? outcome.recordedAddr : Number.NaN;
    const hasAddress = outcome.recorded === Recorded.address;
    if (hasAddress && !startIndex.done) inferStartIndex(startIndex);
    for (let i = 0; i < beforeRequest.length; i++) beforeRequest[i](outcome);
    if (outcome.op === Op.map) mapSingle(release, pageSize, device, request, answer);
    else allocPages(release, pageSize, device, request, answer);
    outcome.allocAlignMask = request.allocAlignMask;
    outcome.own = undefined;
    if (outcome.look === Look.lastArea) totals.lookedAside++;
    if (outcome.look === Look.asRecorded) outcome.own = followRecord(release, outcome);

    totals.examined += answer.examined;
    if (answer.transient !== undefined) transients.made(transientBase);
    const refused = answer.slot < 0;
    if (refused) totals.failed++;
    if (outcome.recorded !== Recorded.none) {
      totals.recorded++;
      if (!isReproduced(outcome)) totals.mismatches++;
    }
    outcome.cause = undefined;
    outcome.allocation = -1;
    if (!refused || hasAddress) {
      rememberAllocation(hasAddress ? outcome.recordedAddr : answer.address, refused);
    }
    for (let i = 0; i < onRequest.length; i++) onRequest[i](outcome);
    if (!refused && outcome.recorded >= Recorded.full) releaseUnrecorded();
  }

  function rememberAllocation(knownAs: number, refused: boolean): void {
    const number = addAllocation(allocations, knownAs, refused);
    describeAllocation(allocations, number, outcome);
    if (!refused) outcome.allocation = number;
  }

  /**
   * The recorded kernel refused what the model served: the trace holds no unmap for it, and its
   * driver has tried again. So the buffer goes back at once.
   */
  function releaseUnrecorded(): void {
    totals.servedAnyway++;
    // Not as a driver would give it back, by its page, which may not be where it begins.
    unmapSingle(outcome.device, answer.address, believedSize(), outcome.released);
    outcome.match = Match.live;
    for (let i = 0; i < onRelease.length; i++) onRelease[i](outcome);
    endAllocation(allocations, outcome.allocation);
  }

  function releaseAt(address: number): void {
    if (outcome.op === Op.free) freePages(outcome.device, pageSize, address, outcome.released);
    else unmapSingle(outcome.device, address, believedSize(), outcome.released);
  }

  /** The size that a release up to v5.12 goes by: the caller's, or where the trace has none the map's. */
  function believedSize(): number | undefined {
    if (!release.believesUnmapSize) return undefined;
    if (!Number.isNaN(outcome.allocSize)) return outcome.allocSize;
    return outcome.allocation < 0 ? undefined : sizeOf(allocations, outcome.allocation);
  }

  function replayRelease(): void {
    totals.unmaps++;
    outcome.released.pool = undefined;
    outcome.released.slot = -1;
    outcome.released.nslots = 0;
    const address = outcome.recordedAddr;
    const number = findAllocation(allocations, address);
    outcome.allocation = number;
    if (number >= 0) {
      outcome.match = isLive(allocations, number) ? Match.live : Match.refused;
      if (outcome.match === Match.live) releaseAt(addressOf(allocations, number));
    } else {
      releaseUnmatched(address);
    }
    for (let i = 0; i < onRelease.length; i++) onRelease[i](outcome);
    if (number >= 0) endAllocation(allocations, number);
  }

  /**
   * The kernel does not know either that nothing starts at the address: it releases what it finds
   * there. Where the trace knows of no buffer, the buffer is older than the trace, and nothing of
   * the model's is meant, whatever lies there.
   */
  function releaseUnmatched(address: number): void {
    const released = findReleased(allocations, address);
    outcome.match = released >= 0 ? Match.released : Match.unknown;
    outcome.allocation = released;
    const around = released >= 0 ? released : findAround(allocations, address);
    if (around < 0) return;
    const moved = addressOf(allocations, around) - recordedAddrOf(allocations, around);
    if (Number.isFinite(moved)) releaseAt(address + moved);
  }

  /**
   * Hot path. A function of its own: what is compiled of a loop that is entered in its midst knows
   * nothing of what comes after it, and would be thrown away at the end of each batch.
   */
  function replayEvent(batch: EventBatch, n: number): void {
    const op = batch.op[n];
    if (op === Op.grow) {
      replayGrow(batch, n);
      return;
    }
    const number = batch.device[n];
    const at = devices.list[number] ?? devices.declare(number);
    const allocSize = batch.allocSize[n];
    outcome.line = batch.line[n];
    outcome.time = batch.time[n];
    outcome.op = op;
    outcome.cpu = batch.cpu[n];
    outcome.device = at.device;
    outcome.deviceNumber = number;
    outcome.size = batch.size[n];
    outcome.allocSize = Number.isNaN(allocSize) ? outcome.size : allocSize;
    outcome.dir = batch.dir[n];
    outcome.recorded = batch.recorded[n];
    outcome.recordedAddr = batch.tlbAddr[n];
    outcome.look = followsLook ? batch.look[n] : Look.whole;
    if (op === Op.map || op === Op.alloc) {
      outcome.origAddr = op === Op.map ? batch.origAddr[n] : 0;
      outcome.allocAlignMask = batch.allocAlignMask[n];
      outcome.transientBase = transients.baseFor(at.device, batch, n);
      request.transientBase = outcome.transientBase;
      replayRequest(at);
    } else if (op === Op.unmap || op === Op.free) {
      replayRelease();
    } else {
      totals.syncs++;
    }
  }

  return {
    options,
    allocators: devices.allocators,
    allocations,
    assumptions,
    totals,
    transients,
    observers,
    devices,
    device: (number) => devices.list[number].device,
    run(batch, from = 0, to = batch.length) {
      beforeRequest = observers.flatMap((observer) => observer.beforeRequest ?? []);
      onRequest = observers.flatMap((observer) => observer.onRequest ?? []);
      onRelease = observers.flatMap((observer) => observer.onRelease ?? []);
      for (let n = from; n < to; n++) replayEvent(batch, n);
      for (const observer of observers) observer.onBatch?.(batch, from, to);
    },
    finish() {
      if (totals.servedAnyway > 0) {
        assumptions.push({
          line: undefined,
          message:
            `${totals.servedAnyway} requests that the recorded kernel refused were served here, and` +
            ' taken to be released at once, since the trace has no unmap for them',
        });
      }
      if (totals.ignoredPools > 0) {
        assumptions.push({
          line: undefined,
          message:
            `${totals.ignoredPools} pools that join in the trace were left out:` +
            ` ${release.name}, as replayed, has no dynamic pools`,
        });
      }
      if (transients.invented > 0) {
        assumptions.push({
          line: undefined,
          message: `${transients.invented} transient pools were given addresses that the trace does not tell`,
        });
      }
      for (const observer of observers) observer.atEnd?.();
    },
  };
}
