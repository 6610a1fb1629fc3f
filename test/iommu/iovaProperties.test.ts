import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  allocFast,
  createIovaDomain,
  dmaAllocIova,
  dmaFreeIova,
  freeFast,
  type IovaDomain,
  nextTimer,
  runTimer,
} from '../../src/iommu/iovaDomain.js';
import { NO_PFN, reserveRange } from '../../src/iommu/iovaTree.js';
import { emptyCpu } from '../../src/iommu/magazines.js';
import { roundUpPowerOfTwo } from '../../src/kernel/constants.js';
import { IOMMU_RELEASES } from '../../src/kernel/iommuReleases.js';
import { findIommuRelease } from '../../src/kernel/iommuSelect.js';

const START = 16;
const LAST = 0x3ff;

interface Setup {
  release?: string;
  lazy?: boolean;
}

function domainOf({ release = 'v7.2', lazy = false }: Setup = {}): IovaDomain {
  const found = findIommuRelease(release);
  if (found === undefined) throw new Error(release);
  return createIovaDomain(found.iova, {
    granule: 4096,
    startPfn: START,
    cpus: 2,
    lazy,
    pci: true,
    forcedac: false,
    apertureEnd: LAST * 4096 + 4095,
    busDmaLimit: Number.POSITIVE_INFINITY,
  });
}

/** A range handed out; `size` as its owner states it. */
interface Handed {
  pfn: number;
  size: number;
}

/** The pfns that a range takes. */
function pfnsOf({ pfn, size }: Handed): number[] {
  const taken = size <= 32 ? roundUpPowerOfTwo(size) : size;
  return Array.from({ length: taken }, (_, n) => pfn + n);
}

const step = fc.record({
  frees: fc.boolean(),
  size: fc.oneof(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 90 })),
  which: fc.nat(),
  cpu: fc.nat({ max: 1 }),
  wait: fc.constantFrom(0, 0, 0, 1, 15),
});

/** Plays steps and hands what is live after each one to `check`. */
function play(
  domain: IovaDomain,
  steps: readonly { frees: boolean; size: number; which: number; cpu: number; wait: number }[],
  check: (live: readonly Handed[], got: number, size: number) => void,
): void {
  const live: Handed[] = [];
  let now = 0;
  for (const { frees, size, which, cpu, wait } of steps) {
    now += wait;
    while (nextTimer(domain) <= now) runTimer(domain);
    if (frees && live.length > 0) {
      const [freed] = live.splice(which % live.length, 1);
      dmaFreeIova(domain, cpu, freed.pfn, freed.size, now);
      continue;
    }
    const pfn = dmaAllocIova(domain, cpu, size, Number.POSITIVE_INFINITY);
    if (pfn !== NO_PFN) live.push({ pfn, size });
    check(live, pfn, size);
  }
}

describe.each(IOMMU_RELEASES.map(({ name }) => name))('the IOVA allocator of %s', (release) => {
  test.each([false, true])('hands nothing out twice (lazy: %s)', (lazy) => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        play(domainOf({ release, lazy }), steps, (live) => {
          const pfns = live.flatMap(pfnsOf);
          expect(new Set(pfns).size).toBe(pfns.length);
        });
      }),
      { numRuns: 20 },
    );
  });

  test('keeps to what the device reaches, and aligns', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        play(domainOf({ release }), steps, (_, pfn, size) => {
          if (pfn === NO_PFN) return;
          expect(pfn % roundUpPowerOfTwo(size)).toBe(0);
          expect(pfn + size - 1).toBeLessThanOrEqual(LAST);
          if (findIommuRelease(release)?.iova.secondPass === 'wraps') return;
          expect(pfn).toBeGreaterThanOrEqual(START);
        });
      }),
      { numRuns: 20 },
    );
  });
});

