import { type ByteRange, exposed } from '../../src/dma/access.js';
import { createDmaDevice, type DmaDevice, type DmaDeviceSetup } from '../../src/dma/device.js';
import type { Mapped } from '../../src/dma/mapping.js';
import { mapPage } from '../../src/dma/mapping.js';
import { Origin, type Piece, read, zero } from '../../src/dma/memory.js';
import { createDmaSystem, type DmaSystem, startCall } from '../../src/dma/system.js';
import type { DomainSetup } from '../../src/iommu/iovaDomain.js';
import { findIommuRelease } from '../../src/kernel/iommuSelect.js';
import { createAllocator } from '../../src/swiotlb/allocator.js';
import { createPool } from '../../src/swiotlb/pool.js';
import { searchLinear } from '../../src/swiotlb/search.js';

/** Where the pool of a machine begins. */
export const POOL = 0x41000000;

/** A machine with one device, unless the test adds others. */
export interface Machine {
  system: DmaSystem;
  device: DmaDevice;
  /** Makes another device on the same machine. */
  add: (setup: MachineSetup) => DmaDevice;
}

/** What differs from an untrusted, coherent NVMe device behind 4 KiB granules. */
export type MachineSetup = Partial<Omit<DmaDeviceSetup, 'domain'>> & {
  granule?: number;
  domain?: Partial<DomainSetup>;
};

function setupOf({ granule = 4096, domain = {}, ...device }: MachineSetup): DmaDeviceSetup {
  return {
    name: 'nvme',
    dmaMask: Number.POSITIVE_INFINITY,
    untrusted: true,
    coherent: true,
    minAlignMask: 0xfff,
    segBoundaryMask: 0xffffffff,
    maxSegSize: 65536,
    ...device,
    domain: {
      granule,
      startPfn: 1,
      cpus: 1,
      lazy: false,
      pci: true,
      forcedac: false,
      apertureEnd: Number.POSITIVE_INFINITY,
      busDmaLimit: Number.POSITIVE_INFINITY,
      ...domain,
    },
  };
}

/** A machine of a release with a zeroed pool of `nslabs` slots. */
export function machineOf(
  name: string,
  setup: MachineSetup = {},
  { pageSize = 4096, nslabs = 1024 } = {},
): Machine {
  const release = findIommuRelease(name);
  if (release === undefined) throw new Error(`no release ${name}`);
  const geometry = { name: 'default', base: POOL, nslabs, areas: 1 };
  const pool = createPool(geometry, release.swiotlb.clampsTail);
  const allocator = createAllocator(pool, false, searchLinear);
  const system = createDmaSystem(release, pageSize, allocator);
  zero(system.memory, POOL, nslabs * 2048);
  const add = (more: MachineSetup): DmaDevice => createDmaDevice(release, setupOf(more), allocator);
  startCall(system, 1, 0, 0);
  return { system, device: add(setup), add };
}

/** A mapping that must succeed. */
export function mapOk(
  { system }: Machine,
  device: DmaDevice,
  phys: number,
  size: number,
  dir: number,
  attrs = 0,
): Mapped {
  startCall(system, system.call + 1, 0, 0);
  const mapped = mapPage(system, device, phys, size, dir, attrs);
  if (typeof mapped === 'string') throw new Error(`not mapped: ${mapped}`);
  return { address: { ...mapped.address }, phys: mapped.phys };
}

/** Non-zero bytes that a device reaches besides its own. */
export function leakedTo(
  { system }: Machine,
  device: DmaDevice,
  owned: readonly ByteRange[],
): Piece[] {
  return exposed(system, device, owned).filter(({ origin }) => origin !== Origin.zeroed);
}

/** Where the bytes of a buffer come from, in short. */
export function originsOf({ system }: Machine, start: number, length: number): unknown[] {
  return read(system.memory, start, length).map((piece) => [piece.origin, piece.length]);
}
