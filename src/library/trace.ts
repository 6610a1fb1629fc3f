import { DIR_NAMES, type EventBatch, Flag, OP_NAMES, Op, Recorded } from '../events/batch.js';
import {
  type DeviceDeclaration,
  emptyTraceInfo,
  type PoolDeclaration,
  type Problem,
} from '../events/trace.js';
import { type KeptTrace, keepTrace } from '../pipeline/feed.js';
import { readOptionsOf } from '../pipeline/replaying.js';
import {
  type PlainAssumption,
  type PlainLoss,
  plainAssumptions,
  plainLosses,
} from '../report/plain.js';
import { feedOf, KEPT } from './input.js';
import type { TraceOptions } from './options.js';
import { settingsOf } from './settings.js';

/**
 * A trace to read: the path of a file, `-` for standard input, what a file would hold, packed or not,
 * or a stream of that.
 */
export type TraceInput = string | Uint8Array | AsyncIterable<Uint8Array | string>;

/** A call that a trace tells of. Addresses are numbers below 2^53; null is what it does not tell. */
export interface TraceEvent {
  /** Line of the trace, from 1. */
  line: number;
  op: 'map' | 'unmap' | 'alloc' | 'free' | 'sync_for_cpu' | 'sync_for_device' | 'grow';
  device: string;
  cpu: number;
  /** map: physical address of the buffer; grow: base of the pool that joins. */
  origAddr: number | null;
  /** Bytes; grow: slots. */
  size: number | null;
  /** Bytes to allocate, where they are not `size`. */
  allocSize: number | null;
  allocAlignMask: number;
  dir: 'to_device' | 'from_device' | 'bidirectional';
  /** map, alloc: what the kernel answered; others: the address that the call is about. */
  tlbAddr: number | 'full' | 'hang' | null;
  /** grow: areas of the pool that joins. */
  areas?: number;
}

/** A trace that has been read, and can be replayed as often as is wanted. */
export interface Trace {
  path: string;
  format: string;
  lines: number;
  /** How many events there are. */
  length: number;
  /** The kernel that it was recorded on; null where it does not tell. */
  kernel: string | null;
  /** Bytes. */
  pageSize: number | null;
  pools: readonly PoolDeclaration[];
  devices: readonly DeviceDeclaration[];
  /** What was inferred, what shows that events are missing, and lines that could not be used. */
  assumptions: readonly PlainAssumption[];
  losses: readonly PlainLoss[];
  problems: { count: number; first: readonly Problem[] };
  /** The events, in the order of the trace; each is made when it is asked for. */
  events(): Iterable<TraceEvent>;
}

/**
 * Reads a trace into memory, 77 bytes an event; a replay of a file, without this, needs none to speak of.
 * @throws UserError for what cannot be read or understood
 */
export async function readTrace(input: TraceInput, options: TraceOptions = {}): Promise<Trace> {
  const settings = settingsOf(options);
  const info = emptyTraceInfo();
  const kept = await keepTrace(await feedOf(input, options), info, readOptionsOf(settings));
  const trace: Trace = {
    path: kept.path,
    format: kept.tally.format,
    lines: kept.tally.lines,
    length: kept.tally.events,
    kernel: info.kernel ?? null,
    pageSize: info.pageSize ?? null,
    pools: info.pools,
    devices: info.devices,
    assumptions: plainAssumptions(info.assumptions),
    losses: plainLosses(info.losses),
    problems: info.problems,
    events: () => eventsOf(kept),
  };
  KEPT.set(trace, kept);
  return trace;
}

function* eventsOf({ batches, info }: KeptTrace): Generator<TraceEvent> {
  for (const batch of batches) {
    for (let n = 0; n < batch.length; n++) {
      yield eventAt(batch, n, info.devices[batch.device[n]]?.name ?? '');
    }
  }
}

function eventAt(batch: EventBatch, n: number, device: string): TraceEvent {
  const told = (value: number): number | null => (Number.isNaN(value) ? null : value);
  const event: TraceEvent = {
    line: batch.line[n],
    op: OP_NAMES[batch.op[n]] as TraceEvent['op'],
    device,
    cpu: batch.cpu[n],
    origAddr: batch.op[n] === Op.map || batch.op[n] === Op.grow ? told(batch.origAddr[n]) : null,
    size: told(batch.size[n]),
    allocSize: told(batch.allocSize[n]),
    allocAlignMask: batch.allocAlignMask[n],
    dir: DIR_NAMES[batch.dir[n]] as TraceEvent['dir'],
    tlbAddr: resultAt(batch, n),
  };
  if (batch.op[n] === Op.grow) event.areas = batch.flag[n] === Flag.areas ? batch.flagValue[n] : 1;
  return event;
}

function resultAt(batch: EventBatch, n: number): TraceEvent['tlbAddr'] {
  switch (batch.recorded[n]) {
    case Recorded.address:
      return batch.tlbAddr[n];
    case Recorded.full:
      return 'full';
    case Recorded.hang:
      return 'hang';
    default:
      return null;
  }
}