describe('the IOVA allocator', () => {
  test('fails only where no aligned hole is left', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 100, maxLength: 400 }), (steps) => {
        play(domainOf(), steps, (live, pfn, size) => {
          if (pfn !== NO_PFN) return;
          const taken = new Set(live.flatMap(pfnsOf));
          const align = roundUpPowerOfTwo(size);
          for (let at = align; at + size - 1 <= LAST; at += align) {
            const pfns = pfnsOf({ pfn: at, size });
            expect(at < START || pfns.some((n) => taken.has(n))).toBe(true);
          }
        });
      }),
      { numRuns: 60 },
    );
  });

  test('never hands out what is reserved', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat({ max: LAST }), fc.nat({ max: 40 })), { maxLength: 8 }),
        fc.array(step, { maxLength: 100 }),
        (reserved, steps) => {
          const domain = domainOf();
          for (const [first, more] of reserved) reserveRange(domain.tree, first, first + more);
          play(domain, steps, (live) => {
            for (const pfn of live.flatMap(pfnsOf)) {
              expect(reserved.some(([lo, more]) => pfn >= lo && pfn <= lo + more)).toBe(false);
            }
          });
        },
      ),
    );
  });

  test('keeps at most two magazines per CPU and class, and none of a dead CPU', () => {
    const domain = domainOf();
    const pfns = Array.from({ length: 600 }, () => allocFast(domain, 0, 1, LAST, true));
    for (const pfn of pfns) freeFast(domain, 0, pfn, 1, 0);
    const [{ cpus, depot }] = domain.magazines.classes;
    expect([cpus[0]?.loaded.length, cpus[0]?.prev.length]).toEqual([92, 127]);
    expect(depot.map(({ length }) => length)).toEqual([127, 127, 127]);
    emptyCpu(domain.magazines, 0);
    expect(cpus[0]).toEqual({ loaded: [], prev: [] });
    expect(domain.tree.ranges.size).toBe(3 * 127 + 1);
  });

  test('trims the depot to a magazine per CPU, one every 100 ms', () => {
    const domain = domainOf();
    const pfns = Array.from({ length: 700 }, () => allocFast(domain, 1, 1, LAST, true));
    for (const pfn of pfns) freeFast(domain, 1, pfn, 1, 7);
    expect(nextTimer(domain)).toBe(107);
    const event = { kind: 'depot-work', class: 0, cpu: 1 };
    expect(runTimer(domain)).toEqual({ ...event, time: 107, before: 4, after: 3 });
    expect(runTimer(domain)).toEqual({ ...event, time: 207, before: 3, after: 2 });
    expect(runTimer(domain)).toEqual({ ...event, time: 307, before: 2, after: 2 });
    expect(nextTimer(domain)).toBe(Number.POSITIVE_INFINITY);
  });

  test('does not reuse what a lazy domain has not flushed', () => {
    const domain = domainOf({ lazy: true });
    const first = dmaAllocIova(domain, 0, 4, Number.POSITIVE_INFINITY);
    dmaFreeIova(domain, 0, first, 4, 3);
    expect(dmaAllocIova(domain, 0, 4, Number.POSITIVE_INFINITY)).not.toBe(first);
    expect(nextTimer(domain)).toBe(13);
    runTimer(domain);
    expect(dmaAllocIova(domain, 0, 4, Number.POSITIVE_INFINITY)).toBe(first);
  });

  test('gives up on addresses below 4 GiB after one failure, from v6.4 on', () => {
    const above = (release: string): boolean => {
      const domain = domainOf({ release });
      domain.setup.apertureEnd = Number.POSITIVE_INFINITY;
      const all = 2 ** 20 - START;
      allocFast(domain, 0, 33, 40, true);
      const huge = dmaAllocIova(domain, 0, all, Number.POSITIVE_INFINITY);
      expect(huge).toBeGreaterThanOrEqual(2 ** 20);
      return dmaAllocIova(domain, 0, 1, Number.POSITIVE_INFINITY) >= 2 ** 20;
    };
    expect(above('v6.3')).toBe(false);
    expect(above('v6.4')).toBe(true);
  });

  test('hands out pfns below its first where a second pass wraps, from v5.11 to v6.1', () => {
    const lowest = (release: string): number => {
      const domain = domainOf({ release });
      // The cached position is the anchor, and no hole is left from the first pfn on.
      reserveRange(domain.tree, START, START + 3);
      return allocFast(domain, 0, 4, START + 3, true);
    };
    expect(lowest('v5.10')).toBe(NO_PFN);
    expect(lowest('v5.15')).toBe(START - 4);
    expect(lowest('v6.1')).toBe(START - 4);
    expect(lowest('v6.2')).toBe(NO_PFN);
  });

  test('takes anything cached where the limit is below the size', () => {
    const domain = domainOf();
    const pfn = allocFast(domain, 0, 4, LAST, true);
    freeFast(domain, 0, pfn, 4, 0);
    expect(allocFast(domain, 0, 4, pfn - 1, true)).not.toBe(pfn);
    const other = allocFast(domain, 0, 4, 1, false);
    expect(other).toBe(pfn);
  });

  test('flushes a lazy domain by itself when 255 ranges wait on a CPU', () => {
    const domain = domainOf({ lazy: true });
    domain.setup.apertureEnd = Number.POSITIVE_INFINITY;
    for (let n = 0; n < 255; n++) {
      dmaFreeIova(domain, 0, dmaAllocIova(domain, 0, 1, Number.POSITIVE_INFINITY), 1, 0);
    }
    expect(domain.queue.started).toBe(0);
    dmaFreeIova(domain, 0, dmaAllocIova(domain, 0, 1, Number.POSITIVE_INFINITY), 1, 0);
    expect(domain.queue.started).toBe(1);
    expect(domain.queue.rings[0]?.length).toBe(1);
  });

  test('takes a million ranges', () => {
    const domain = domainOf();
    domain.setup.apertureEnd = Number.POSITIVE_INFINITY;
    const pfns: number[] = [];
    for (let n = 0; n < 1_000_000; n++) {
      pfns.push(dmaAllocIova(domain, 0, 1 + (n % 48), Number.POSITIVE_INFINITY));
    }
    expect(new Set(pfns).size).toBe(1_000_000);
    pfns.forEach((pfn, n) => {
      dmaFreeIova(domain, 0, pfn, 1 + (n % 48), 0);
    });
    const cached = domain.magazines.classes.flatMap(({ cpus, depot }) => [
      ...depot,
      ...cpus.flatMap((own) => [own?.loaded ?? [], own?.prev ?? []]),
    ]);
    const held = cached.reduce((sum, { length }) => sum + length, 0);
    expect(domain.tree.ranges.size).toBe(held + 1);
  });
});
