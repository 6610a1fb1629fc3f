import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DIR_NAMES, OP_NAMES, Recorded } from '../../src/events/batch.js';
import { UserError } from '../../src/events/errors.js';
import type { IommuRecord } from '../../src/events/iommuRecords.js';
import { emptyTraceInfo, type TraceInfo } from '../../src/events/trace.js';
import type { TraceFormat } from '../../src/formats/format.js';
import { type ReadTally, readTrace } from '../../src/formats/read.js';
import { type BlockTally, blocksOfLines, type ReadInto } from '../../src/source/blocks.js';
import type { Source } from '../../src/source/open.js';

/** An event as words and numbers, to compare with what a test expects. */
export interface ReadEvent {
  line: number;
  cpu: number;
  /** Empty where the event has none. */
  device: string;
  op: string;
  origAddr: number;
  size: number;
  allocSize: number;
  allocAlignMask: number;
  dir: string;
  result: number | 'full' | 'hang' | undefined;
}

/** Everything that reading a trace gives. */
export interface Reading {
  events: ReadEvent[];
  /** The events' times, in order. */
  times: number[];
  info: TraceInfo;
  tally: ReadTally;
}

/** How the bytes of a trace come in. */
export interface Arrival {
  /** Sizes of the chunks, over and over; whole blocks where missing. */
  chunks?: readonly number[];
  blockBytes?: number;
  format?: TraceFormat;
  pageSize?: number;
  onIommu?: (record: IommuRecord) => void;
}

/** Gives bytes in chunks of the given sizes, over and over. */
export function inChunks(bytes: Uint8Array, sizes: readonly number[] = [1 << 20]): ReadInto {
  let at = 0;
  let turn = 0;
  return (into, offset, length) => {
    const count = Math.min(length, sizes[turn++ % sizes.length], bytes.length - at);
    into.set(bytes.subarray(at, at + count), offset);
    at += count;
    return count;
  };
}

/** A source over bytes in memory. */
function sourceOf(trace: string | Uint8Array, { chunks, blockBytes }: Arrival = {}): Source {
  const tally: BlockTally = { bytes: 0, cutLines: 0 };
  const blocks = blocksOfLines(inChunks(Buffer.from(trace), chunks), tally, blockBytes);
  return {
    name: 'test.trace',
    head: Buffer.alloc(0),
    blocks,
    tally,
    size: undefined,
    close: () => {},
  };
}

/** Reads a whole source into events. */
export async function readSource(source: Source, arrival: Arrival = {}): Promise<Reading> {
  const info = emptyTraceInfo();
  const events: ReadEvent[] = [];
  const times: number[] = [];
  const { format, pageSize = 4096, onIommu } = arrival;
  const options = { format, pageSize, ...(onIommu && { onIommu }) };
  const tally = await readTrace(source, info, options, (batch) => {
    times.push(...batch.time.subarray(0, batch.length));
    for (let n = 0; n < batch.length; n++) {
      events.push({
        line: batch.line[n],
        cpu: batch.cpu[n],
        device: info.devices[batch.device[n]]?.name ?? '',
        op: OP_NAMES[batch.op[n]],
        origAddr: batch.origAddr[n],
        size: batch.size[n],
        allocSize: batch.allocSize[n],
        allocAlignMask: batch.allocAlignMask[n],
        dir: DIR_NAMES[batch.dir[n]],
        result: resultOf(batch.recorded[n], batch.tlbAddr[n]),
      });
    }
  });
  return { events, times, info, tally };
}

/** Reads a whole trace from memory into events. */
export function read(trace: string | Uint8Array, arrival: Arrival = {}): Promise<Reading> {
  return readSource(sourceOf(trace, arrival), arrival);
}

/** The message of the UserError that an action ends with. */
export async function userErrorOf(action: () => Promise<unknown>): Promise<string> {
  try {
    await action();
  } catch (error) {
    if (error instanceof UserError) return error.message;
    throw error;
  }
  throw new Error('no error was thrown');
}

/** Does something in a new directory, which is removed afterwards. */
export async function inTempDir<T>(action: (directory: string) => Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), 'swiotlb-replay-'));
  try {
    return await action(directory);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function resultOf(recorded: number, tlbAddr: number): ReadEvent['result'] {
  if (recorded === Recorded.address) return tlbAddr;
  if (recorded === Recorded.none) return undefined;
  return recorded === Recorded.full ? 'full' : 'hang';
}
