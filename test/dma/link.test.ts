import { describe, expect, test } from 'vitest';
import { deviceWrite } from '../../src/dma/access.js';
import {
  allocLinkRange,
  destroyLinkRange,
  type LinkRange,
  linkPiece,
  unlinkPieces,
} from '../../src/dma/link.js';
import { leadsTo } from '../../src/dma/mapping.js';
import { Dir, startCall } from '../../src/dma/system.js';
import { type Machine, machineOf, originsOf } from '../support/dmaMachine.js';

function rangeOf({ system, device }: Machine, phys: number, size: number): LinkRange {
  const range = allocLinkRange(system, device, phys, size);
  if (range === undefined) throw new Error('no addresses');
  return range;
}

describe('a range that is linked', () => {
  test('has its ends bounced and its middle in place', () => {
    const machine = machineOf('v7.2');
    const { system, device } = machine;
    const range = rangeOf(machine, 0x300232, 0x3000);
    expect(linkPiece(system, device, range, 0x300232, 0, 0x3000, Dir.fromDevice, 0)).toBe(0);
    expect(device.table.mapped).toBe(4);
    expect(leadsTo(device, { pfn: range.start.pfn + 1, offset: 0 })).toBe(0x301000);
    expect(system.allocator.used).toBe(4);
    startCall(system, 50, 0, 0);
    expect(deviceWrite(system, device, range.start, 0x3000)).toBe(0x3000);
    startCall(system, 51, 0, 0);
    unlinkPieces(system, device, range, 0, 0x3000, Dir.fromDevice, 0);
    expect(originsOf(machine, 0x300232, 0x3000)).toEqual([
      [50, 0xdce],
      [50, 0x2000],
      [50, 0x232],
    ]);
    expect([device.table.mapped, system.allocator.used]).toEqual([0, 0]);
  });

  test('gives its addresses back, linked or not', () => {
    const machine = machineOf('v7.2');
    const { system, device } = machine;
    for (const linked of [0, 0x3000]) {
      const range = rangeOf(machine, 0x300000, 0x3000);
      if (linked > 0) linkPiece(system, device, range, 0x300000, 0, linked, Dir.toDevice, 0);
      destroyLinkRange(system, device, range, linked, Dir.toDevice, 0);
      expect(rangeOf(machine, 0x300000, 0x3000).start).toEqual(range.start);
      destroyLinkRange(system, device, range, 0, Dir.toDevice, 0);
    }
  });

  test('refuses a piece that begins within a granule, but the first', () => {
    const machine = machineOf('v7.2');
    const { system, device } = machine;
    const range = rangeOf(machine, 0x300000, 0x3000);
    linkPiece(system, device, range, 0x300000, 0, 0x1000, Dir.toDevice, 0);
    expect(linkPiece(system, device, range, 0x301100, 0x1000, 0x800, Dir.toDevice, 0)).toBe(-5);
    expect(system.effects.warnings).toBe(1);
  });

  test('undoes what a failure linked, from v7.1 on no more than that', () => {
    const outcome = (release: string): number => {
      // One granule's slots are all that is left for the tail: it fails.
      const machine = machineOf(release, {}, { nslabs: 2 });
      const { system, device } = machine;
      const range = rangeOf(machine, 0x300000, 0x6000);
      linkPiece(system, device, range, 0x300000, 0, 0x1000, Dir.toDevice, 0);
      system.allocator.pool.areaUsed[0] = 2;
      expect(linkPiece(system, device, range, 0x301000, 0x1000, 0x1100, Dir.toDevice, 0)).toBe(-12);
      return leadsTo(device, range.start);
    };
    expect(outcome('v7.0')).toBe(0);
    expect(outcome('v7.1')).toBe(0x300000);
  });

  test('has an empty middle maintained up to v7.0', () => {
    const syncs = (release: string): number => {
      const machine = machineOf(release, { coherent: false });
      const { system, device } = machine;
      const range = rangeOf(machine, 0x300000, 0x200);
      expect(linkPiece(system, device, range, 0x300000, 0, 0x200, Dir.toDevice, 0)).toBe(0);
      return system.effects.cacheSyncs.length;
    };
    expect(syncs('v6.16')).toBe(2);
    expect(syncs('v7.1')).toBe(1);
  });
});
