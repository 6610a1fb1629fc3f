import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  createPageTable,
  mapGranules,
  physOf,
  Right,
  runAt,
  unmapGranules,
} from '../../src/iommu/pageTable.js';

const G = 4096;

describe('a page table', () => {
  test('is a map from granules to physical addresses', () => {
    const step = fc.record({
      maps: fc.boolean(),
      pfn: fc.nat({ max: 60 }),
      count: fc.integer({ min: 1, max: 12 }),
      page: fc.nat({ max: 100 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const table = createPageTable(G);
        const model = new Map<number, number>();
        for (const { maps, pfn, count, page } of steps) {
          const pfns = Array.from({ length: count }, (_, n) => pfn + n);
          if (maps) {
            const isFree = pfns.every((at) => !model.has(at));
            expect(mapGranules(table, pfn, count, page * G, Right.read)).toBe(isFree);
            if (isFree) for (const at of pfns) model.set(at, (page + at - pfn) * G);
          } else {
            const hole = pfns.findIndex((at) => !model.has(at));
            const expected = hole < 0 ? count : hole;
            expect(unmapGranules(table, pfn, count)).toBe(expected);
            for (let n = 0; n < expected; n++) model.delete(pfn + n);
          }
        }
        expect(table.mapped).toBe(model.size);
        for (let pfn = 0; pfn < 75; pfn++) {
          expect(physOf(table, pfn, 5)).toBe((model.get(pfn) ?? Number.NaN) + 5);
        }
      }),
    );
  });

  test('maps nothing where one granule is mapped, and unmaps up to the first hole', () => {
    const table = createPageTable(G);
    mapGranules(table, 10, 2, 0x10000, Right.both);
    expect(mapGranules(table, 8, 3, 0x20000, Right.both)).toBe(false);
    expect(runAt(table, 8)).toBeUndefined();
    mapGranules(table, 13, 1, 0x30000, Right.write);
    expect(unmapGranules(table, 11, 4)).toBe(1);
    expect(table.mapped).toBe(2);
    expect(runAt(table, 13)?.rights).toBe(Right.write);
  });
});
