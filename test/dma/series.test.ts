import { describe, expect, test } from 'vitest';
import { deviceWrite } from '../../src/dma/access.js';
import { addressAfter, type DmaDevice } from '../../src/dma/device.js';
import { leadsTo, mapPage } from '../../src/dma/mapping.js';
import { Origin, type Piece } from '../../src/dma/memory.js';
import { mapSg, unmapSg } from '../../src/dma/scatter.js';
import { type SgSegment, syncSg, syncSingle } from '../../src/dma/sync.js';
import { Attr, Dir, startCall } from '../../src/dma/system.js';
import { unmapPage } from '../../src/dma/unmapping.js';
import {
  leakedTo,
  type Machine,
  machineOf,
  mapOk,
  originsOf,
  POOL,
} from '../support/dmaMachine.js';

/*
 * The bugs of "Fixes for dma-iommu swiotlb bounce buffers" (August 2021), and those around it: each
 * shows in a release that has it and is gone in the one that mends it.
 */

const BUFFER = 0x2a0a74;

function unmapAt(
  { system }: Machine,
  device: DmaDevice,
  address: { pfn: number; offset: number },
  size: number,
  dir: number,
  attrs = 0,
): void {
  startCall(system, system.call + 1, 0, 0);
  unmapPage(system, device, address, size, dir, attrs);
}

describe('the size that counted the offset twice', () => {
  const left = (release: string): { granules: number; again: unknown } => {
    const machine = machineOf(release);
    const { system, device } = machine;
    const { address } = mapOk(machine, device, BUFFER, 9000, Dir.toDevice);
    unmapAt(machine, device, address, 9000, Dir.toDevice);
    const granules = device.table.mapped;
    const again = mapPage(system, device, BUFFER, 9000, Dir.toDevice, 0);
    return { granules, again: typeof again === 'string' ? again : 'mapped' };
  };

  test.each(['v5.13', 'v5.14', 'v5.14+s1-3', 'v5.15'])(
    'leaves a granule mapped in %s, on which a later map fails',
    (release) => {
      expect(left(release)).toEqual({ granules: 1, again: 'collision' });
    },
  );

  test.each(['v5.14+s1-5', 'v5.16', 'v6.10', 'v7.2'])('is mended in %s', (release) => {
    expect(left(release)).toEqual({ granules: 0, again: 'mapped' });
  });
});

describe('padding in front of the data', () => {
  /** Another's data in front of a mapping's, in the same granule: where it comes from. */
  const leaked = (release: string): Piece[] => {
    const machine = machineOf(release);
    const { device } = machine;
    const other = machine.add({ name: 'other' });
    const first = mapOk(machine, other, 0x300000, 2000, Dir.toDevice);
    unmapAt(machine, other, first.address, 2000, Dir.toDevice);
    // The next search would begin behind it; a pool goes round.
    machine.system.allocator.pool.areaIndex[0] = 0;
    const { phys } = mapOk(machine, device, 0x500800, 2048, Dir.toDevice);
    expect(phys).toBe(POOL + 0x800);
    return leakedTo(machine, device, [{ start: phys, length: 2048 }]);
  };

  const others = {
    start: POOL,
    length: 2000,
    origin: Origin.before,
    at: 0x300000,
    through: 2,
  };

  test.each(['v5.14', 'v5.16', 'v6.2'])('is not zeroed in %s', (release) => {
    expect(leaked(release)).toEqual([others]);
  });

  test.each(['v5.14+s1-5', 'v6.10', 'v7.2'])('is zeroed in %s', (release) => {
    expect(leaked(release)).toEqual([]);
  });
});

describe('sync_sg of an untrusted device', () => {
  /** Bytes of a buffer that the CPU sees as the device wrote them after a sync. */
  const synced = (release: string): unknown[] => {
    const machine = machineOf(release);
    const { system, device } = machine;
    const entries = [{ phys: 0x300200, length: 700 }];
    const segments = mapSg(system, device, entries, Dir.fromDevice, 0) as SgSegment[];
    startCall(system, 77, 0, 0);
    deviceWrite(system, device, segments[0].address, 700);
    startCall(system, 78, 0, 0);
    syncSg(system, device, entries, segments, Dir.fromDevice, 'cpu');
    return originsOf(machine, 0x300200, 700);
  };

  test.each(['v5.14', 'v5.15'])('copies nothing in %s', (release) => {
    expect(synced(release)).toEqual([[Origin.before, 700]]);
  });

  test.each(['v5.14+s1', 'v5.16', 'v7.2'])('copies in %s', (release) => {
    expect(synced(release)).toEqual([[77, 700]]);
  });
});

describe('an unmap', () => {
  const copies = (release: string): number => {
    const machine = machineOf(release);
    const { address } = mapOk(machine, machine.device, BUFFER, 1024, Dir.fromDevice);
    unmapAt(machine, machine.device, address, 1024, Dir.fromDevice);
    return machine.system.effects.copiesOut;
  };

  test.each(['v5.14', 'v5.14+s1-2', 'v5.15'])('copies twice in %s', (release) => {
    expect(copies(release)).toBe(2);
  });

  test.each(['v5.14+s1-3', 'v5.16', 'v7.2'])('copies once in %s', (release) => {
    expect(copies(release)).toBe(1);
  });
});

