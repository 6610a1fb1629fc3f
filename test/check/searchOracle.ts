/**
 * What each release asks of a slot, written from the description of the kernels and not from the
 * model, one slot at a time: slow, plain, and with nothing of src/ in it.
 */

/** A request as its caller makes it. */
export interface OracleRequest {
  isAlloc: boolean;
  origAddr: number;
  size: number;
  allocSize: number;
  allocAlignMask: number;
  minAlignMask: number;
  segBoundaryMask: number;
}

/** The pool, as far as a search sees it. */
export interface OraclePool {
  base: number;
  nslabs: number;
  areas: number;
  isFree: (slot: number) => boolean;
  /** Slots that an area counts as used. */
  usedIn: (area: number) => number;
}

/** What a request needs in a release, and whether a slot gives it. */
export interface Demand {
  nslots: number;
  isAligned: (slot: number) => boolean;
  crossesBoundary: (slot: number) => boolean;
}

const PAGE = 4096;

/** `a & mask` of numbers of up to 53 bits. */
function and(a: number, mask: number): number {
  return Number(BigInt(a) & BigInt(mask));
}

function or(...masks: number[]): number {
  return Number(masks.reduce((all, mask) => all | BigInt(mask), 0n));
}

function without(a: number, mask: number): number {
  return a - and(a, mask);
}

/** The masks of spec sections 4 and 6: which address bits are cleared, and which compared. */
function masksOf(release: string, request: OracleRequest, total: number) {
  const { minAlignMask: min, allocAlignMask: aam } = request;
  const page = total >= PAGE ? PAGE - 1 : 0;
  if (release === 'v6.8') return { clear: 0, compare: without(or(min, aam, page), 0x7ff) };
  if (release === 'v6.8+will-v1') return { clear: or(aam, page), compare: without(min, 0x7ff) };
  const wanted = aam === 0 && min === 0 ? page : aam;
  const clear = or(wanted, 0x7ff);
  return { clear, compare: without(min, clear) };
}

function totalOf(release: string, request: OracleRequest): number {
  const { isAlloc, origAddr, size, allocSize, minAlignMask: min, allocAlignMask: aam } = request;
  if (isAlloc) return size;
  if (release.startsWith('v6.8')) return allocSize + and(and(origAddr, min), 0x7ff);
  const offset = and(and(origAddr, min), or(aam, 0x7ff));
  if (release === 'v6.9') return allocSize + offset;
  return Math.ceil((size + offset) / (aam + 1)) * (aam + 1);
}

/** swiotlb_alloc() asks for its page order from v6.9 on, and for nothing before. */
function asSearched(release: string, request: OracleRequest): OracleRequest {
  if (!request.isAlloc) return request;
  let order = PAGE;
  while (order < request.size) order *= 2;
  const allocAlignMask = release.startsWith('v6.8') ? 0 : order - 1;
  return { ...request, origAddr: 0, allocAlignMask };
}

/** What a request needs. */
export function demandOf(release: string, base: number, given: OracleRequest): Demand {
  const request = asSearched(release, given);
  const { origAddr, segBoundaryMask: seg } = request;
  const total = totalOf(release, request);
  const { clear, compare } = masksOf(release, request, total);
  const start = seg === Number.POSITIVE_INFINITY ? base : and(base, seg);
  const nslots = Math.ceil(total / 2048);
  return {
    nslots,
    isAligned(slot) {
      const address = start + slot * 2048;
      if (and(address, clear) !== 0) return false;
      return origAddr === 0 || and(address, compare) === and(origAddr, compare);
    },
    crossesBoundary(slot) {
      if (seg === Number.POSITIVE_INFINITY) return false;
      const first = start + slot * 2048;
      return Math.floor(first / (seg + 1)) !== Math.floor((first + nslots * 2048 - 1) / (seg + 1));
    },
  };
}

/** Whether `nslots` free slots of one segment begin at a slot. */
export function hasRoom({ nslabs, isFree }: OraclePool, slot: number, nslots: number): boolean {
  for (let i = slot; i < slot + nslots; i++) {
    if (i >= nslabs || !isFree(i)) return false;
    if (Math.floor(i / 128) !== Math.floor(slot / 128)) return false;
  }
  return true;
}

/** Slots that are free in a whole pool. */
export function freeSlots(pool: OraclePool): number {
  let free = 0;
  for (let slot = 0; slot < pool.nslabs; slot++) if (pool.isFree(slot)) free++;
  return free;
}

/** The areas that are not given up before any slot is looked at. */
export function searchedAreas(pool: OraclePool, nslots: number): number[] {
  const inArea = Math.floor(pool.nslabs / pool.areas);
  return Array.from({ length: pool.areas }, (_, area) => area).filter(
    (area) => inArea - pool.usedIn(area) >= nslots,
  );
}

/** The slots of searched areas with enough free slots behind them. */
export function roomySlots(pool: OraclePool, nslots: number): number[] {
  const inArea = Math.floor(pool.nslabs / pool.areas);
  return searchedAreas(pool, nslots).flatMap((area) =>
    Array.from({ length: inArea }, (_, n) => area * inArea + n).filter((slot) =>
      hasRoom(pool, slot, nslots),
    ),
  );
}

/** Whether any slot of an empty pool at this base would do, looked for in one of 16 MiB. */
export function anyPoolServes({ nslots, isAligned, crossesBoundary }: Demand): boolean {
  for (let slot = 0; slot < 8192; slot++) {
    if ((slot % 128) + nslots > 128) continue;
    if (isAligned(slot) && !crossesBoundary(slot)) return true;
  }
  return false;
}
