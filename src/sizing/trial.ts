import { causeAtAnySize, causeOfFailure, type Refused } from '../analysis/cause.js';
import { Op } from '../events/batch.js';
import { emptyRequest, type MapRequest } from '../kernel/plan.js';
import type { Release } from '../kernel/release.js';
import {
  createAllocator,
  createDevice,
  type Device,
  emptyAnswer,
  emptyReleased,
} from '../swiotlb/allocator.js';
import { allocPages, freePages, mapSingle, unmapSingle } from '../swiotlb/calls.js';
import { createPool } from '../swiotlb/pool.js';
import { DEFAULT_SEARCH, SEARCHERS } from '../swiotlb/searchers.js';
import { copiesAt, createCpuMap, type Load, mostCopies } from './load.js';
import { type Chunk, HAS_ORIG, OP_MASK, type Workload } from './workload.js';

/** The pool that a trial gives to a workload. */
export interface TrialPool {
  /** Index into `Workload.pools`: whose devices are replayed, at the address where it was recorded. */
  pool: number;
  nslabs: number;
  areas: number;
}

/** A request that got nothing. */
export interface FailedRequest {
  /** Its place in the workload. */
  event: number;
  /** Path of its trace. */
  path: string;
  line: number;
  device: string;
  /** Bytes asked for. */
  size: number;
  /** A `Cause`, or `endless-search`. */
  cause: string;
  /** The figures behind it. */
  reason: string;
}

/** What a pool made of a workload. */
export interface Trial {
  /** Requests that failed and could be served by another pool; no more than one where a trial stops there. */
  failed: number;
  first: FailedRequest | undefined;
  /** Requests that no pool serves, however large; the first ones of them. */
  never: number;
  firstNever: FailedRequest[];
  /** Most slots in use. */
  peak: number;
  /** Slots in use after 99.9 % of the events, or fewer. */
  percentile999: number;
}

/** Requests that no pool serves that are kept. */
const KEPT_NEVER = 1000;

/**
 * Replays a workload in a pool that is empty at first, as after a boot, in one release's allocator.
 * @param stopsAtFailure give up at the first request that fails and that another pool could serve
 */
export function tryPool(
  workload: Workload,
  release: Release,
  geometry: TrialPool,
  load: Load,
  stopsAtFailure: boolean,
): Trial {
  const { pageSize, held, length } = workload;
  const { allocator, devices } = setUp(workload, release, geometry);
  const copies = mostCopies(load);
  const addresses = new Float64Array(workload.handles * copies).fill(Number.NaN);
  const onCpu = createCpuMap(load, workload.cpus);
  const request = emptyRequest();
  const answer = emptyAnswer();
  const released = emptyReleased();
  const histogram = new Float64Array(geometry.nslabs + 1);
  const trial: Trial = {
    failed: 0,
    first: undefined,
    never: 0,
    firstNever: [],
    peak: 0,
    percentile999: 0,
  };

  /** @returns whether the trial goes on */
  function ask(chunk: Chunk, n: number, event: number, device: Device): boolean {
    const count = copiesAt(load, event);
    const isMap = (chunk.op[n] & OP_MASK) === Op.map;
    for (let copy = 0; copy < count; copy++) {
      fillRequest(chunk, n, device, request);
      request.cpu = onCpu(chunk.cpu[n]);
      if (isMap) mapSingle(release, pageSize, device, request, answer);
      else allocPages(release, pageSize, device, request, answer);
      addresses[chunk.handle[n] * copies + copy] = answer.address;
      if (answer.slot < 0 && !refused(chunk, n, event, device)) return false;
    }
    return true;
  }

  /** @returns whether the trial goes on */
  function refused(chunk: Chunk, n: number, event: number, device: Device): boolean {
    const outcome = { device, answer, size: chunk.size[n], allocSize: request.allocSize };
    const never = causeAtAnySize(release, outcome) !== undefined;
    const tell = (): FailedRequest => describe(workload, release, event, chunk, n, outcome);
    if (never) {
      if (trial.never++ < KEPT_NEVER) trial.firstNever.push(tell());
      return true;
    }
    if (trial.failed++ === 0) trial.first = tell();
    return !stopsAtFailure;
  }

  function giveBack(handle: number, device: Device, isFree: boolean, allocSize: number): void {
    const size = release.believesUnmapSize ? allocSize : undefined;
    for (let at = handle * copies; at < (handle + 1) * copies; at++) {
      const address = addresses[at];
      if (Number.isNaN(address)) continue;
      if (isFree) freePages(device, pageSize, address, released);
      else unmapSingle(device, address, size, released);
      addresses[at] = Number.NaN;
    }
  }

  let nextHeld = 0;
  /** Buffers of requests that the recorded kernel refused, and whose time is up. */
  function giveBackHeld(event: number): void {
    for (; nextHeld < held.at.length && held.at[nextHeld] <= event; nextHeld++) {
      const device = devices[held.device[nextHeld]];
      if (device === undefined) continue;
      giveBack(held.handle[nextHeld], device, false, held.allocSize[nextHeld]);
    }
  }

  let event = 0;
  let firstHeld = held.at[0] ?? length;
  for (const chunk of workload.chunks) {
    for (let n = 0; n < chunk.length; n++, event++) {
      if (event >= firstHeld) {
        giveBackHeld(event);
        firstHeld = held.at[nextHeld] ?? length;
      }
      const device = devices[chunk.device[n]];
      if (device === undefined) continue;
      const op = chunk.op[n] & OP_MASK;
      if (op === Op.map || op === Op.alloc) {
        if (!ask(chunk, n, event, device)) break;
      } else {
        giveBack(chunk.handle[n], device, op === Op.free, chunk.allocSize[n]);
      }
      histogram[Math.max(0, Math.min(allocator.used, geometry.nslabs))]++;
    }
    if (stopsAtFailure && trial.failed > 0) break;
  }
  trial.peak = allocator.usedHiwater;
  trial.percentile999 = percentile(histogram, 0.999);
  return trial;
}

