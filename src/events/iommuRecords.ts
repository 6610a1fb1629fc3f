import type { DeviceAddressField } from './iommu.js';

/** Where and when a record was made. */
interface Made {
  line: number;
  /** Seconds, or a count of events. */
  time: number;
  /** What tells the tasks, and the idle tasks of CPUs, apart. */
  task: number;
}

/** Pages of 4096 bytes of a device's address space; 52 bits hold the number of one. */
export interface PageRange {
  first: number;
  last: number;
}

/**
 * What a trace says about an IOMMU's page tables: the stock events iommu:*, which name no device, and
 * what stands beside them and does.
 */
export type IommuRecord = Made &
  (
    | {
        /** iommu:map: made after the pages were mapped. */
        kind: 'map';
        pages: PageRange;
        /** Physical address, bytes; exact where it is below 2^53. */
        phys: number;
      }
    | {
        /** iommu:unmap. */
        kind: 'unmap';
        pages: PageRange;
        /** Pages that were mapped and are not any more. */
        unmapped: number;
      }
    | {
        /** iommu:io_page_fault. */
        kind: 'fault';
        device: string;
        driver: string;
        address: DeviceAddressField;
        flags: number;
      }
    /** iommu:attach_device_to_domain: the device has another page table from here on. */
    | { kind: 'attach'; device: string }
    /** A device's call is about to map these pages. */
    | { kind: 'mapping'; device: string; pages: PageRange }
    /** A device's call is about to map the bounce buffer at `slot`, of `size` bytes. */
    | { kind: 'bounce'; device: string; slot: number; size: number }
    /** A device's call has unmapped the bounce buffer at `slot`. */
    | { kind: 'release'; device: string; slot: number }
    /** A device's call has mapped these pages. */
    | { kind: 'mapped'; device: string; pages: PageRange }
    /** A device's call unmaps, or has unmapped, what holds these pages. */
    | { kind: 'unmapping' | 'unmapped'; device: string; pages: PageRange }
  );
