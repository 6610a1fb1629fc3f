import { addressAfter, type DeviceAddress, type DmaDevice } from '../../dma/device.js';
import type { DeviceAddressField } from '../../events/iommu.js';
import { addressOf, type Mapping, type Player } from './player.js';

/** Mappings that ended and are remembered, for accesses that come too late. */
const KEPT_ENDED = 1024;

/** Where a mapping's pieces begin for the device. */
function startsOf({ address, segments }: Mapping): DeviceAddress[] {
  return address === undefined ? segments.map((segment) => segment.address) : [address];
}

/** Bytes from one recorded device address to another. */
function bytesBetween(from: DeviceAddressField, to: DeviceAddressField): number {
  return (to.page - from.page) * 4096 + (to.low - from.low);
}

/** Whether the model gave a mapping other device addresses than the trace records. */
function isMoved(mapping: Mapping, granule: number): boolean {
  const starts = startsOf(mapping);
  return mapping.recorded.some((field, n) => {
    const { pfn, offset } = addressOf(field, granule);
    return starts[n]?.pfn !== pfn || starts[n].offset !== offset;
  });
}

/**
 * The device address that a row means: where the model put the mapping elsewhere than the recorded
 * kernel did, as many bytes into it as the recorded address is.
 */
export function meantAddress(
  { live, ended }: Player,
  { table: { granule } }: DmaDevice,
  id: number,
  field: DeviceAddressField,
): DeviceAddress {
  const mapping = live.get(id) ?? ended.get(id);
  if (mapping === undefined || !isMoved(mapping, granule)) return addressOf(field, granule);
  const starts = startsOf(mapping);
  // The piece that begins closest below it.
  let found = -1;
  let into = Number.POSITIVE_INFINITY;
  mapping.recorded.forEach((start, n) => {
    const bytes = bytesBetween(start, field);
    if (bytes < 0 || bytes >= into || starts[n] === undefined) return;
    found = n;
    into = bytes;
  });
  return found < 0 ? addressOf(field, granule) : addressAfter(starts[found], into, granule);
}

/** Ends a mapping, and remembers it if later rows about it could not be understood without. */
export function endMapping({ live, ended }: Player, device: DmaDevice, id: number): void {
  const mapping = live.get(id);
  if (mapping === undefined) return;
  live.delete(id);
  if (!isMoved(mapping, device.table.granule)) return;
  ended.set(id, mapping);
  const [oldest] = ended.keys();
  if (ended.size > KEPT_ENDED) ended.delete(oldest);
}
