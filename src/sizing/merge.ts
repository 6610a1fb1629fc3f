import { UserError } from '../events/errors.js';
import { createHeld } from './held.js';
import {
  appendEvent,
  type Chunk,
  type Columns,
  createColumns,
  type Held,
  type HeldTally,
  placeOf,
  type Workload,
  type WorkloadPool,
} from './workload.js';

/** What the times of workloads have in common. */
export type MergeBy =
  /** They are of one clock. */
  | 'clock'
  /** All began at once: each is counted from its first event. */
  | 'start';

/** Traces that one workload can have. */
const MAX_TRACES = 256;

/** One of the workloads that are merged. */
interface Part {
  workload: Workload;
  /** Its next event, and the time at which that is due; events of a trace keep their order. */
  next: number;
  due: number;
  origin: number;
  firstDevice: number;
  firstHandle: number;
  nextHeld: number;
}

/**
 * Workloads as one that happens at once on one machine, by the times of their events. Devices stay
 * apart even where they have one name; pools of one name become one, at the first one's address.
 * @throws UserError where a trace does not tell times
 */
export function mergeWorkloads(workloads: readonly Workload[], by: MergeBy): Workload {
  if (workloads.length > MAX_TRACES) {
    throw new UserError(`--merge takes up to ${MAX_TRACES} traces`);
  }
  const pools: WorkloadPool[] = [];
  const columns = createColumns(false);
  const parts = workloads.map((workload) => startPart(workload, by));
  parts.slice(1).forEach((part, n) => {
    part.firstDevice = parts[n].firstDevice + workloads[n].devices.length;
    part.firstHandle = parts[n].firstHandle + workloads[n].handles;
  });
  const held = createHeld(workloads.reduce((sum, each) => sum + each.held.at.length, 0));
  let heldCount = 0;

  for (;;) {
    const part = earliest(parts);
    if (part === undefined) break;
    heldCount = moveHeld(part, columns.length, held, heldCount);
    copyEvent(part, parts.indexOf(part), columns);
    step(part);
  }
  for (const part of parts) heldCount = moveHeld(part, columns.length, held, heldCount);

  return {
    traces: workloads.flatMap(({ traces }) => traces),
    chunks: columns.chunks,
    length: columns.length,
    requests: workloads.reduce((sum, { requests }) => sum + requests, 0),
    handles: workloads.reduce((sum, { handles }) => sum + handles, 0),
    cpus: Math.max(...workloads.map(({ cpus }) => cpus)),
    pageSize: commonPageSize(workloads),
    devices: workloads.flatMap((workload) =>
      workload.devices.map((device) => ({
        ...device,
        pool: device.pool < 0 ? -1 : poolNumber(pools, workload.pools[device.pool]),
      })),
    ),
    pools,
    held,
    heldTally: sumTallies(workloads),
  };
}

function startPart(workload: Workload, by: MergeBy): Part {
  const part: Part = {
    workload,
    next: 0,
    due: Number.NEGATIVE_INFINITY,
    origin: 0,
    firstDevice: 0,
    firstHandle: 0,
    nextHeld: 0,
  };
  const first = firstTime(workload);
  if (by === 'start') part.origin = first;
  part.due = first - part.origin;
  return part;
}

function firstTime({ chunks, traces }: Workload): number {
  for (const { time, length } of chunks) {
    const at = time?.subarray(0, length).findIndex((each) => !Number.isNaN(each)) ?? -1;
    if (time !== undefined && at >= 0) return time[at];
  }
  throw new UserError(
    `${traces[0].path}: does not tell the times of its events, so that --merge cannot place them`,
  );
}

/** The part whose next event is due first; of several the one named first. */
function earliest(parts: readonly Part[]): Part | undefined {
  let best: Part | undefined;
  for (const part of parts) {
    if (part.next < part.workload.length && (best === undefined || part.due < best.due)) {
      best = part;
    }
  }
  return best;
}

function step(part: Part): void {
  if (++part.next >= part.workload.length) return;
  const [{ time }, n] = placeOf(part.workload, part.next);
  const due = (time?.[n] ?? Number.NaN) - part.origin;
  // An event without a time, or one that stands behind a later one, is due with what is before it.
  if (due > part.due) part.due = due;
}

function copyEvent(part: Part, trace: number, to: Columns): void {
  const [from, n] = placeOf(part.workload, part.next);
  const into: Chunk = appendEvent(to);
  const at = into.length - 1;
  into.line[at] = from.line[n];
  into.trace[at] = trace;
  into.op[at] = from.op[n];
  into.cpu[at] = from.cpu[n];
  into.device[at] = from.device[n] + part.firstDevice;
  into.handle[at] = from.handle[n] + part.firstHandle;
  into.orig[at] = from.orig[n];
  into.size[at] = from.size[n];
  into.allocSize[at] = from.allocSize[n];
  into.allocAlignMask[at] = from.allocAlignMask[n];
}

/** Buffers that end before a part's next event end where that event comes to stand. */
function moveHeld(part: Part, event: number, into: Held, count: number): number {
  const { held } = part.workload;
  let at = count;
  for (; part.nextHeld < held.at.length && held.at[part.nextHeld] <= part.next; part.nextHeld++) {
    into.at[at] = event;
    into.handle[at] = held.handle[part.nextHeld] + part.firstHandle;
    into.device[at] = held.device[part.nextHeld] + part.firstDevice;
    into.allocSize[at++] = held.allocSize[part.nextHeld];
  }
  return at;
}

function poolNumber(pools: WorkloadPool[], pool: WorkloadPool): number {
  const same = pools.findIndex(
    ({ name, restricted }) =>
      restricted === pool.restricted && (name === pool.name || !pool.restricted),
  );
  return same >= 0 ? same : pools.push(pool) - 1;
}

function commonPageSize(workloads: readonly Workload[]): number {
  const sizes = new Set(workloads.map(({ pageSize }) => pageSize));
  if (sizes.size > 1) {
    throw new UserError(
      `--merge: the traces are of machines with pages of ${[...sizes].join(' and ')} bytes`,
    );
  }
  return workloads[0].pageSize;
}

function sumTallies(workloads: readonly Workload[]): HeldTally {
  const sum = (of: (tally: HeldTally) => number): number =>
    workloads.reduce((total, { heldTally }) => total + of(heldTally), 0);
  return {
    requests: sum(({ requests }) => requests),
    untilRetry: sum(({ untilRetry }) => untilRetry),
    medianLifetime: sum(({ medianLifetime }) => medianLifetime),
    forever: sum(({ forever }) => forever),
  };
}
