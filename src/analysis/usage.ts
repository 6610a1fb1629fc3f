import type { DeviceBook } from './deviceBooks.js';
import { sizeClasses } from './waste.js';

/** What one device did to its pool. */
export interface DeviceUsage {
  name: string;
  /** Bytes of the largest map that the release promises it (swiotlb_max_mapping_size()). */
  maxMappingSize: number;
  maps: number;
  unmaps: number;
  failed: number;
  /** Slots that it holds at the end, and the most that it ever held. */
  liveSlots: number;
  peakSlots: number;
  /** Live allocations at the end. */
  live: number;
  /** Bytes asked for in requests that were served. */
  bytes: number;
}

/** Requests of a device that were served. */
export function servedOf({ sizes }: DeviceBook): number {
  return sizeClasses(sizes).reduce((sum, { requests }) => sum + requests, 0);
}

/** What a device's book says of its use of the pools. */
export function usageOf(book: DeviceBook): DeviceUsage {
  const { name, maxMappingSize, unmaps, failed, liveSlots, peakSlots, live } = book;
  const bytes = sizeClasses(book.sizes).reduce((sum, { asked }) => sum + asked, 0);
  return {
    name,
    maxMappingSize,
    maps: servedOf(book) + failed,
    unmaps,
    failed,
    liveSlots,
    peakSlots,
    live,
    bytes,
  };
}
