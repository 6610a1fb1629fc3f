import type { ByteRange } from '../../dma/access.js';
import type { DmaRow } from '../../events/iommu.js';
import { IO_TLB_SIZE } from '../../kernel/constants.js';
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
  /** Buffers that are gone, to be used again. */
  gone: Bounce[];
}

/** A pool of which nobody has a slot. */
export function createBounces({ player }: DmaSession): Bounces {
  const { pool } = player.system.allocator;
  return { pool, owners: new Array(pool.nslabs).fill(undefined), gone: [] };
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
  owners.fill(to, slot, slot + nslots);
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
