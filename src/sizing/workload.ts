import type { Loss } from '../events/trace.js';

/** Events per chunk: a chunk is allocated at once, and a short trace takes one. */
const CHUNK_EVENTS = 1 << 16;

/** Set in the `op` column of a request that has an original address: its low 32 bits alone may be 0. */
export const HAS_ORIG = 4;

/** The operation in the `op` column: map, unmap, alloc and free alone occur. */
export const OP_MASK = 3;

/** Low 32 bits of a number; what is larger than they hold stays as large as they can be. */
const MAX_UINT32 = 0xffff_ffff;

/**
 * Events of a workload in columns, all in shared memory: 32 bytes per event. A request is known by a
 * handle, which its release names and which later requests use again.
 */
export interface Chunk {
  length: number;
  /** Line of the trace, 1-based. */
  line: Uint32Array;
  /** Number of the trace in `Workload.traces`. */
  trace: Uint8Array;
  /** map, unmap, alloc or free (`Op`), and HAS_ORIG. */
  op: Uint8Array;
  cpu: Uint16Array;
  device: Int32Array;
  handle: Int32Array;
  /** Low 32 bits of the original address, which is all that any release looks at. */
  orig: Uint32Array;
  /** map: mapping_size; alloc: size. */
  size: Uint32Array;
  /** map: alloc_size; unmap: what releases up to v5.12 believe. */
  allocSize: Uint32Array;
  allocAlignMask: Uint32Array;
  /** Seconds or a counter, as the trace has it; only where workloads are to be merged. */
  time: Float64Array | undefined;
}

/** A device of a workload. */
export interface WorkloadDevice {
  name: string;
  minAlignMask: number;
  segBoundaryMask: number;
  dmaMask: number;
  /** Index into `Workload.pools`. */
  pool: number;
}

/** A pool as it was recorded. */
export interface WorkloadPool {
  name: string;
  base: number;
  nslabs: number;
  areas: number;
  /** A region of the device tree, which no boot parameter sizes. */
  restricted: boolean;
  /** A restricted pool's default_nareas with CONFIG_SWIOTLB_DYNAMIC, which limits its search; undefined without. */
  defaultAreas?: number;
}

/** Requests that the recorded kernel refused, and how long each is taken to hold its buffer. */
export interface Held {
  /** The event before which it is released; the length of the workload for none. Ascending. */
  at: Int32Array;
  handle: Int32Array;
  device: Int32Array;
  /** As in the release's `allocSize`. */
  allocSize: Uint32Array;
}

/** What became of the requests that the recorded kernel refused. */
export interface HeldTally {
  requests: number;
  /** Released since the same buffer was asked for again. */
  untilRetry: number;
  /** Released after the median lifetime of the device's buffers, or of all where it has none. */
  medianLifetime: number;
  /** Never released, since no buffer in the trace is. */
  forever: number;
}

/** A trace that is part of a workload. */
export interface WorkloadTrace {
  path: string;
  format: string;
  lines: number;
  events: number;
  losses: Loss[];
  /** It was read in the allocator of the kernel that recorded it, with that kernel's pools. */
  isRecordedKernel: boolean;
  /** Results in the trace, and those of them that the model gives when it reads them. */
  recorded: number;
  reproduced: number;
  /** Releases of buffers older than the trace, and the slots that these had as far as their size is told. */
  olderBuffers: number;
  olderSlots: number;
  /** Releases of what was released before: what such a release does to a pool is not part of the workload. */
  strayReleases: number;
  /** The trace tells of pools that came and went (CONFIG_SWIOTLB_DYNAMIC). */
  dynamic: boolean;
}

/** Requests and releases of one trace, or of several in one order, without the addresses they got. */
export interface Workload {
  traces: WorkloadTrace[];
  chunks: Chunk[];
  length: number;
  requests: number;
  /** Handles that are needed, those of held requests included. */
  handles: number;
  /** One more than the highest CPU number. */
  cpus: number;
  /** PAGE_SIZE in bytes. */
  pageSize: number;
  devices: WorkloadDevice[];
  pools: WorkloadPool[];
  held: Held;
  heldTally: HeldTally;
}

function createChunk(withTime: boolean): Chunk {
  const words = 4 * CHUNK_EVENTS;
  const shared = new SharedArrayBuffer(8 * words);
  const column = (n: number): [SharedArrayBuffer, number, number] => [
    shared,
    n * words,
    CHUNK_EVENTS,
  ];
  return {
    length: 0,
    line: new Uint32Array(...column(0)),
    device: new Int32Array(...column(1)),
    handle: new Int32Array(...column(2)),
    orig: new Uint32Array(...column(3)),
    size: new Uint32Array(...column(4)),
    allocSize: new Uint32Array(...column(5)),
    allocAlignMask: new Uint32Array(...column(6)),
    cpu: new Uint16Array(...column(7)),
    op: new Uint8Array(shared, 7 * words + 2 * CHUNK_EVENTS, CHUNK_EVENTS),
    trace: new Uint8Array(shared, 7 * words + 3 * CHUNK_EVENTS, CHUNK_EVENTS),
    time: withTime ? new Float64Array(CHUNK_EVENTS) : undefined,
  };
}

/** Chunks that grow at the end. */
export interface Columns {
  chunks: Chunk[];
  length: number;
  withTime: boolean;
}

/** No events yet. */
export function createColumns(withTime: boolean): Columns {
  return { chunks: [], length: 0, withTime };
}

/** The chunk whose entry at its `length` - 1 is a new event. */
export function appendEvent(columns: Columns): Chunk {
  if (columns.length % CHUNK_EVENTS === 0) columns.chunks.push(createChunk(columns.withTime));
  const chunk = columns.chunks[columns.chunks.length - 1];
  chunk.length++;
  columns.length++;
  return chunk;
}

/** Where an event is. */
export function placeOf({ chunks }: Pick<Columns, 'chunks'>, event: number): [Chunk, number] {
  return [chunks[Math.floor(event / CHUNK_EVENTS)], event % CHUNK_EVENTS];
}

/** A size for a column of 32 bits: whatever does not fit is too large for any pool, and stays so. */
export function asUint32(value: number): number {
  return Math.min(value, MAX_UINT32);
}

/** Whether an entry of the `op` column is a request. */
export function isRequest(op: number): boolean {
  return (op & 1) === 0;
}
