import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ByteRange, deviceRead, deviceWrite } from '../../src/dma/access.js';
import type { DeviceAddress, DmaDevice } from '../../src/dma/device.js';
import { leadsTo, mapPage } from '../../src/dma/mapping.js';
import { Origin, write } from '../../src/dma/memory.js';
import { mapSg, unmapSg } from '../../src/dma/scatter.js';
import type { SgEntry, SgSegment } from '../../src/dma/sync.js';
import { Dir, startCall } from '../../src/dma/system.js';
import { unmapPage } from '../../src/dma/unmapping.js';
import { IOMMU_RELEASES } from '../../src/kernel/iommuReleases.js';
import { leakedTo, type Machine, machineOf, originsOf } from '../support/dmaMachine.js';

/** A mapping that is alive. */
interface Live {
  device: number;
  dir: number;
  entries: SgEntry[];
  segments: SgSegment[];
  isList: boolean;
}

const step = fc.record({
  device: fc.nat({ max: 1 }),
  op: fc.constantFrom('map', 'map', 'list', 'unmap', 'unmap'),
  dir: fc.nat({ max: 2 }),
  offset: fc.oneof(fc.constant(0), fc.nat({ max: 4095 })),
  size: fc.oneof(fc.integer({ min: 1, max: 3000 }), fc.integer({ min: 1, max: 40_000 })),
  entries: fc.integer({ min: 1, max: 4 }),
  which: fc.nat(),
});

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** A buffer of its own for each entry, 256 KiB apart. */
function buffersOf({ offset, size, entries, op }: Step, n: number): SgEntry[] {
  const count = op === 'list' ? entries : 1;
  return Array.from({ length: count }, (_, i) => ({
    phys: 0x200000000 + (n * 4 + i) * 0x40000 + offset,
    length: 1 + ((size * (i + 1)) % 40_000),
  }));
}

function mapStep(machine: Machine, device: DmaDevice, one: Step, n: number): Live | undefined {
  const { system } = machine;
  const entries = buffersOf(one, n);
  const live = { device: one.device, dir: one.dir, entries };
  if (one.op === 'list') {
    const segments = mapSg(system, device, entries, one.dir, 0);
    return typeof segments === 'object' ? { ...live, segments, isList: true } : undefined;
  }
  const [{ phys, length }] = entries;
  const mapped = mapPage(system, device, phys, length, one.dir, 0);
  if (typeof mapped === 'string') return undefined;
  return { ...live, segments: [{ address: { ...mapped.address }, length }], isList: false };
}

function unmapStep({ system }: Machine, device: DmaDevice, live: Live): void {
  const { entries, segments, dir, isList } = live;
  if (isList) unmapSg(system, device, entries, segments, dir, 0);
  else unmapPage(system, device, segments[0].address, segments[0].length, dir, 0);
}

/** The physical bytes of a mapping's segments, granule by granule. */
function ownedBy(device: DmaDevice, { segments }: Live): ByteRange[] {
  const { granule } = device.table;
  return segments.flatMap(({ address, length }) => {
    const owned: ByteRange[] = [];
    let at: DeviceAddress = address;
    for (let left = length; left > 0; ) {
      const taken = Math.min(left, granule - at.offset);
      owned.push({ start: leadsTo(device, at), length: taken });
      left -= taken;
      at = { pfn: at.pfn + 1, offset: 0 };
    }
    return owned;
  });
}

/** Granules that a device's live mappings span. */
function granulesOf(device: DmaDevice, live: readonly Live[]): Set<number> {
  const pfns = new Set<number>();
  for (const { segments } of live) {
    for (const { address, length } of segments) {
      const count = Math.ceil((address.offset + length) / device.table.granule);
      for (let n = 0; n < count; n++) pfns.add(address.pfn + n);
    }
  }
  return pfns;
}

function play(
  machine: Machine,
  devices: DmaDevice[],
  steps: readonly Step[],
  check: (live: readonly Live[]) => void,
): void {
  const live: Live[] = [];
  steps.forEach((one, n) => {
    startCall(machine.system, n + 1, 0, n);
    if (one.op === 'unmap') {
      const [gone] = live.splice(one.which % (live.length || 1), 1);
      if (gone !== undefined) unmapStep(machine, devices[gone.device], gone);
    } else {
      const mapped = mapStep(machine, devices[one.device], one, n);
      if (mapped !== undefined) live.push(mapped);
    }
    check(live);
  });
  for (const rest of live.splice(0)) unmapStep(machine, devices[rest.device], rest);
  check([]);
}

const FIXED = IOMMU_RELEASES.map(({ name }) => name).slice(
  IOMMU_RELEASES.findIndex(({ name }) => name === 'v6.10'),
  IOMMU_RELEASES.findIndex(({ kind }) => kind === 'patched'),
);

describe.each(FIXED)('behind an IOMMU in %s', (release) => {
  test('page tables hold the live mappings, and nothing leaks to an untrusted device', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const machine = machineOf(release);
        const devices = [machine.device, machine.add({ untrusted: false, name: 'disk' })];
        play(machine, devices, steps, (live) => {
          devices.forEach((device, n) => {
            const own = live.filter((mapping) => mapping.device === n);
            expect(device.table.mapped).toBe(granulesOf(device, own).size);
            for (const pfn of granulesOf(device, own)) {
              expect(leadsTo(device, { pfn, offset: 0 })).not.toBe(0);
            }
          });
          const own = live.filter((mapping) => mapping.device === 0);
          const owned = own.flatMap((mapping) => ownedBy(machine.device, mapping));
          expect(leakedTo(machine, machine.device, owned)).toEqual([]);
          expect(machine.system.effects.warnings).toBe(0);
        });
        expect(machine.system.allocator.used).toBe(0);
      }),
      { numRuns: 60 },
    );
  });
});

describe.each(IOMMU_RELEASES.map(({ name }) => name))('data in %s', (release) => {
  const setup = { untrusted: true, minAlignMask: 0xfff };
  const buffers = fc.record({
    offset: fc.nat({ max: 4095 }),
    size: fc.integer({ min: 1, max: 30_000 }),
  });

  test('reaches the device at map, and the CPU at unmap', () => {
    fc.assert(
      fc.property(buffers, ({ offset, size }) => {
        const machine = machineOf(release, setup);
        const { system, device } = machine;
        const phys = 0x200000000 + offset;
        write(system.memory, phys, size, 1000, 0, 0);
        startCall(system, 1, 0, 0);
        const mapped = mapPage(system, device, phys, size, Dir.bidirectional, 0);
        if (typeof mapped === 'string') return;
        const seen = deviceRead(system, device, mapped.address, size);
        expect(seen.map(({ origin, at, length }) => [origin, at, length])).toEqual([
          [1000, 0, size],
        ]);
        startCall(system, 2, 0, 1);
        expect(deviceWrite(system, device, mapped.address, size)).toBe(size);
        startCall(system, 3, 0, 2);
        unmapPage(system, device, mapped.address, size, Dir.bidirectional, 0);
        expect(originsOf(machine, phys, size)).toEqual([[2, size]]);
        expect(originsOf(machine, phys - 1, 1)).toEqual([[Origin.before, 1]]);
        expect(originsOf(machine, phys + size, 1)).toEqual([[Origin.before, 1]]);
      }),
      { numRuns: 40 },
    );
  });
});
