import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DMA_CHECKS } from '../../../src/check/dma/checks.js';
import type { Finding } from '../../../src/check/finding.js';
import { sizeWords } from '../../../src/check/words.js';
import { isBounced } from '../../../src/dma/bounce.js';
import { Origin, type Piece, read } from '../../../src/dma/memory.js';
import type { DmaRow } from '../../../src/events/iommu.js';
import { physOf, Right, runAt, runsOf } from '../../../src/iommu/pageTable.js';
import { findIommuRelease } from '../../../src/kernel/iommuSelect.js';
import { createDmaSession, type DmaSession } from '../../../src/replay/dmaIommu/session.js';
import { headerOf, traceOf } from '../../support/dmaChecks.js';
import { endOf, rowOf, type Step, step } from './workload.js';

const WORKLOAD = fc.array(step, { minLength: 40, maxLength: 160, size: 'max' });

/** A small pool, so that slots are used over and over. */
const HEADER = headerOf({ nslabs: 128 });

/** Replays a workload to its end, with a look at the machine before and after each row. */
function play(
  name: string,
  steps: readonly Step[],
  look: (session: DmaSession, row: DmaRow) => (told: Finding[]) => void,
): Finding[] {
  const release = findIommuRelease(name);
  if (release === undefined) throw new Error(name);
  const session = createDmaSession(traceOf([], HEADER), release);
  const found: Finding[] = [];
  for (const check of DMA_CHECKS) {
    session.observers.push(check(session, (finding) => found.push(finding)));
  }
  const rowAt = (n: number): ReturnType<typeof rowOf> =>
    n < steps.length ? rowOf(session, steps[n], n) : endOf(session, n);
  for (let n = 0; n < steps.length || session.player.live.size > 0; n++) {
    const row = rowAt(n);
    if (row === undefined) continue;
    const after = look(session, row);
    const told = found.length;
    session.run(row);
    after(found.slice(told));
  }
  session.finish();
  return found;
}