function setUp(workload: Workload, release: Release, { pool, nslabs, areas }: TrialPool) {
  const { name, base, restricted, defaultAreas } = workload.pools[pool];
  const order = defaultAreas === undefined ? undefined : release.dynamicOrder;
  const geometry = { name, base, nslabs, areas };
  const allocator = createAllocator(
    createPool(geometry, release.clampsTail),
    restricted,
    SEARCHERS[DEFAULT_SEARCH],
    order && { order, defaultAreas: defaultAreas ?? 0 },
  );
  const devices = workload.devices.map((device) =>
    device.pool === pool
      ? createDevice(
          device.name,
          device.minAlignMask,
          device.segBoundaryMask,
          device.dmaMask,
          allocator,
        )
      : undefined,
  );
  return { allocator, devices };
}

function fillRequest(chunk: Chunk, n: number, device: Device, request: MapRequest): void {
  // Only the low bits are looked at, but for whether there is an address at all.
  const beyond = chunk.op[n] & HAS_ORIG && chunk.orig[n] === 0 ? 2 ** 32 : 0;
  request.origAddr = chunk.orig[n] + beyond;
  request.mappingSize = chunk.size[n];
  request.allocSize = chunk.allocSize[n];
  request.allocAlignMask = chunk.allocAlignMask[n];
  request.minAlignMask = device.minAlignMask;
}

function describe(
  workload: Workload,
  release: Release,
  event: number,
  chunk: Chunk,
  n: number,
  outcome: Refused,
): FailedRequest {
  const isEndless = outcome.answer.refusal === 'endless';
  const { cause, reason } = causeOfFailure(release, outcome);
  return {
    event,
    path: workload.traces[chunk.trace[n]].path,
    line: chunk.line[n],
    device: outcome.device.name,
    size: outcome.size,
    cause: isEndless ? 'endless-search' : cause,
    reason: isEndless ? `the search of ${release.name} would never end` : reason(),
  };
}

/** The least number of slots that at most so many are in use after that share of the events. */
function percentile(histogram: Float64Array, share: number): number {
  const total = histogram.reduce((sum, count) => sum + count, 0);
  let seen = 0;
  for (let used = 0; used < histogram.length; used++) {
    seen += histogram[used];
    if (seen >= share * total) return used;
  }
  return 0;
}
