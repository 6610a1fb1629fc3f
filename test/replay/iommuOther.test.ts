import { describe, expect, test } from 'vitest';
import {
  type MappingUsage,
  watchDmaUsage,
  watchIovaUsage,
} from '../../src/analysis/iommu/usage.js';
import type { DmaIommuTrace, DmaRow, IovaRow, IovaTrace } from '../../src/events/iommu.js';
import { hexAddress } from '../../src/events/numbers.js';
import { nextTimer, runTimer } from '../../src/iommu/iovaDomain.js';
import { emptyAll } from '../../src/iommu/magazines.js';
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
): { usage: MappingUsage[]; warnings: number; slots: number } {
  const session = createDmaSession(trace, release);
  const usage = watchDmaUsage(session);
  let warnings = 0;
  session.observers.push({
    onRow: ({ row, player: { system } }) => {
      if (row.op.startsWith('unmap')) warnings += system.effects.warnings;
    },
  });
  for (const row of trace.rows) session.run(row);
  session.finish();
  return { usage, warnings, slots: session.player.system.allocator.used };
}

interface Emptied {
  usage: MappingUsage[];
  /** Ranges in each tree once nothing is queued or cached. */
  ranges: number[];
}

function replayIovaIn(trace: Whole<IovaTrace, IovaRow>, release: IommuRelease): Emptied {
  const session = createIovaSession(trace, release);
  const usage = watchIovaUsage(session);
  for (const row of trace.rows) session.run(row);
  const ranges = session.domains.map((domain) => {
    while (nextTimer(domain) < Number.POSITIVE_INFINITY) runTimer(domain);
    emptyAll(domain.magazines);
    return domain.tree.ranges.size - 1;
  });
  return { usage, ranges };
}

describe('a trace in another release than its own', () => {
  test.each(filesOf('dma-iommu'))('ends what it maps: $name', ({ path }) => {
    const trace = readDmaIommuTrace(linesOf(path));
    const own = replayDmaIn(trace, releaseOf(trace.kernel.version));
    for (const name of ['v5.14', 'v5.16', 'v6.12']) {
      const other = replayDmaIn(trace, releaseOf(name));
      // An unmap of what is not mapped is warned of.
      expect({ name, warnings: other.warnings }).toEqual({ name, warnings: 0 });
      // Where the other fails to map, there is less to end.
      const failed = other.usage.some(({ failed: n }, device) => n > own.usage[device].failed);
      if (failed) continue;
      expect({ name, live: endedLive(other.usage) }).toEqual({ name, live: endedLive(own.usage) });
      const hasLeft = other.usage.some(({ live }) => live > 0);
      if (!hasLeft) expect({ name, slots: other.slots }).toEqual({ name, slots: 0 });
    }
  });

  test.each(filesOf('iova'))('frees what it allocates: $name', ({ path }) => {
    const trace = readIovaTrace(linesOf(path));
    const own = replayIovaIn(trace, releaseOf(trace.kernel.version));
    for (const name of ['v5.14', 'v6.12']) {
      const { usage, ranges } = replayIovaIn(trace, releaseOf(name));
      usage.forEach(({ made, live, neverEnded }, domain) => {
        const before = own.usage[domain];
        expect(live - neverEnded).toBeLessThanOrEqual(before.live);
        if (made !== before.made || neverEnded > 0) return;
        expect({ name, ranges: ranges[domain] }).toEqual({ name, ranges: own.ranges[domain] });
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