describe.each(['v6.10', 'v6.16', 'v7.2'])('a driver without mistakes in %s', (release) => {
  test('gives no finding but notes, and that the pool is full', () => {
    fc.assert(
      fc.property(WORKLOAD, (steps) => {
        const found = play(release, steps, () => () => undefined);
        const wrong = found.filter(({ level, rule }) => level !== 'note' && rule !== 'pool-full');
        expect(wrong).toEqual([]);
        expect(found.filter(({ rule }) => rule === 'leak')).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });
});

/** Granules mapped for each device, one by one. */
function granulesOf({ player }: DmaSession): Set<number>[] {
  return player.devices.map(({ table }) => {
    const pfns = new Set<number>();
    for (const { lo, hi } of runsOf(table)) for (let pfn = lo; pfn <= hi; pfn++) pfns.add(pfn);
    return pfns;
  });
}

/** Bytes of granules that lead into the pool, may be read, and are neither zero nor of the device's buffers. */
function leakedIn({ player }: DmaSession, device: number, pfns: Iterable<number>): number {
  const { table } = player.devices[device];
  const own = [...player.live.values()]
    .filter((mapping) => mapping.device === device)
    .flatMap(({ owned }) => owned);
  let bytes = 0;
  for (const pfn of pfns) {
    const phys = physOf(table, pfn, 0);
    if (!isBounced(player.devices[device], phys)) continue;
    if (((runAt(table, pfn)?.rights ?? 0) & Right.read) === 0) continue;
    for (const { origin, start, length } of read(player.system.memory, phys, 4096)) {
      if (origin === Origin.zeroed) continue;
      for (let at = start; at < start + length; at++) {
        if (!own.some((range) => at >= range.start && at < range.start + range.length)) bytes++;
      }
    }
  }
  return bytes;
}

/** Bytes by where they come from, whoever copied them. */
function contentOf(pieces: readonly Piece[]): string {
  const joined: { origin: number; at: number; length: number }[] = [];
  for (const { origin, at, length } of pieces) {
    const last = joined.at(-1);
    const continues =
      last?.origin === origin && (origin === Origin.zeroed || last.at + last.length === at);
    if (last !== undefined && continues) last.length += length;
    else joined.push({ origin, at, length });
  }
  return JSON.stringify(joined);
}

const OLD = ['v5.13', 'v5.14', 'v5.14+s1', 'v5.14+s1-5', 'v5.15', 'v5.16', 'v6.2', 'v6.8', 'v7.2'];

describe.each(OLD)('against a look at everything, in %s', (release) => {
  test('granules that stay mapped are told, and what is reached through them', () => {
    fc.assert(
      fc.property(WORKLOAD, (steps) => {
        const made = new Map<number, Set<number>>();
        const stale = [0, 1, 2].map(() => new Set<number>());
        play(release, steps, (session, row) => {
          const before = granulesOf(session);
          return (told) => {
            const now = granulesOf(session)[row.device];
            const added = [...now].filter((pfn) => !before[row.device].has(pfn));
            const isMapped = session.player.live.has(row.id);
            let isStale = false;
            if (/^(map|alloc)/.test(row.op)) {
              if (isMapped) made.set(row.id, new Set(added));
              else for (const pfn of added) stale[row.device].add(pfn);
              isStale = !isMapped && added.length > 0;
            } else if (/^(unmap|free)/.test(row.op)) {
              const left = [...(made.get(row.id) ?? [])].filter((pfn) => now.has(pfn));
              for (const pfn of left) stale[row.device].add(pfn);
              isStale = left.length > 0;
            }
            const rules = told.map(({ rule }) => rule);
            expect(rules.includes('stale-mapping')).toBe(isStale);
            const isHit = session.player.system.effects.collisions.length > 0;
            expect(rules.includes('iova-collision')).toBe(isHit);
            for (const { rule, related } of told) {
              // Nothing but what stayed mapped is ever in the way.
              if (rule === 'iova-collision') expect(related.length).toBeGreaterThan(0);
            }
          };
        });
      }),
      { numRuns: 25 },
    );
  });

  test('what a map lets a device read is told, to the byte', () => {
    fc.assert(
      fc.property(WORKLOAD, (steps) => {
        play(release, steps, (session, row) => {
          const before = granulesOf(session);
          return (told) => {
            if (!/^map/.test(row.op) || !session.player.live.has(row.id)) return;
            if (!session.player.devices[row.device].untrusted) return;
            const now = granulesOf(session)[row.device];
            const added = [...now].filter((pfn) => !before[row.device].has(pfn));
            const bytes = leakedIn(session, row.device, added);
            const { name } = session.player.devices[row.device];
            const leaks = told.filter(
              ({ rule, device, message }) =>
                rule === 'padding-leak' && device === name && message.includes('lets the device'),
            );
            expect(
              leaks.map(({ message }) => message.includes(` read ${sizeWords(bytes)} `)),
            ).toEqual(bytes > 0 ? [true] : []);
          };
        });
      }),
      { numRuns: 25 },
    );
  });

  test('a sync is told as lost where it changes nothing, and not where it does', () => {
    fc.assert(
      fc.property(WORKLOAD, (steps) => {
        const buffers = new Map<number, number>();
        play(release, steps, (session, row) => {
          const { player } = session;
          const { memory } = player.system;
          if (row.op === 'map_page') buffers.set(row.id, row.phys[0].phys);
          if (row.op !== 'sync_single_cpu' || row.dir === 1) return () => undefined;
          const original = (): string => {
            const size = player.live.get(row.id)?.size ?? 0;
            return contentOf(read(memory, buffers.get(row.id) ?? 0, size));
          };
          const before = original();
          return (told) => {
            const mapping = player.live.get(row.id);
            const [range] = mapping?.owned ?? [];
            if (range === undefined || !isBounced(player.devices[row.device], range.start)) return;
            const isLost = told.some(({ rule }) => rule === 'lost-sync');
            if (isLost) expect(original()).toBe(before);
            if (isLost || mapping?.address === undefined) return;
            const into =
              (row.dma[0].page - mapping.address.pfn) * 4096 +
              row.dma[0].low -
              mapping.address.offset;
            const from = buffers.get(row.id) ?? 0;
            expect(contentOf(read(memory, from + into, row.size))).toBe(
              contentOf(read(memory, range.start + into, row.size)),
            );
          };
        });
      }),
      { numRuns: 25 },
    );
  });

  test('an unmap is told as double where it copies more than it holds', () => {
    fc.assert(
      fc.property(WORKLOAD, (steps) => {
        play(release, steps, (session, row) => {
          const { player } = session;
          const owned = new Map([...player.live].map(([id, mapping]) => [id, mapping.owned]));
          return (told) => {
            if (!/^unmap/.test(row.op)) return;
            const bounced = (owned.get(row.id) ?? [])
              .filter(({ start }) => isBounced(player.devices[row.device], start))
              .reduce((sum, { length }) => sum + length, 0);
            const isDouble = player.system.effects.bytesOut > bounced;
            expect(told.some(({ rule }) => rule === 'double-copy')).toBe(isDouble);
          };
        });
      }),
      { numRuns: 25 },
    );
  });
});
