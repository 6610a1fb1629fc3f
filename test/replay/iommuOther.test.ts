import { describe, expect, test } from 'vitest';
import {
  type MappingUsage,
  watchDmaUsage,
  watchIovaUsage,
} from '../../src/analysis/iommu/usage.js';
import type { DmaIommuTrace, DmaRow, IovaRow, IovaTrace } from '../../src/events/iommu.js';
import { hexAddress } from '../../src/events/numbers.js';
import type { IommuRelease } from '../../src/kernel/iommuRelease.js';
import {
  distinctIommuReleases,
  findIommuRelease,
  nearestIommuReleases,
} from '../../src/kernel/iommuSelect.js';
import { createDmaSession } from '../../src/replay/dmaIommu/session.js';
import { createIovaSession } from '../../src/replay/iova/session.js';
import {
  filesOf,
  linesOf,
  readDmaIommuTrace,
  readIovaTrace,
  type Whole,
} from '../support/iommuVectors.js';

function releaseOf(name: string): IommuRelease {
  const release = findIommuRelease(name);
  if (release === undefined) throw new Error(`no release ${name}`);
  return release;
}

/** Mappings at the end that the trace knows how to end, by device; undefined where a search never ends. */
function endedLive(usage: readonly MappingUsage[]): number[] {
  return usage.map(({ live, neverEnded }) => live - neverEnded);
}

function replayDmaIn(
  trace: Whole<DmaIommuTrace, DmaRow>,
  release: IommuRelease,
): { usage: MappingUsage[]; warnings: number; slots: number } | undefined {
  const session = createDmaSession(trace, release);
  const usage = watchDmaUsage(session);
  let warnings = 0;
  session.observers.push({
    onRow: ({ row, player: { system } }) => {
      if (row.op.startsWith('unmap')) warnings += system.effects.warnings;
    },
  });
  for (const row of trace.rows) if (!session.run(row)) return undefined;
  session.finish();
  return { usage, warnings, slots: session.player.system.allocator.used };
}

function replayIovaIn(trace: Whole<IovaTrace, IovaRow>, release: IommuRelease): MappingUsage[] {
  const session = createIovaSession(trace, release);
  const usage = watchIovaUsage(session);
  for (const row of trace.rows) session.run(row);
  return usage;
}

describe('a trace in another release than its own', () => {
  test.each(filesOf('dma-iommu'))('ends what it maps: $name', ({ path }) => {
    const trace = readDmaIommuTrace(linesOf(path));
    const own = replayDmaIn(trace, releaseOf(trace.kernel.version));
    if (own === undefined) return;
    // v5.10 bounces nothing; v6.12 puts nearly everything elsewhere than the releases before it.
    for (const name of ['v5.16', 'v6.12']) {
      const other = replayDmaIn(trace, releaseOf(name));
      if (other === undefined) continue;
      // Where the other fails to map, there is less to end.
      const failed = other.usage.some(({ failed: n }, device) => n > own.usage[device].failed);
      if (failed) continue;
      expect({ name, live: endedLive(other.usage) }).toEqual({ name, live: endedLive(own.usage) });
      const hasLeft = other.usage.some(({ live }) => live > 0);
      if (!hasLeft) expect({ name, slots: other.slots }).toEqual({ name, slots: 0 });
      expect({ name, warnings: other.warnings }).toEqual({ name, warnings: 0 });
    }
  });

  test.each(filesOf('iova'))('frees what it allocates: $name', ({ path }) => {
    const trace = readIovaTrace(linesOf(path));
    const own = replayIovaIn(trace, releaseOf(trace.kernel.version));
    for (const name of ['v5.10', 'v5.14', 'v6.12']) {
      const other = replayIovaIn(trace, releaseOf(name));
      other.forEach(({ made, live, neverEnded }, domain) => {
        const { made: ownMade, live: ownLive } = own[domain];
        // Every allocation that only one of the two makes is never freed, or not there to be freed.
        expect(live - neverEnded).toBeLessThanOrEqual(ownLive);
        if (made === ownMade && neverEnded === 0) expect(live).toBe(ownLive);
      });
    }
  });
});

describe('the releases that replay IOMMU traces', () => {
  test('are each there once for a kind of trace', () => {
    for (const bounces of [false, true]) {
      const names = distinctIommuReleases(bounces).flatMap((one) => one.names);
      expect(new Set(names).size).toBe(names.length);
      expect(names).toContain('v5.14+s1-4');
    }
    const alike = distinctIommuReleases(false).find(({ names }) => names.includes('v6.8'));
    expect(alike?.names).toContain('v7.2');
    const apart = distinctIommuReleases(true).find(({ names }) => names.includes('v6.8'));
    expect(apart?.names).not.toContain('v6.9');
  });

  test.each([
    ['v4.19', 'v5.10'],
    ['v5.14+', 'v5.14+s1'],
    ['6.1', 'v6.1'],
    ['v5.14+z1', 'v5.14+s1'],
  ])('are suggested for %s', (name, near) => {
    expect(nearestIommuReleases(name)).toContain(near);
  });
});

test('device addresses are printed exactly, to the last of 64 bits', () => {
  expect(hexAddress(2 ** 52 - 1, 4096, 4095)).toBe('0xffffffffffffffff');
  expect(hexAddress(0xfffff, 4096, 0x123)).toBe('0xfffff123');
});
