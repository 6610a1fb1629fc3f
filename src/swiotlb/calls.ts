import { IO_TLB_SHIFT, IO_TLB_SIZE } from '../kernel/constants.js';
import type { MapRequest, SearchPlan } from '../kernel/plan.js';
import type { Release } from '../kernel/release.js';
import { type Device, findPool, type MapAnswer, type Released } from './allocator.js';
import { findSlots, refuse, take } from './findSlots.js';
import { notePadding, type Pool, releaseSlotsAt, slotAt } from './pool.js';

/** The numbers of a swiotlb_tbl_map_single(). */
export function planMap(
  release: Release,
  pageSize: number,
  request: MapRequest,
  plan: SearchPlan,
): void {
  release.size(request, plan, pageSize);
  release.masks(request, pageSize, plan);
}

/**
 * The numbers of a swiotlb_alloc(): its size as it is, no original address, no offset.
 * @param request its mappingSize is the size asked for; the rest is set here
 */
export function planAlloc(
  release: Release,
  pageSize: number,
  request: MapRequest,
  plan: SearchPlan,
): void {
  request.origAddr = 0;
  request.allocSize = request.mappingSize;
  request.allocAlignMask =
    release.coherentAlignMask?.(request.mappingSize, pageSize, request.line) ?? 0;
  plan.offset = 0;
  plan.totalSize = request.mappingSize;
  plan.nslots = Math.ceil(request.mappingSize / IO_TLB_SIZE);
  release.masks(request, pageSize, plan);
}

/** swiotlb_tbl_map_single(): finds and takes slots for a buffer; fills `answer`. */
export function mapSingle(
  release: Release,
  pageSize: number,
  device: Device,
  request: MapRequest,
  answer: MapAnswer,
): void {
  const { plan } = answer;
  answer.examined = 0;
  answer.transient = undefined;
  planMap(release, pageSize, request, plan);
  if (release.takesAllocSize && request.mappingSize > request.allocSize) {
    refuse(answer, 'invalid-sizes');
    return;
  }
  findSlots(release, device, request, answer);
  rememberPadding(answer);
}

/** Where the data begins, the slots in front of it that belong to it are noted (af133562d5af). */
function rememberPadding({ plan, pool, slot, foretells }: MapAnswer): void {
  const padSlots = plan.offset >>> IO_TLB_SHIFT;
  if (padSlots > 0 && pool !== undefined && !foretells) {
    notePadding(pool, slot + padSlots, padSlots);
  }
}

/**
 * Takes the slots that a recorded address says, whatever a search would find; fills `answer`, whose
 * plan is that of the request, and which is a refusal where they cannot be had.
 * @returns false where the address lies in no pool that lasts, or a slot is in use
 */
export function takeRecorded(
  release: Release,
  device: Device,
  address: number,
  answer: MapAnswer,
): boolean {
  const { plan } = answer;
  refuse(answer, 'full');
  const pool = findPool(device, address);
  if (pool === undefined || !device.allocator.pools.includes(pool)) return false;
  const slot = slotAt(pool, address - plan.offset);
  if (slot < 0 || slot + plan.nslots > pool.nslabs) return false;
  for (let n = 0; n < plan.nslots; n++) if (pool.list[slot + n] === 0) return false;
  take(release, device.allocator, pool, Math.floor(slot / pool.areaNslabs), slot, answer);
  rememberPadding(answer);
  return true;
}

/**
 * swiotlb_alloc(): whole pages for a coherent buffer of a device with a restricted pool; fills
 * `answer`. The address is the slot's, before the kernel turns it into a page.
 * @param request its mappingSize is the size asked for; the rest is set here
 */
export function allocPages(
  release: Release,
  pageSize: number,
  device: Device,
  request: MapRequest,
  answer: MapAnswer,
): void {
  answer.examined = 0;
  answer.transient = undefined;
  planAlloc(release, pageSize, request, answer.plan);
  if (release.coherentAlignMask === undefined) {
    refuse(answer, 'no-pages');
    return;
  }
  findSlots(release, device, request, answer);
  if (release.refusesUnalignedPages && answer.slot >= 0 && !isAligned(answer.address, pageSize)) {
    giveBack(device, answer);
    refuse(answer, 'unaligned-page');
  }
}

function giveBack(
  device: Device,
  { address, pool, slot, plan, givenBack, foretells }: MapAnswer,
): void {
  if (!foretells) unmapSingle(device, address, undefined, givenBack);
  else Object.assign(givenBack, { pool, slot, nslots: plan.nslots });
}

function isAligned(address: number, pageSize: number): boolean {
  return ((address | 0) & (pageSize - 1)) === 0;
}

/**
 * swiotlb_tbl_unmap_single(): releases what lies at an address; nothing for an address in no pool
 * of the device.
 * @param size the caller's alloc_size in releases that believe it, undefined in others
 */
export function unmapSingle(
  device: Device,
  address: number,
  size: number | undefined,
  released: Released,
): void {
  const lowOffset = (address | 0) & device.minAlignMask & (IO_TLB_SIZE - 1);
  const pool = findPool(device, address);
  released.pool = pool;
  released.slot = -1;
  released.nslots = 0;
  if (pool === undefined) return;
  const dataSlot = slotAt(pool, address - lowOffset);
  if (dataSlot < 0) return;
  const { transientPools } = device;
  if (transientPools.length > 0 && transientPools.includes(pool))
    dropTransient(device, pool, released);
  else releaseSlotsAt(pool, dataSlot, lowOffset, size, released);
  device.allocator.used -= released.nslots;
}

/** A transient pool goes with its one buffer (swiotlb_del_transient()). */
function dropTransient(device: Device, pool: Pool, released: Released): void {
  device.transientPools.splice(device.transientPools.indexOf(pool), 1);
  device.otherWindows.delete(pool);
  released.slot = 0;
  released.nslots = pool.nslabs;
}

/** swiotlb_free(): the kernel gets the page, so what lies at the page's start is released. */
export function freePages(
  device: Device,
  pageSize: number,
  address: number,
  released: Released,
): void {
  unmapSingle(device, address - ((address | 0) & (pageSize - 1)), undefined, released);
}
