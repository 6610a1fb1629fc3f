import type { DeviceAddress } from '../../dma/device.js';
import type { DmaRow } from '../../events/iommu.js';
import { hex } from '../../events/numbers.js';
import {
  createOrder,
  floorOf,
  insert,
  type Linked,
  type Order,
  remove,
} from '../../iommu/order.js';
import { isAnyMapped, type PageTable, runAt, runsIn } from '../../iommu/pageTable.js';
import { createIdMap } from '../../replay/dmaIommu/idMap.js';
import { addressIn, addressWords, type Mapping } from '../../replay/dmaIommu/player.js';
import type { DmaOutcome } from '../../replay/dmaIommu/session.js';
import type { Related } from '../finding.js';
import { rangeWords, sizeWords } from '../words.js';
import type { DmaCheck } from './checks.js';
import { hasLinked, madeBy, partsMade } from './parts.js';
import { callWords, countWords, findingAt, granuleWords } from './words.js';

/** Granules that a mapping has in the page table, by number. */
interface Extent {
  lo: number;
  hi: number;
}

/** Granules that an unmap left mapped. */
interface Stale extends Linked<Stale> {
  /** Lines of the map and of the unmap. */
  mappedIn: number;
  unmappedIn: number;
}

const NONE: readonly never[] = [];

/** Whether any granule of a mapping of one buffer is mapped; none is after an ordinary unmap. */
function isLeft(table: PageTable, { address, granules }: Mapping): boolean {
  if (address === undefined || granules === 0) return false;
  return isAnyMapped(table, address.pfn, address.pfn + granules - 1);
}

/** Members of an order that overlap an extent. */
function overlapping(order: Order<Stale>, { lo, hi }: Extent): readonly Stale[] {
  if (order.size === 0) return NONE;
  const found: Stale[] = [];
  for (let one = floorOf(order, hi); one !== undefined && one.hi >= lo; one = one.prev) {
    found.push(one);
  }
  return found;
}

function relatedTo({ mappedIn: mapped, unmappedIn }: Stale): Related[] {
  return [
    { line: mapped, message: 'mapped here' },
    { line: unmappedIn, message: 'unmapped here, but not all of it' },
  ];
}

/**
 * `stale-mapping` and `iova-collision`: granules that stay in the page table after their unmap, what
 * devices reach through them, and maps that meet them. The page table is all that is looked at: a lazy
 * domain unmaps at once, and what its IOTLB may still hold until the flush is not modelled. A row costs
 * a few searches in the table, whatever is mapped.
 */
