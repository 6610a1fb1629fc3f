import type { DmaRow, IovaRow } from '../../events/iommu.js';
import { lastPfnFor } from '../../iommu/iovaDomain.js';
import type { DmaSession } from '../../replay/dmaIommu/session.js';
import type { IovaSession } from '../../replay/iova/session.js';

/** What became of the mappings of one device, or of the allocations of one IOVA domain. */
export interface MappingUsage {
  made: number;
  failed: number;
  /** Still there at the end. */
  live: number;
  /** Made although the trace records a failure, so that nothing in it ends them. */
  neverEnded: number;
  /** Bytes that those were made for. */
  bytes: number;
  /** Bytes that were mapped besides, as an IOMMU maps whole granules. */
  beyondNeed: number;
  /** Highest pfn that was allowed to any of them. */
  lastAllowed: number;
}

/** What a replay copied, maintained and warned of. */
export interface EffectTotals {
  copiesIn: number;
  bytesIn: number;
  copiesOut: number;
  bytesOut: number;
  /** Ranges of cache maintenance each way, and the bytes of all. */
  cacheForDevice: number;
  cacheForCpu: number;
  cacheBytes: number;
  warnings: number;
  /** Zero-fills and copies that would have gone astray. */
  stray: number;
  /** Bounce slots in use, at most. */
  slotsPeak: number;
}

function noUsage(): MappingUsage {
  return { made: 0, failed: 0, live: 0, neverEnded: 0, bytes: 0, beyondNeed: 0, lastAllowed: 0 };
}

const ALLOCATES: ReadonlySet<IovaRow['op']> = new Set(['alloc', 'alloc_fast', 'dma_alloc']);
const FREES: ReadonlySet<IovaRow['op']> = new Set(['free', 'free_fast', 'dma_free']);

/** Watches what an IOVA trace allocates; one result per domain. */
export function watchIovaUsage(session: IovaSession): MappingUsage[] {
  const usage = session.domains.map(noUsage);
  session.observers.push({
    onRow({ row, domain, pfn }) {
      // Some traces tell of a domain only when it is used.
      usage[row.domain] ??= noUsage();
      const own = usage[row.domain];
      if (FREES.has(row.op) && pfn >= 0) own.live--;
      if (!ALLOCATES.has(row.op)) return;
      const isDma = row.op === 'dma_alloc';
      const allowed = isDma ? lastPfnFor(domain, row.limit) : row.limit;
      own.lastAllowed = Math.max(own.lastAllowed, Math.min(allowed, domain.tree.lastPfn));
      if (pfn < 0) {
        own.failed++;
        return;
      }
      own.made++;
      own.live++;
      if (row.failed) own.neverEnded++;
      own.bytes += isDma ? row.size : row.size * domain.setup.granule;
    },
  });
  return usage;
}

/** Bytes that a row asked to have mapped. */
function bytesOf({ op, size, phys }: DmaRow): number {
  if (op === 'map_sg') return phys.reduce((sum, { length }) => sum + length, 0);
  // The range alone: what is mapped there comes with its links.
  return op === 'iova_alloc' ? 0 : size;
}

/** Watches what a dma-iommu trace maps; one result per device, `live` filled at the end. */
export function watchDmaUsage(session: DmaSession): MappingUsage[] {
  const { devices, live } = session.player;
  const usage = devices.map((device) => ({
    ...noUsage(),
    lastAllowed: lastPfnFor(device.domain, device.dmaMask),
  }));

  session.observers.push({
    onRow({ row, call, played, added }) {
      const own = usage[row.device];
      if (played.failed) {
        own.failed++;
        return;
      }
      const makes = call.endedBy !== undefined;
      if (makes) {
        own.made++;
        if (row.failed) own.neverEnded++;
      } else if (row.op !== 'iova_link' || played.result !== '0') return;
      const bytes = bytesOf(row);
      own.bytes += bytes;
      own.beyondNeed += added * devices[row.device].table.granule - bytes;
    },
    atEnd() {
      for (const mapping of live.values()) usage[mapping.device].live++;
    },
  });
  return usage;
}

/** Adds up what the rows of a dma-iommu trace did besides their results. */
export function watchEffects({ player: { system }, observers }: DmaSession): EffectTotals {
  const totals: EffectTotals = {
    copiesIn: 0,
    bytesIn: 0,
    copiesOut: 0,
    bytesOut: 0,
    cacheForDevice: 0,
    cacheForCpu: 0,
    cacheBytes: 0,
    warnings: 0,
    stray: 0,
    slotsPeak: 0,
  };
  observers.push({
    onRow() {
      const { effects, allocator } = system;
      totals.copiesIn += effects.copiesIn;
      totals.bytesIn += effects.bytesIn;
      totals.copiesOut += effects.copiesOut;
      totals.bytesOut += effects.bytesOut;
      totals.warnings += effects.warnings;
      totals.stray += effects.strayFills + effects.strayCopies;
      totals.slotsPeak = Math.max(totals.slotsPeak, allocator.used);
      for (const { for: who, length } of effects.cacheSyncs) {
        if (who === 'device') totals.cacheForDevice++;
        else totals.cacheForCpu++;
        totals.cacheBytes += length;
      }
    },
  });
  return totals;
}
