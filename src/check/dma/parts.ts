import type { ByteRange } from '../../dma/access.js';
import { isBounced } from '../../dma/bounce.js';
import { addressAfter, type DeviceAddress } from '../../dma/device.js';
import { distance, type Mapping } from '../../replay/dmaIommu/player.js';
import type { DmaOutcome, DmaSession } from '../../replay/dmaIommu/session.js';

/** The mapping that a row made; undefined where it made none. */
export function madeBy({ row, mapping }: DmaOutcome): Mapping | undefined {
  return mapping !== undefined && mapping.line === row.line ? mapping : undefined;
}

/** Whether a row linked memory to a range. */
export function hasLinked({ row, played }: DmaOutcome): boolean {
  return row.op === 'iova_link' && played.result === '0';
}

/** Bytes of a mapping that stand together, here and there. */
export interface Part {
  address: DeviceAddress;
  data: ByteRange;
}

/** What an untrusted device's row newly mapped: a buffer, the entries of a list, the pieces linked. */
export function partsMade(outcome: DmaOutcome): Part[] {
  const { row, mapping, player } = outcome;
  if (mapping === undefined) return [];
  const { address, owned, segments, range } = mapping;
  if (hasLinked(outcome) && range !== undefined) {
    const { granule } = player.devices[row.device].table;
    return linkedParts(range.start, mapping, mapping.linked - row.size, granule);
  }
  if (madeBy(outcome) === undefined || row.op === 'alloc' || range !== undefined) return [];
  if (address !== undefined) return [{ address, data: owned[0] }];
  return segments.map((segment, n) => ({ address: segment.address, data: owned[n] }));
}

/** Pieces of a range from a position on, the last first; a piece ends where its granule does. */
function linkedParts(
  start: DeviceAddress,
  { owned, linked }: Mapping,
  position: number,
  granule: number,
): Part[] {
  const parts: Part[] = [];
  let at = linked;
  for (let n = owned.length - 1; n >= 0 && at > position; n--) {
    at -= owned[n].length;
    parts.push({ address: addressAfter(start, at, granule), data: owned[n] });
  }
  return parts;
}

/** How many stretches of a mapping lie in the pool. */
export function bouncedParts({ player }: DmaSession, { device, owned }: Mapping): number {
  let count = 0;
  for (const { start } of owned) if (isBounced(player.devices[device], start)) count++;
  return count;
}

/** Where a mapping begins for the device; undefined for an empty list. */
export function startOf({ address, segments }: Mapping): DeviceAddress | undefined {
  return address ?? segments[0]?.address;
}

/** Whether bytes at a device address are all of one stretch of a mapping. */
export function isWithin(
  mapping: Mapping,
  from: DeviceAddress,
  bytes: number,
  granule: number,
): boolean {
  const { address, size, segments } = mapping;
  const stretches = address === undefined ? segments : [{ address, length: size }];
  return stretches.some((stretch) => {
    const into = distance(stretch.address, from, granule);
    return into >= 0 && into + bytes <= stretch.length;
  });
}
