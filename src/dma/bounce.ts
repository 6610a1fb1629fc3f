import { IO_TLB_SHIFT, IO_TLB_SIZE } from '../kernel/constants.js';
import { emptyFills } from '../kernel/padding.js';
import { findPool } from '../swiotlb/allocator.js';
import { mapSingle, unmapSingle } from '../swiotlb/calls.js';
import { type Pool, slotAt } from '../swiotlb/pool.js';
import type { DmaDevice } from './device.js';
import { copy, zero } from './memory.js';
import { type DmaSystem, isFromDevice, isToDevice, skipsSync } from './system.js';

/** Why there was no bounce buffer. */
export type BounceFailure = 'no-slots' | 'endless';

/** Where the pool's slots store their original addresses. */
function origAddrsOf({ origAddrs }: DmaSystem, pool: Pool): Float64Array {
  let column = origAddrs.get(pool);
  if (column === undefined) {
    column = new Float64Array(pool.nslabs).fill(Number.NaN);
    origAddrs.set(pool, column);
  }
  return column;
}

/** Whether an address lies in a pool of the device (is_swiotlb_buffer()). */
export function isBounced(device: DmaDevice, phys: number): boolean {
  return findPool(device.bouncer, phys) !== undefined;
}

/** What a search for a buffer's slots starts from. */
function fillRequest(
  system: DmaSystem,
  device: DmaDevice,
  phys: number,
  size: number,
  allocSize: number,
  allocAlignMask: number,
): void {
  const { request } = system;
  request.line = system.call;
  request.origAddr = phys;
  request.mappingSize = size;
  request.allocSize = allocSize;
  request.allocAlignMask = allocAlignMask;
  request.minAlignMask = device.minAlignMask;
  request.cpu = system.cpu;
}

/**
 * Takes slots for a buffer and copies in what the release copies in (swiotlb_tbl_map_single()).
 * @returns the address of the data in the pool, or why there is none
 */
export function takeBounce(
  system: DmaSystem,
  device: DmaDevice,
  phys: number,
  size: number,
  allocSize: number,
  allocAlignMask: number,
  dir: number,
  attrs: number,
): number | BounceFailure {
  const { release, answer, request } = system;
  fillRequest(system, device, phys, size, allocSize, allocAlignMask);
  mapSingle(release.swiotlb, system.pageSize, device.bouncer, request, answer);
  const { pool, plan, slot, address } = answer;
  if (pool === undefined) {
    const why = answer.refusal === 'endless' ? 'endless' : 'no-slots';
    system.onRefusal?.({ why, device, size });
    return why;
  }
  const orig = origAddrsOf(system, pool);
  const dataSlot = slot + (plan.offset >>> IO_TLB_SHIFT);
  const end = slot + plan.nslots;
  for (let i = dataSlot; i < end; i++) orig[i] = phys + (i - dataSlot) * IO_TLB_SIZE;
  const { copiesInAlways } = release.dma.copy;
  if (copiesInAlways || (isToDevice(dir) && !skipsSync(attrs))) {
    copyBounce(system, device, address, size, true);
  }
  return address;
}

/** Gives slots back, and copies out before where the call does not skip it (swiotlb_tbl_unmap_single()). */
export function releaseBounce(
  system: DmaSystem,
  device: DmaDevice,
  address: number,
  size: number,
  dir: number,
  attrs: number,
): void {
  const { released, release } = system;
  if (isFromDevice(dir) && !skipsSync(attrs)) copyBounce(system, device, address, size, false);
  const { granule } = device.domain.setup;
  const believed = release.swiotlb.believesUnmapSize ? roundUp(size, granule) : undefined;
  unmapSingle(device.bouncer, address, believed, released);
  if (released.pool === undefined || released.slot < 0) return;
  const orig = origAddrsOf(system, released.pool);
  const end = Math.min(released.slot + released.nslots, orig.length);
  for (let slot = released.slot; slot < end; slot++) orig[slot] = Number.NaN;
}

function roundUp(value: number, granule: number): number {
  return Math.ceil(value / granule) * granule;
}

/** Copies for a sync of part of a mapping (swiotlb_sync_single_for_cpu(), ..._for_device()). */
export function syncBounce(
  system: DmaSystem,
  device: DmaDevice,
  address: number,
  size: number,
  dir: number,
  forDevice: boolean,
): void {
  if (forDevice ? isToDevice(dir) : isFromDevice(dir)) {
    copyBounce(system, device, address, size, forDevice);
  }
}

/** What one call zeroes; reused. */
const fills = emptyFills();

/** Zeroes what a release zeroes around a buffer's data. */
export function zeroPadding(
  system: DmaSystem,
  device: DmaDevice,
  data: number,
  size: number,
  dir: number,
  attrs: number,
): void {
  const keepsData = isToDevice(dir) && !skipsSync(attrs);
  const { granule } = device.domain.setup;
  const count = system.release.dma.padding(data, size, granule, keepsData, fills);
  for (let n = 0; n < count; n++) {
    const { start, length } = fills[n];
    if (length < 0) system.effects.strayFills++;
    else zero(system.memory, start, length);
  }
}

/** Copies between a bounce buffer, or a part of one, and the buffer that its slot names (swiotlb_bounce()). */
function copyBounce(
  system: DmaSystem,
  device: DmaDevice,
  address: number,
  size: number,
  toPool: boolean,
): void {
  const { effects, memory, release } = system;
  const pool = findPool(device.bouncer, address);
  if (pool === undefined) return;
  const slot = slotAt(pool, address);
  const orig = origAddrsOf(system, pool)[slot];
  if (Number.isNaN(orig)) return;
  const inSlot = IO_TLB_SIZE - 1;
  const { keepsSlotOffset, offsetBelowStart: rule } = release.dma.copy;
  const kept = keepsSlotOffset ? (orig | 0) & device.minAlignMask & inSlot : 0;
  const offset = ((address | 0) & inSlot) - kept;
  const left = pool.storedSize[slot] - offset;
  if (rule === 'refused' && (offset < 0 || left < 0)) {
    effects.warnings++;
    return;
  }
  const goesAstray = rule === 'wraps' && offset < 0;
  let length = size;
  // What is left of a mapping is unsigned: behind its end the kernel's number wraps, and cuts nothing.
  if (length > left && left >= 0 && !goesAstray) {
    effects.warnings++;
    length = left;
  }
  countCopy(system, toPool, length);
  if (goesAstray) effects.strayCopies++;
  else if (toPool) copy(memory, orig + offset, address, length, system.call);
  else copy(memory, address, orig + offset, length, system.call);
}

function countCopy({ effects }: DmaSystem, toPool: boolean, length: number): void {
  if (toPool) {
    effects.copiesIn++;
    effects.bytesIn += length;
  } else {
    effects.copiesOut++;
    effects.bytesOut += length;
  }
}