export const createStaleMappingCheck: DmaCheck = (session, tell) => {
  const { player, release } = session;
  const { devices, system } = player;
  /** What is stale, per device. */
  const stale = devices.map((): Order<Stale> => createOrder());
  /** Of ids whose granules are not just those of one mapping; of others the mapping tells. */
  const extents = createIdMap<Extent[]>();

  /** What a row mapped, `count` granules in all. */
  function extentsOf({ device, address, segments }: Mapping, count: number): Extent[] {
    const { table, untrusted } = devices[device];
    if (untrusted && release.dma.bounces && address === undefined) {
      return segments.map(({ address: { pfn } }) => ({
        lo: pfn,
        hi: runAt(table, pfn)?.hi ?? pfn,
      }));
    }
    const lo = (address ?? segments[0]?.address)?.pfn;
    return lo === undefined || count === 0 ? [] : [{ lo, hi: lo + count - 1 }];
  }

  /** Where nothing was mapped before, nothing is stale any more. */
  function unstale(device: number, extent: Extent): void {
    const order = stale[device];
    for (const one of overlapping(order, extent)) remove(order, one);
  }

  /** Keeps what a row mapped. */
  function keep({ device, id }: DmaRow, made: Extent[]): void {
    for (const extent of made) unstale(device, extent);
    const kept = extents.get(id);
    if (kept === undefined) extents.set(id, made);
    else kept.push(...made);
  }

  /** The granules of a mapping of one buffer, if it has any. */
  function extentOf({ address, granules }: Mapping): Extent[] {
    return address === undefined || granules === 0
      ? []
      : [{ lo: address.pfn, hi: address.pfn + granules - 1 }];
  }

  /** The same for what a row made; a hot path for one buffer, whose mapping tells what it has. */
  function keepMade({ row, before }: DmaOutcome, made: Mapping): void {
    const { address, granules } = made;
    if (address !== undefined && before === undefined) {
      if (stale[row.device].size === 0 || granules === 0) return;
      unstale(row.device, { lo: address.pfn, hi: address.pfn + granules - 1 });
      return;
    }
    if (before !== undefined && !extents.has(row.id)) extents.set(row.id, extentOf(before));
    keep(row, extentsOf(made, granules));
  }

  /** Keeps what is left of extents that are no longer anybody's, and tells of it. */
  function checkLeft(
    row: DmaRow,
    gone: readonly Extent[],
    line: number,
    why: (at: DeviceAddress) => string,
  ): void {
    const { table } = devices[row.device];
    const { granule } = table;
    let total = 0;
    let count = 0;
    let first: (Extent & { phys: number }) | undefined;
    for (const extent of gone) {
      total += extent.hi - extent.lo + 1;
      for (const left of runsIn(table, extent.lo, extent.hi)) {
        count += left.hi - left.lo + 1;
        first = left;
        const { lo, hi } = left;
        for (const one of overlapping(stale[row.device], left)) remove(stale[row.device], one);
        const lines = { mappedIn: line, unmappedIn: row.line };
        insert(stale[row.device], { lo, hi, prev: undefined, next: undefined, ...lines });
      }
    }
    if (first === undefined) return;
    const { lo, hi, phys } = first;
    const reached = rangeWords(phys, (hi - lo + 1) * granule);
    tell(
      findingAt(session, row, 'stale-mapping', {
        address: { pfn: lo, offset: 0 },
        message:
          `${callWords(row)} leaves ${count} of ${countWords(total, 'granule')} mapped:` +
          ` ${granuleWords(lo, hi, granule)} still leads to ${reached}${why({ pfn: lo, offset: 0 })}`,
        related: line === row.line ? [] : [{ line, message: 'mapped here' }],
      }),
    );
  }

  /** Why an unmap left something, where that is known. */
  function reason({ row, mapping }: DmaOutcome): string {
    if (mapping === undefined) return '';
    if (row.size < mapping.size) return `; it was mapped with ${sizeWords(mapping.size)}`;
    if (!release.dma.mapsRoundedSize || !devices[row.device].untrusted) return '';
    return `; ${release.name} maps the size rounded up, on top of the offset in the granule`;
  }

  function checkCollisions(row: DmaRow): void {
    const { table } = devices[row.device];
    const { granule } = table;
    for (const { pfn, count } of system.effects.collisions) {
      const met = { lo: pfn, hi: pfn + count - 1 };
      const there = runsIn(table, met.lo, met.hi).at(-1);
      if (there === undefined) continue;
      const [left] = overlapping(stale[row.device], there);
      const since =
        left === undefined
          ? ''
          : `, since line ${left.mappedIn}: line ${left.unmappedIn} did not unmap it`;
      const still = `${granuleWords(there.lo, there.hi, granule)} is still mapped`;
      tell(
        findingAt(session, row, 'iova-collision', {
          address: { pfn: there.lo, offset: 0 },
          message:
            `${callWords(row)} fails at ${granuleWords(met.lo, met.hi, granule)}:` +
            ` ${still}, to ${hex(there.phys)}${since}`,
          related: left === undefined ? [] : relatedTo(left),
        }),
      );
    }
  }

  function checkAccess({ row, played }: DmaOutcome): void {
    const order = stale[row.device];
    const bytes = Number(played.result);
    const address = order.size > 0 && bytes > 0 ? addressIn(player, row) : undefined;
    if (address === undefined) return;
    const { table } = devices[row.device];
    const last = address.pfn + Math.floor((address.offset + bytes - 1) / table.granule);
    const [met] = overlapping(order, { lo: address.pfn, hi: last }).filter((one) =>
      isAnyMapped(table, one.lo, one.hi),
    );
    if (met === undefined) return;
    const at = addressWords(address, table.granule);
    tell(
      findingAt(session, row, 'stale-mapping', {
        address,
        message: `${row.op} at ${at} reaches ${sizeWords(bytes)}, although line ${met.unmappedIn} unmapped what was there`,
        related: relatedTo(met),
      }),
    );
  }

  function checkUnmap(outcome: DmaOutcome): void {
    const { row, mapping } = outcome;
    if (mapping === undefined) return;
    const { table } = devices[row.device];
    const listed = extents.size === 0 ? undefined : extents.get(row.id);
    if (listed !== undefined) {
      extents.delete(row.id);
      if (listed.some(({ lo, hi }) => isAnyMapped(table, lo, hi))) {
        checkLeft(row, listed, mapping.line, () => reason(outcome));
      }
    } else if (isLeft(table, mapping)) {
      checkLeft(row, extentOf(mapping), mapping.line, () => reason(outcome));
    }
    // A call of the wrong kind ends nothing; what it left is told once.
    if (player.current !== undefined) extents.set(row.id, []);
  }

  return {
    onRow(outcome) {
      const { row, call, added } = outcome;
      const { collisions, undone } = system.effects;
      if (collisions.length > 0) checkCollisions(row);
      if (undone.length > 0) {
        const gone = undone.map(({ pfn, count }) => ({ lo: pfn, hi: pfn + count - 1 }));
        checkLeft(row, gone, row.line, () => ', after it failed');
      }
      const made = madeBy(outcome);
      if (call.unmaps) checkUnmap(outcome);
      else if (made !== undefined) {
        keepMade(outcome, made);
      } else if (hasLinked(outcome)) {
        const from = partsMade(outcome).at(-1)?.address.pfn;
        if (from !== undefined) keep(row, [{ lo: from, hi: from + added - 1 }]);
      } else if (call.isAccess) {
        checkAccess(outcome);
      }
    },
  };
};
