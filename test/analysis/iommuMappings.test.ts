import { describe, expect, test } from 'vitest';
import { findsFault } from '../../src/analysis/iommuFacts.js';
import { createIommuHistory } from '../../src/analysis/iommuHistory.js';
import { watchIommu } from '../../src/analysis/iommuMappings.js';
import type { IommuRecord } from '../../src/events/iommuRecords.js';

type Step = IommuRecord extends infer R
  ? R extends unknown
    ? Omit<R, 'line' | 'time' | 'task'> & { task?: number }
    : never
  : never;

const pages = (first: number, count = 1) => ({ first, last: first + count - 1 });
const map = (first: number, count = 1, phys = 0x10000): Step => ({
  kind: 'map',
  pages: pages(first, count),
  phys,
});
const unmap = (first: number, count = 1, unmapped = count): Step => ({
  kind: 'unmap',
  pages: pages(first, count),
  unmapped,
});
const tell = (
  kind: 'mapping' | 'mapped' | 'unmapping' | 'unmapped',
  device: string,
  first: number,
  count = 1,
): Step => ({ kind, device, pages: pages(first, count) });
const fault = (device: string, page: number): Step => ({
  kind: 'fault',
  device,
  driver: 'drv',
  address: { page, low: 0x10 },
  flags: 0,
});
const by = (task: number, step: Step): Step => ({ ...step, task });

/** A device's map, as the probes around it tell. */
const mapFor = (device: string, first: number, count = 1): Step[] => [
  tell('mapping', device, first, count),
  map(first, count),
];

/** What is seen of steps: one line each, one millisecond each, in one task unless they say otherwise. */
function watch(...steps: Step[]) {
  const watched = watchIommu();
  steps.forEach(({ task = 7, ...step }, n) => {
    watched.see({ ...step, line: n + 1, time: (n + 1) / 1000, task } as IommuRecord);
  });
  const facts = watched.facts();
  if (facts === undefined) throw new Error('nothing was seen');
  return facts;
}

const causes = (...steps: Step[]) =>
  watch(...steps).faults.first.map(({ cause, isCertain }) => ({ ...cause, isCertain }));

describe('page tables', () => {
  test('are followed in what is mapped', () => {
    const facts = watch(map(16, 4), map(32, 8), unmap(16, 4), map(64, 2));
    expect(facts).toMatchObject({
      maps: 3,
      unmaps: 1,
      mapped: { peak: 12 * 4096, peakLine: 2, atEnd: 10 * 4096, mappingsAtEnd: 2 },
      granule: 2 * 4096,
      unseenUnmaps: 0,
    });
    expect(findsFault(facts)).toBe(false);
  });

  test('may be unmapped in parts, and in one go', () => {
    expect(watch(map(16, 8), unmap(18, 2)).mapped).toMatchObject({
      mappingsAtEnd: 2,
      atEnd: 6 * 4096,
    });
    expect(watch(map(16, 2), map(18, 4), unmap(16, 6)).mapped).toMatchObject({
      mappingsAtEnd: 0,
      atEnd: 0,
    });
  });

  test('of which nothing is said are none', () => {
    const watched = watchIommu();
    watched.see({ kind: 'attach', device: 'nic', line: 1, time: 0, task: 0 });
    expect(watched.facts()).toBeUndefined();
  });

  test('were in use before the trace', () => {
    const facts = watch(unmap(5));
    expect([facts.unseenUnmaps, facts.mapped.atEnd, findsFault(facts)]).toEqual([1, 0, false]);
  });

  test('have no end of their addresses', () => {
    const top = 2 ** 52 - 1;
    expect(watch(map(0, 2 ** 51), map(top), unmap(top)).mapped.mappingsAtEnd).toBe(1);
  });
});

describe('an unmap that found less than it was to unmap', () => {
  test('is an error, and unmaps as far as it came', () => {
    const facts = watch(map(16, 4), unmap(16, 4, 3));
    expect(facts.shortUnmaps).toEqual({
      count: 1,
      first: [{ line: 2, pages: pages(16, 4), size: 16384, unmappedSize: 12288 }],
    });
    expect([facts.mapped.atEnd, findsFault(facts)]).toEqual([4096, true]);
  });
});

describe('a map of what is mapped', () => {
  test('of one device is an error', () => {
    const facts = watch(...mapFor('nic', 16, 4), ...mapFor('nic', 18));
    expect(facts.collisions.first).toEqual([
      { line: 4, device: 'nic', pages: pages(18), mappedLine: 2 },
    ]);
    expect(findsFault(facts)).toBe(true);
  });

  test('of two devices is none', () => {
    const facts = watch(...mapFor('nic', 16), ...mapFor('gpu', 16));
    expect([facts.collisions.count, facts.ambiguous]).toEqual([0, { maps: 0, unmaps: 0 }]);
  });

  test('of devices that are not known is not claimed', () => {
    const facts = watch(map(16), map(16), ...mapFor('nic', 16));
    expect([facts.collisions.count, facts.ambiguous.maps]).toEqual([0, 2]);
    expect(facts.mapped.mappingsAtEnd).toBe(3);
  });

  test('is none where the device got another page table', () => {
    const facts = watch(
      ...mapFor('nic', 16),
      { kind: 'attach', device: 'nic' },
      ...mapFor('nic', 16),
    );
    expect([facts.collisions.count, facts.mapped.mappingsAtEnd]).toEqual([0, 2]);
  });

  test('is not claimed where an unmap may have been the device’s', () => {
    const both = [...mapFor('nic', 16), ...mapFor('gpu', 16)];
    const facts = watch(...both, unmap(16), ...mapFor('gpu', 16), ...mapFor('nic', 16));
    expect([facts.collisions.count, facts.ambiguous]).toEqual([0, { maps: 1, unmaps: 1 }]);
    const waiting = watch(...both, by(8, unmap(16)), ...mapFor('gpu', 16));
    expect([waiting.collisions.count, waiting.ambiguous.maps]).toEqual([0, 1]);
  });
});

