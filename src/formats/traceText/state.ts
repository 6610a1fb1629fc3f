import type { DeviceNames } from '../../events/names.js';
import type { TraceInfo } from '../../events/trace.js';
import type { Call, CallQueue } from './calls.js';
import type { Fields } from './fields.js';
import type { Geometry } from './geometry.js';
import type { LossLog } from './losses.js';
import type { TraceRecord } from './record.js';

/** What the handlers of records share. */
export interface TraceState {
  info: TraceInfo;
  /** The block that holds the record. */
  bytes: Buffer;
  /** A view of it. */
  view: DataView;
  /** PAGE_SIZE in bytes where the trace does not tell. */
  pageSize: number;
  names: DeviceNames;
  /** The line of the record in hand, the record, and its fields. */
  line: number;
  record: TraceRecord;
  fields: Fields;
  /** Level of the record, from its flags. */
  level: 0 | 1 | 2;
  /** The record's device. */
  device(): number;
  geometry: Geometry;
  queue: CallQueue;
  losses: LossLog;
  /** A record that cannot be used. */
  problem(message: string): void;
  /** A call is known whole. */
  finish(call: Call): void;
  /** Whether records show when an unmap or a free ends at all, by `Op`. */
  showsEnd: boolean[];
  /** Whether they show its lock, and its return. */
  showsReleaseLock: boolean;
  showsReleaseRet: boolean;
  /** Unmaps whose end no record shows, in order. */
  endless: Call[];
  /** How many of them, from the first on, have ended. */
  ended: number;
  /** Slots that swiotlb_alloc() made pages of, by page. */
  slotOfPage: Map<number, number>;
  /** Bases of pools that have joined. */
  grownPools: Set<number>;
  /** Bounced buffers of lists, by device and original address. */
  dmaOfPhys: Map<string, { dmaAddr: number; size: number }>;
  /** Maps are told by the stock events dma:*. */
  isDmaTrace: boolean;
  /** Mappings that were not bounced. */
  direct: number;
}
