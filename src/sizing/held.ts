import { type Columns, type Held, type HeldTally, isRequest } from './workload.js';

/** A request that the recorded kernel refused: the trace has no release for it. */
export interface RefusedRequest {
  /** Its place in the workload. */
  event: number;
  handle: number;
  device: number;
  allocSize: number;
  /** The event that asks for the same buffer again; Infinity for none. */
  retry: number;
}

/**
 * How long each refused request holds its buffer. In a pool that serves it, it would have lived as
 * others of its device do, and would not have been repeated. So it is taken to live for the median
 * lifetime of its device's buffers, counted in events, but to be gone when the buffer is asked for
 * again, so that nothing counts twice at a time. Where the device has no buffer that was released the
 * median is that of all devices, and where no device has, the buffer stays.
 */
export function heldUntil(
  columns: Columns,
  refused: readonly RefusedRequest[],
): { held: Held; heldTally: HeldTally } {
  const tally: HeldTally = {
    requests: refused.length,
    untilRetry: 0,
    medianLifetime: 0,
    forever: 0,
  };
  const medians = medianLifetimes(columns, refused);
  const ends = refused.map((request) => {
    const lifetime = medians(request.device);
    const end = request.event + lifetime + 1;
    if (request.retry <= end && Number.isFinite(request.retry)) tally.untilRetry++;
    else if (Number.isFinite(end)) tally.medianLifetime++;
    else tally.forever++;
    return { ...request, end: Math.min(request.retry, end, columns.length) };
  });
  ends.sort((a, b) => a.end - b.end || a.event - b.event);
  const held = createHeld(ends.length);
  ends.forEach(({ end, handle, device, allocSize }, n) => {
    held.at[n] = end;
    held.handle[n] = handle;
    held.device[n] = device;
    held.allocSize[n] = allocSize;
  });
  return { held, heldTally: tally };
}

/** Room for `length` requests, in shared memory. */
export function createHeld(length: number): Held {
  const column = (): SharedArrayBuffer => new SharedArrayBuffer(4 * length);
  return {
    at: new Int32Array(column()),
    handle: new Int32Array(column()),
    device: new Int32Array(column()),
    allocSize: new Uint32Array(column()),
  };
}

/** The median lifetime of a device's buffers, in events; Infinity where none was released. */
function medianLifetimes(
  columns: Columns,
  refused: readonly RefusedRequest[],
): (device: number) => number {
  if (refused.length === 0) return () => Number.POSITIVE_INFINITY;
  const wanted = new Set(refused.map(({ device }) => device));
  const ofDevice = new Map<number, number[]>([...wanted].map((device) => [device, []]));
  const ofAll: number[] = [];
  const births: number[] = [];
  let event = 0;
  for (const { length, op, handle, device } of columns.chunks) {
    for (let n = 0; n < length; n++, event++) {
      if (isRequest(op[n])) {
        births[handle[n]] = event;
        continue;
      }
      const lifetime = event - births[handle[n]];
      ofDevice.get(device[n])?.push(lifetime);
      ofAll.push(lifetime);
    }
  }
  const general = medianOf(ofAll) ?? Number.POSITIVE_INFINITY;
  const medians = new Map<number, number>();
  for (const [device, lifetimes] of ofDevice) medians.set(device, medianOf(lifetimes) ?? general);
  return (device) => medians.get(device) ?? general;
}

function medianOf(values: readonly number[]): number | undefined {
  if (values.length === 0) return undefined;
  return Int32Array.from(values).sort()[values.length >> 1];
}
