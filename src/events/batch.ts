/** What a row of a trace says that was called. The numbers are the values in the `op` column. */
export const Op = {
  map: 0,
  unmap: 1,
  alloc: 2,
  free: 3,
  syncForCpu: 4,
  syncForDevice: 5,
  /** A pool joins the default allocator (CONFIG_SWIOTLB_DYNAMIC). */
  grow: 6,
} as const;

/** The canonical names of the operations, by number. */
export const OP_NAMES: readonly string[] = [
  'map',
  'unmap',
  'alloc',
  'free',
  'sync_for_cpu',
  'sync_for_device',
  'grow',
];

/** The canonical names of DMA directions, by number. */
export const DIR_NAMES: readonly string[] = ['to_device', 'from_device', 'bidirectional'];

/** enum dma_data_direction, in this project's numbering. */
export const BIDIRECTIONAL = 2;

/** What a trace recorded as the result of a call. The numbers are the values in the `recorded` column. */
export const Recorded = {
  /** Nothing was recorded. */
  none: 0,
  /** An address, in the `tlbAddr` column. */
  address: 1,
  /** The call failed: DMA_MAPPING_ERROR or NULL. */
  full: 2,
  /** The kernel's loop never ended. */
  hang: 3,
} as const;

/** What the `flag` column says. */
export const Flag = {
  none: 0,
  /** map: served from a transient pool with pages at `flagValue`. */
  transient: 1,
  /** map: pages were had at `flagValue`, but the search in them failed. */
  transientFailed: 2,
  /** grow: the new pool has `flagValue` areas. */
  areas: 3,
  /** map, alloc: the trace says that the request got `flagValue` slots, from that of its address on. */
  slots: 4,
} as const;

/** How far a map may look; what the `look` column says. */
export const Look = {
  /** As the kernel does: area after area, pool after pool. */
  whole: 0,
  /**
   * Only the area that holds the recorded address: the search was interrupted between the locks of
   * two areas while slots were released, so that no single moment explains the whole of it.
   */
  lastArea: 1,
  /**
   * Nowhere: nothing explains the recorded address. It counts as not reproduced, and its slots are
   * taken all the same, so that what follows is judged by itself.
   */
  asRecorded: 2,
} as const;

/**
 * A batch of events in columns: one entry per event, filled by a format, emptied by the replay.
 * Addresses are below 2^53 (formats refuse larger ones), sizes are bytes, masks unsigned 32 bit.
 */
export interface EventBatch {
  /** Events in the batch. */
  length: number;
  /** Line of the trace, 1-based. */
  line: Float64Array;
  /** Seconds, or a counter, as the trace writes it; NaN where it tells none. */
  time: Float64Array;
  cpu: Int32Array;
  /** Index into the trace's devices. */
  device: Int32Array;
  /** One of `Op`. */
  op: Uint8Array;
  /** map: the original buffer; NaN where the trace does not tell; grow: base of the new pool. */
  origAddr: Float64Array;
  /** map: mapping_size; alloc: size; unmap, free, sync: the caller's size, NaN where not told; grow: slots. */
  size: Float64Array;
  /** map: alloc_size; NaN where the trace has none, which means `size`. */
  allocSize: Float64Array;
  allocAlignMask: Float64Array;
  /** Index into DIR_NAMES. */
  dir: Uint8Array;
  /** One of `Recorded`; for unmap, free and sync `address` when `tlbAddr` is given. */
  recorded: Uint8Array;
  tlbAddr: Float64Array;
  /** One of `Flag`. */
  flag: Uint8Array;
  flagValue: Float64Array;
  /**
   * Where the place of the event in the order is not exact: the earliest line at which a call known by
   * its return may have taken effect, or the latest for a call known by its entry. Else the event's own line.
   * Looked at where TraceInfo.orderIsExact is false.
   */
  slack: Float64Array;
  /** One of `Look`. */
  look: Uint8Array;
}

/** Events per batch: large enough that a batch costs nothing, small enough for the cache. */
const BATCH_EVENTS = 8192;

/** An empty batch with room for `capacity` events. */
export function createBatch(capacity = BATCH_EVENTS): EventBatch {
  return {
    length: 0,
    line: new Float64Array(capacity),
    time: new Float64Array(capacity),
    cpu: new Int32Array(capacity),
    device: new Int32Array(capacity),
    op: new Uint8Array(capacity),
    origAddr: new Float64Array(capacity),
    size: new Float64Array(capacity),
    allocSize: new Float64Array(capacity),
    allocAlignMask: new Float64Array(capacity),
    dir: new Uint8Array(capacity),
    recorded: new Uint8Array(capacity),
    tlbAddr: new Float64Array(capacity),
    flag: new Uint8Array(capacity),
    flagValue: new Float64Array(capacity),
    slack: new Float64Array(capacity),
    look: new Uint8Array(capacity),
  };
}

/** Whether another event fits. */
export function isFull(batch: EventBatch): boolean {
  return batch.length === batch.line.length;
}

/** An event's columns from one batch to another. */
export function copyEvent(from: EventBatch, n: number, to: EventBatch, at: number): void {
  to.line[at] = from.line[n];
  to.time[at] = from.time[n];
  to.cpu[at] = from.cpu[n];
  to.device[at] = from.device[n];
  to.op[at] = from.op[n];
  to.origAddr[at] = from.origAddr[n];
  to.size[at] = from.size[n];
  to.allocSize[at] = from.allocSize[n];
  to.allocAlignMask[at] = from.allocAlignMask[n];
  to.dir[at] = from.dir[n];
  to.recorded[at] = from.recorded[n];
  to.tlbAddr[at] = from.tlbAddr[n];
  to.flag[at] = from.flag[n];
  to.flagValue[at] = from.flagValue[n];
  to.slack[at] = from.slack[n];
  to.look[at] = from.look[n];
}
