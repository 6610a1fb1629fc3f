import type { DeviceAddressField } from '../events/iommu.js';
import type { PageRange } from '../events/iommuRecords.js';

/** Things of one kind, all counted, the first few kept. */
export interface Kept<T> {
  count: number;
  first: T[];
}

/** An iommu:unmap that found less mapped than it was to unmap. Sizes in bytes. */
export interface ShortUnmap {
  line: number;
  pages: PageRange;
  size: number;
  unmappedSize: number;
}

/** Pages that were mapped for a device that had them mapped already. */
export interface Collision {
  line: number;
  device: string;
  pages: PageRange;
  /** Line of the iommu:map that the first of them had. */
  mappedLine: number;
}

/** What the page that a device's access failed at had been. */
export type FaultCause =
  /** Mapped, and unmapped before the access: use after unmap. */
  | { was: 'unmapped'; mapLine: number; unmapLine: number; seconds: number }
  /** It is mapped: the access was not allowed, or the mapping is of another device. */
  | { was: 'mapped'; mapLine: number }
  /** Never mapped as far as the trace goes. */
  | { was: 'never mapped' };

/** An iommu:io_page_fault. */
export interface IommuFault {
  line: number;
  device: string;
  driver: string;
  address: DeviceAddressField;
  flags: number;
  cause: FaultCause;
  /** The mapping is known to be the device's own, not only one of the same address. */
  isCertain: boolean;
}

/** What a trace shows of page tables, all domains together. Sizes in bytes. */
export interface IommuFacts {
  maps: number;
  unmaps: number;
  /** iommu:map records whose device the trace tells. */
  labelled: number;
  /** Bytes mapped, all domains together. */
  mapped: { peak: number; peakLine: number; atEnd: number; mappingsAtEnd: number };
  /** The largest power of two that divides every address and size; undefined without a map. */
  granule: number | undefined;
  faults: Kept<IommuFault>;
  collisions: Kept<Collision>;
  shortUnmaps: Kept<ShortUnmap>;
  /** Records that may be of one domain or of another with the same addresses. */
  ambiguous: { maps: number; unmaps: number };
  /** iommu:unmap records of what the trace does not show to be mapped. */
  unseenUnmaps: number;
  /** Maps that were not kept, since too many unknown domains had the same pages mapped. */
  dropped: number;
  /** Bounce buffers of untrusted devices. */
  bounced: { maps: number; bytes: number; mapped: number };
  /** Devices that are named, and what is theirs. */
  devices: { device: string; maps: number; mappedAtEnd: number }[];
}

/** Things of a kind that are kept. */
const KEPT = 20;

/** Nothing seen. */
export function emptyFacts(): IommuFacts {
  return {
    maps: 0,
    unmaps: 0,
    labelled: 0,
    mapped: { peak: 0, peakLine: 0, atEnd: 0, mappingsAtEnd: 0 },
    granule: undefined,
    faults: { count: 0, first: [] },
    collisions: { count: 0, first: [] },
    shortUnmaps: { count: 0, first: [] },
    ambiguous: { maps: 0, unmaps: 0 },
    unseenUnmaps: 0,
    dropped: 0,
    bounced: { maps: 0, bytes: 0, mapped: 0 },
    devices: [],
  };
}

/** Counts a thing and keeps it if it is among the first. */
export function keep<T>(kept: Kept<T>, one: T): void {
  kept.count++;
  if (kept.first.length < KEPT) kept.first.push(one);
}

/** Whether something in it is wrong for certain: faults, collisions, short unmaps. */
export function findsFault({ faults, collisions, shortUnmaps }: IommuFacts): boolean {
  return faults.count + collisions.count + shortUnmaps.count > 0;
}
