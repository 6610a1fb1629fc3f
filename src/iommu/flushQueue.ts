/** Entries of a CPU's ring; one place stays free (IOVA_DEFAULT_FQ_SIZE). */
const FQ_SIZE = 256;

/** Milliseconds from the first entry to the timer (IOVA_DEFAULT_FQ_TIMEOUT). */
const FQ_TIMEOUT = 10;

/** A range that waits for a flush of the IOTLB (struct iova_fq_entry). */
interface QueuedRange {
  pfn: number;
  /** Pfns. */
  size: number;
  /** The flush that must be over before it is free. */
  counter: number;
}

/** The queue of a lazy domain (struct iova_fq for each CPU, and the timer). */
export interface FlushQueue {
  /** Per CPU, the oldest entry first; made when a CPU first needs its own. */
  rings: (QueuedRange[] | undefined)[];
  /** Ranges that were queued. */
  queued: number;
  /** Flushes begun, and ended (fq_flush_start_cnt, fq_flush_finish_cnt). */
  started: number;
  finished: number;
  /** Milliseconds at which the timer fires; Infinity where it is off. */
  due: number;
  /** CPU that armed the timer. */
  armedBy: number;
}

/** Frees a range for good, on the CPU that runs the code. */
export type FreeOnCpu = (cpu: number, pfn: number, size: number) => void;

/** Empty rings (iova_domain_init_flush_queue()). */
export function createFlushQueue(): FlushQueue {
  return {
    rings: [],
    queued: 0,
    started: 0,
    finished: 0,
    due: Number.POSITIVE_INFINITY,
    armedBy: 0,
  };
}

/** Frees what a flush has made free, up to the first entry that still waits (fq_ring_free()). */
function freeFlushed(queue: FlushQueue, ring: QueuedRange[], cpu: number, free: FreeOnCpu): void {
  let flushed = 0;
  while (flushed < ring.length && ring[flushed].counter < queue.finished) {
    free(cpu, ring[flushed].pfn, ring[flushed].size);
    flushed++;
  }
  if (flushed > 0) ring.splice(0, flushed);
}

/** Invalidates the IOTLB (fq_flush_iotlb()). */
function flush(queue: FlushQueue): void {
  queue.started++;
  queue.finished++;
}

/** Queues a range until a flush that begins later is over (queue_iova()). */
export function queueRange(
  queue: FlushQueue,
  cpu: number,
  pfn: number,
  size: number,
  now: number,
  free: FreeOnCpu,
): void {
  queue.rings[cpu] ??= [];
  const ring = queue.rings[cpu];
  freeFlushed(queue, ring, cpu, free);
  if (ring.length >= FQ_SIZE - 1) {
    flush(queue);
    freeFlushed(queue, ring, cpu, free);
  }
  queue.queued++;
  ring.push({ pfn, size, counter: queue.started });
  if (queue.due === Number.POSITIVE_INFINITY) {
    queue.due = now + FQ_TIMEOUT;
    queue.armedBy = cpu;
  }
}

/** The timer fires (fq_flush_timeout()): everything lands in the caches of the CPU that armed it. */
export function runFlushTimer(queue: FlushQueue, free: FreeOnCpu): void {
  queue.due = Number.POSITIVE_INFINITY;
  flush(queue);
  for (const ring of queue.rings) {
    if (ring !== undefined) freeFlushed(queue, ring, queue.armedBy, free);
  }
}
