import type { PageRange } from '../events/iommuRecords.js';
import { createOrder, floorOf, insert, type Linked, type Order, remove } from '../iommu/order.js';

/** Pages that were mapped in one go, or what is left of them; `lo` and `hi` are pages of 4096 bytes. */
export interface Mapping extends Linked<Mapping> {
  /** Physical address that the first page leads to. */
  phys: number;
  /** Line and time of its iommu:map. */
  line: number;
  time: number;
  /** It may have been unmapped already, by an iommu:unmap that several domains could be meant by. */
  isDoubtful: boolean;
}

/**
 * What is mapped in the page table of a device; '' stands for devices that are not known, several of
 * which may have the same pages mapped, so that these have layers.
 */
export interface Owner {
  device: string;
  layers: Order<Mapping>[];
  /** iommu:map records of it. */
  maps: number;
  /** Pages mapped at this moment. */
  pages: number;
}

/** What is known of a mapping when it is made. */
export type Made = Pick<Mapping, 'phys' | 'line' | 'time'>;

/** Equal pages that so many unknown devices have mapped at a time; what is beyond is not kept. */
const MAX_LAYERS = 64;

/** An owner without mappings. */
export function createOwner(device: string): Owner {
  return { device, layers: [createOrder()], maps: 0, pages: 0 };
}

/** The mapping in a layer that holds one of the pages; the highest of several. */
export function overlapIn(layer: Order<Mapping>, { first, last }: PageRange): Mapping | undefined {
  const below = floorOf(layer, last);
  return below !== undefined && below.hi >= first ? below : undefined;
}

/** An owner's mappings of any of the pages, one per layer. */
export function overlapsOf({ layers }: Owner, pages: PageRange): Mapping[] {
  const mappings: Mapping[] = [];
  for (const layer of layers) {
    const mapping = overlapIn(layer, pages);
    if (mapping !== undefined) mappings.push(mapping);
  }
  return mappings;
}

/** Whether an owner has all of the pages mapped. */
export function covers(owner: Owner, { first, last }: PageRange): boolean {
  let at = first;
  while (at <= last) {
    const mappings = overlapsOf(owner, { first: at, last: at });
    if (mappings.length === 0) return false;
    at = Math.max(...mappings.map(({ hi }) => hi)) + 1;
  }
  return true;
}

/**
 * Maps pages, none of which the layer may have mapped.
 * @returns false where an unknown owner's layers are used up
 */
export function put(owner: Owner, { first, last }: PageRange, made: Made): boolean {
  let layer = owner.layers.find((each) => overlapIn(each, { first, last }) === undefined);
  if (layer === undefined) {
    if (owner.layers.length >= MAX_LAYERS) return false;
    layer = createOrder();
    owner.layers.push(layer);
  }
  const { phys, line, time } = made;
  const rest = { prev: undefined, next: undefined, isDoubtful: false };
  insert(layer, { lo: first, hi: last, phys, line, time, ...rest });
  owner.pages += last - first + 1;
  return true;
}

/**
 * Takes pages out of a layer; mappings that they are a part of are cut.
 * @param onTaken told of each part that was mapped, with its mapping
 */
export function take(
  owner: Owner,
  layer: Order<Mapping>,
  { first, last }: PageRange,
  onTaken: (pages: PageRange, mapping: Mapping) => void,
): void {
  for (;;) {
    const mapping = overlapIn(layer, { first, last });
    if (mapping === undefined) return;
    const { lo, hi, phys, line, time, isDoubtful } = mapping;
    remove(layer, mapping);
    const rest = { prev: undefined, next: undefined, line, time, isDoubtful };
    if (lo < first) insert(layer, { ...rest, lo, hi: first - 1, phys });
    const behind = phys + (last + 1 - lo) * 4096;
    if (hi > last) insert(layer, { ...rest, lo: last + 1, hi, phys: behind });
    const taken = { first: Math.max(lo, first), last: Math.min(hi, last) };
    owner.pages -= taken.last - taken.first + 1;
    onTaken(taken, mapping);
  }
}

/** How well a mapping fits what was unmapped: whole, from its start, or in some part. */
function fitOf(mapping: Mapping | undefined, { first, last }: PageRange): number {
  if (mapping === undefined || mapping.lo !== first) return 0;
  return mapping.hi === last ? 2 : 1;
}

/** Takes pages from an owner once: what one layer does not hold may stand in the next. */
export function takeFrom(
  owner: Owner,
  pages: PageRange,
  onTaken: (pages: PageRange, mapping: Mapping) => void,
): void {
  const layers = [...owner.layers];
  if (layers.length > 1) {
    const fits = new Map(
      layers.map((layer) => [layer, fitOf(floorOf(layer, pages.first), pages)] as const),
    );
    layers.sort((a, b) => (fits.get(b) ?? 0) - (fits.get(a) ?? 0));
  }
  let wanted = [pages];
  for (const layer of layers) {
    const missing: PageRange[] = [];
    for (const range of wanted) {
      // From the highest page down.
      let end = range.last;
      take(owner, layer, range, (taken, mapping) => {
        if (taken.last < end) missing.push({ first: taken.last + 1, last: end });
        end = taken.first - 1;
        onTaken(taken, mapping);
      });
      if (end >= range.first) missing.push({ first: range.first, last: end });
    }
    wanted = missing;
  }
}
