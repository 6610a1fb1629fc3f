import type { DeviceAddress, DmaDevice } from './device.js';
import { attrsAfterSync, unmapOne } from './mapping.js';
import { syncSingle } from './sync.js';
import { type DmaSystem, skipsSync } from './system.js';

/** dma_unmap_page() of a device behind an IOMMU. */
export function unmapPage(
  system: DmaSystem,
  device: DmaDevice,
  address: DeviceAddress,
  size: number,
  dir: number,
  attrs: number,
): void {
  const syncsFirst = system.release.dma.unmapCopies !== 'release' && !skipsSync(attrs);
  if (syncsFirst) syncSingle(system, device, address, size, dir, 'cpu');
  const left = syncsFirst ? attrsAfterSync(system, attrs) : attrs;
  unmapOne(system, device, address, size, dir, left);
}