describe('whose a record is', () => {
  const nics = (facts: ReturnType<typeof watch>) =>
    facts.devices.map(({ device, mappedAtEnd }) => [device, mappedAtEnd / 4096]);
  const both = [...mapFor('nic', 16), ...mapFor('gpu', 16)];

  test('is told by a record before it', () => {
    const facts = watch(...both, tell('unmapping', 'nic', 16), unmap(16));
    expect(nics(facts)).toEqual([
      ['nic', 0],
      ['gpu', 1],
    ]);
    expect(facts.ambiguous.unmaps).toBe(0);
  });

  test('is told by a record behind it', () => {
    const facts = watch(
      map(16),
      tell('mapped', 'nic', 16),
      map(16),
      tell('mapped', 'gpu', 16),
      unmap(16),
      tell('unmapped', 'gpu', 16),
    );
    expect(nics(facts)).toEqual([
      ['nic', 1],
      ['gpu', 0],
    ]);
    expect(facts).toMatchObject({ labelled: 2, ambiguous: { unmaps: 0 } });
  });

  test('is not told by records of another task, or of other pages', () => {
    expect(watch(by(1, map(16)), by(2, tell('mapped', 'nic', 16))).labelled).toBe(0);
    expect(watch(by(1, tell('mapping', 'nic', 16)), by(2, map(16))).labelled).toBe(0);
    expect(watch(tell('mapping', 'nic', 17), map(16)).labelled).toBe(0);
  });

  test('follows from who had all of it mapped', () => {
    const facts = watch(...mapFor('nic', 16, 4), ...mapFor('gpu', 16), unmap(16, 4));
    expect(nics(facts)).toEqual([
      ['nic', 0],
      ['gpu', 1],
    ]);
    expect(facts.ambiguous.unmaps).toBe(0);
  });

  test('follows from the bounce buffer that is released behind it', () => {
    const bounce = (device: string, slot: number): Step[] => [
      { kind: 'bounce', device, slot, size: 100 },
      map(16, 1, Math.floor(slot / 4096) * 4096),
    ];
    const facts = watch(...bounce('nic', 0x80001800), ...bounce('gpu', 0x80003000), unmap(16), {
      kind: 'release',
      device: 'nic',
      slot: 0x80001800,
    });
    expect(nics(facts)).toEqual([
      ['nic', 0],
      ['gpu', 1],
    ]);
    expect(facts.bounced).toEqual({ maps: 2, bytes: 200, mapped: 8192 });
  });

  test('is not claimed where two can be meant', () => {
    expect(watch(...both, unmap(16), map(99)).ambiguous.unmaps).toBe(1);
    expect(watch(map(16), map(16), unmap(16)).ambiguous.unmaps).toBe(1);
  });
});

describe('a fault', () => {
  const nic = mapFor('nic', 16, 4);
  const release = [tell('unmapping', 'nic', 16), unmap(16, 4)];

  test('behind an unmap is use after unmap', () => {
    const [{ seconds, ...cause }] = causes(...nic, ...release, fault('nic', 17)) as {
      seconds: number;
    }[];
    expect(cause).toEqual({ was: 'unmapped', mapLine: 2, unmapLine: 4, isCertain: true });
    expect(seconds).toBeCloseTo(0.001);
  });

  test('on what is mapped is of another kind', () => {
    expect(causes(...nic, fault('nic', 19))).toEqual([
      { was: 'mapped', mapLine: 2, isCertain: true },
    ]);
    expect(causes(...nic, ...release, ...mapFor('nic', 16), fault('nic', 16))).toMatchObject([
      { was: 'mapped', mapLine: 6 },
    ]);
  });

  test('on what was never mapped is told so, other devices’ mappings or not', () => {
    expect(causes(...nic, fault('nic', 20), fault('gpu', 16))).toEqual([
      { was: 'never mapped', isCertain: false },
      { was: 'never mapped', isCertain: false },
    ]);
  });

  test('is not certain where mappings of unknown devices may be meant', () => {
    expect(causes(map(16), unmap(16), fault('nic', 16))).toMatchObject([
      { was: 'unmapped', isCertain: false },
    ]);
    expect(causes(map(16), fault('nic', 16))).toMatchObject([{ was: 'mapped', isCertain: false }]);
    expect(causes(...nic, ...release, map(16), fault('nic', 16))).toMatchObject([
      { was: 'unmapped', isCertain: false },
    ]);
  });
});

describe('memory', () => {
  test('of what was unmapped is bounded: the oldest is forgotten', () => {
    const history = createIommuHistory(2);
    const past = (unmapLine: number) => ({
      device: '',
      mapLine: 0,
      unmapLine,
      unmapTime: 0,
      isCertain: true,
    });
    for (const n of [1, 2, 3]) history.add(pages(n), past(n));
    const found = [1, 2, 3].map((page) => history.lastOf(page, () => true)?.unmapLine);
    expect(found).toEqual([undefined, 2, 3]);
  });

  test('of equal pages is bounded: what is dropped is counted', () => {
    const facts = watch(...Array.from({ length: 66 }, () => map(16)));
    expect([facts.dropped, facts.mapped.mappingsAtEnd, facts.mapped.atEnd]).toEqual([
      2,
      64,
      66 * 4096,
    ]);
  });
});
