import type { ByteRange } from '../../dma/access.js';
import type { DmaRow } from '../../events/iommu.js';
import { IO_TLB_SIZE } from '../../kernel/constants.js';
import { createIdMap, type IdMap } from '../../replay/dmaIommu/idMap.js';
import type { Mapping } from '../../replay/dmaIommu/player.js';
import type { DmaSession } from '../../replay/dmaIommu/session.js';
import { foretellRelease, type Pool, slotAddress, slotAt } from '../../swiotlb/pool.js';
import type { Part } from './parts.js';

/** A bounce buffer that is alive. */
export interface Bounce {
  device: number;
  /** Line of its map. */
  line: number;
  /** First slot and count. */
  slot: number;
  nslots: number;
  /** The data in it. */
  data: ByteRange;
  /** The buffer that the same id had mapped before. */
  more: Bounce | undefined;
}

/** Who has which slots of the pool. */
export interface Bounces {
  pool: Pool;
  /** Per slot. */
  owners: (Bounce | undefined)[];
  /** Of mappings of one page call, by their numbers. */
  ofPages: (Bounce | undefined)[];
  /** Of other ids the last buffer, which leads to the others. */
  byId: IdMap<Bounce>;
  /** Buffers that are gone, to be used again. */
  gone: Bounce[];
}

/** A pool of which nobody has a slot. */
export function createBounces({ player }: DmaSession): Bounces {
  const { pool } = player.system.allocator;
  const owners = new Array(pool.nslabs).fill(undefined);
  return { pool, owners, ofPages: [], byId: createIdMap(), gone: [] };
}

/** Filled by bounceOf(). */
const taken = { slot: 0, nslots: 0 };

/** The buffer that holds a part of what a row mapped; the part lies in the pool. */
export function bounceOf(
  { player, release }: DmaSession,
  { pool, gone }: Bounces,
  { device, line }: DmaRow,
  { data }: Part,
): Bounce {
  const { minAlignMask, table } = player.devices[device];
  const low = (data.start | 0) & minAlignMask & (IO_TLB_SIZE - 1);
  const rounded = Math.ceil(data.length / table.granule) * table.granule;
  const believed = release.swiotlb.believesUnmapSize ? rounded : undefined;
  foretellRelease(pool, data.start, low, believed, taken);
  const { slot, nslots } = taken;
  const again = gone.pop();
  if (again === undefined)
    return { device, line, slot, nslots, data: { ...data }, more: undefined };
  again.device = device;
  again.line = line;
  again.slot = slot;
  again.nslots = nslots;
  again.data.start = data.start;
  again.data.length = data.length;
  again.more = undefined;
  return again;
}

/** Notes that a buffer has its slots, or that nobody has them. */
export function setOwner({ owners }: Bounces, { slot, nslots }: Bounce, to?: Bounce): void {
  const end = Math.min(slot + nslots, owners.length);
  for (let n = slot; n < end; n++) owners[n] = to;
}

/**
 * Files a buffer under the id of its row: with the mapping of one page call, if it is all that the id
 * has; else in front of what the id has already.
 */
export function fileBounce(
  { ofPages, byId }: Bounces,
  { id }: DmaRow,
  { number }: Mapping,
  bounce: Bounce,
): void {
  if (number >= 0 && (byId.size === 0 || !byId.has(id))) {
    ofPages[number] = bounce;
    return;
  }
  bounce.more = byId.get(id);
  byId.set(id, bounce);
}

/** Files the buffer of a mapping of one page call, if it has one, under its id instead. */
export function unfileFromPages({ ofPages, byId }: Bounces, id: number, { number }: Mapping): void {
  const bounce = number < 0 ? undefined : ofPages[number];
  if (bounce === undefined) return;
  ofPages[number] = undefined;
  byId.set(id, bounce);
}

/** The last buffer of an id, which leads to the others. */
export function lastBounce(
  { ofPages, byId }: Bounces,
  id: number,
  { number }: Mapping,
): Bounce | undefined {
  const own = number < 0 ? undefined : ofPages[number];
  return own ?? (byId.size === 0 ? undefined : byId.get(id));
}

/** Nothing is filed under an id any more. */
export function unfile({ ofPages, byId }: Bounces, id: number, { number }: Mapping): void {
  if (number >= 0 && number < ofPages.length) ofPages[number] = undefined;
  if (byId.size > 0) byId.delete(id);
}

/** The bytes of a buffer's slots. */
export function slotsRange({ pool }: Bounces, { slot, nslots }: Bounce): ByteRange {
  return { start: slotAddress(pool, slot), length: nslots * IO_TLB_SIZE };
}

/** The buffers that have slots in a range, in order. */
export function ownersIn({ pool, owners }: Bounces, { start, length }: ByteRange): Bounce[] {
  const found: Bounce[] = [];
  const first = Math.max(0, slotAt(pool, start));
  const last = Math.min(pool.nslabs - 1, slotAt(pool, start + length - 1));
  for (let slot = first; slot <= last; slot++) {
    const owner = owners[slot];
    if (owner !== undefined && owner !== found.at(-1)) found.push(owner);
  }
  return found;
}