describe('cache maintenance of a map', () => {
  const maintained = (release: string): number => {
    const machine = machineOf(release, { coherent: false });
    mapOk(machine, machine.device, BUFFER, 1024, Dir.toDevice);
    return machine.system.effects.cacheSyncs[0].phys;
  };

  test.each(['v5.14', 'v5.14+s1', 'v5.15'])('is for the original buffer in %s', (release) => {
    expect(maintained(release)).toBe(BUFFER);
  });

  test.each(['v5.14+s1-2', 'v5.16', 'v7.2'])('is for what the device reads in %s', (release) => {
    expect(maintained(release)).toBeGreaterThanOrEqual(POOL);
  });
});

describe('a granule above the slot size and below the page size', () => {
  /** Bytes of another's live buffer that share a granule with a mapping's. */
  const leaked = (release: string): number => {
    const setup = { granule: 16384 };
    const machine = machineOf(release, setup, { pageSize: 65536 });
    const other = machine.add({ name: 'other', ...setup });
    mapOk(machine, other, 0x300700, 16384, Dir.toDevice);
    const { phys } = mapOk(machine, machine.device, 0x500800, 1500, Dir.toDevice);
    const pieces = leakedTo(machine, machine.device, [{ start: phys, length: 1500 }]);
    return pieces.reduce((sum, { length }) => sum + length, 0);
  };

  test('exposes the slot before it in v5.14', () => {
    expect(leaked('v5.14')).toBe(0x700);
  });

  test.each(['v6.10', 'v7.2'])('exposes nothing in %s', (release) => {
    expect(leaked(release)).toBe(0);
  });
});

describe('patch 5 of August 2021', () => {
  test('zeroes with a length below zero where offset and size need a granule more', () => {
    const machine = machineOf('v5.14+s1-5');
    mapOk(machine, machine.device, 0x281f56, 1024, Dir.toDevice);
    expect(machine.system.effects.strayFills).toBe(1);
  });
});

describe('a map that leaves the data to its caller', () => {
  test('loses the copy to the zero-fill from v5.16 to v6.9', () => {
    const content = (release: string): unknown[] => {
      const machine = machineOf(release);
      const mapped = mapOk(machine, machine.device, BUFFER, 1024, Dir.toDevice, Attr.skipCpuSync);
      return originsOf(machine, mapped.phys, 1024);
    };
    expect(content('v6.8')).toEqual([[Origin.zeroed, 1024]]);
    expect(content('v6.10')).toEqual([[Origin.before, 1024]]);
  });
});

describe('a sync in a later slot, below the offset of the first', () => {
  const outcome = (release: string): unknown => {
    const machine = machineOf(release, { minAlignMask: 0x7ff });
    const { system, device } = machine;
    const { address } = mapOk(machine, device, 0x3007ff, 6000, Dir.fromDevice);
    const later = addressAfter(address, 2000, 4096);
    startCall(system, 90, 0, 0);
    deviceWrite(system, device, later, 10);
    startCall(system, 91, 0, 0);
    syncSg(system, device, [{ phys: 0, length: 10 }], [{ address: later, length: 10 }], 2, 'cpu');
    const { strayCopies, warnings } = system.effects;
    return { strayCopies, warnings, arrived: originsOf(machine, 0x3007ff + 2000, 10)[0] };
  };

  test('goes astray, is refused, or is found', () => {
    const lost = [Origin.before, 10];
    expect(outcome('v5.14+s1')).toEqual({ strayCopies: 1, warnings: 0, arrived: lost });
    expect(outcome('v6.8')).toEqual({ strayCopies: 0, warnings: 1, arrived: lost });
    expect(outcome('v6.10')).toEqual({ strayCopies: 0, warnings: 0, arrived: [90, 10] });
  });
});

describe('a sync of what is not mapped as it says', () => {
  test('copies nothing where a granule stayed mapped and its slots are free', () => {
    const machine = machineOf('v5.14');
    const { system, device } = machine;
    const { address } = mapOk(machine, device, BUFFER, 9000, Dir.fromDevice);
    unmapAt(machine, device, address, 9000, Dir.fromDevice);
    startCall(system, 60, 0, 0);
    const stale = { pfn: address.pfn + 3, offset: 0 };
    expect(leadsTo(device, stale)).toBeGreaterThan(POOL);
    syncSingle(system, device, stale, 100, Dir.fromDevice, 'cpu');
    expect(system.effects).toMatchObject({ copiesOut: 0, warnings: 0 });
  });

  test('is cut with a warning, refused, or goes on behind the mapping', () => {
    const beyond = (release: string, from: number, size: number): unknown => {
      const machine = machineOf(release);
      const { system, device } = machine;
      const { address } = mapOk(machine, device, 0x300100, 4096, Dir.fromDevice);
      startCall(system, 60, 0, 0);
      const at = addressAfter(address, from, 4096);
      syncSingle(system, device, at, size, Dir.fromDevice, 'cpu');
      return [system.effects.bytesOut, system.effects.warnings];
    };
    expect(beyond('v6.8', 1000, 4000)).toEqual([3096, 1]);
    expect(beyond('v5.14', 1000, 4000)).toEqual([3096, 1]);
    // In the last slot, behind the last byte: what is left wraps where nothing refuses it.
    expect(beyond('v6.8', 4146, 10)).toEqual([0, 1]);
    expect(beyond('v5.14', 4146, 10)).toEqual([10, 0]);
  });
});

describe('a list without entries', () => {
  test.each([true, false])('is mapped and unmapped to nothing (untrusted: %s)', (untrusted) => {
    const { system, device } = machineOf('v7.2', { untrusted });
    expect(mapSg(system, device, [], Dir.toDevice, 0)).toEqual([]);
    unmapSg(system, device, [], [], Dir.toDevice, 0);
    expect(system.effects.warnings).toBe(0);
  });
});
