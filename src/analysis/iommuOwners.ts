import type { PageRange } from '../events/iommuRecords.js';
import { createOrder, floorOf, insert, type Linked, type Order, remove } from '../iommu/order.js';

/** Pages that were mapped in one go, or what is left of them; `lo` and `hi` are pages of 4096 bytes. */
export interface Mapping extends Linked<Mapping> {
  /** Physical address that the first page leads to. */
  phys: number;
  /** Line and time of its iommu:map. */
  line: number;
  time: number;
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

/** A mapping and where it stands. */
export interface Place {
  owner: Owner;
  layer: Order<Mapping>;
  mapping: Mapping;
}

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

/** Where an owner has one of the pages mapped, layer by layer. */
export function overlapsOf(owner: Owner, pages: PageRange): Place[] {
  const places: Place[] = [];
  for (const layer of owner.layers) {
    const mapping = overlapIn(layer, pages);
    if (mapping !== undefined) places.push({ owner, layer, mapping });
  }
  return places;
}

/**
 * Maps pages, none of which the layer may have mapped.
 * @returns false where an unknown owner's layers are used up
 */
export function put(
  owner: Owner,
  { first, last }: PageRange,
  made: Pick<Mapping, 'phys' | 'line' | 'time'>,
): boolean {
  let layer = owner.layers.find((each) => overlapIn(each, { first, last }) === undefined);
  if (layer === undefined) {
    if (owner.layers.length >= MAX_LAYERS) return false;
    layer = createOrder();
    owner.layers.push(layer);
  }
  const { phys, line, time } = made;
  insert(layer, { lo: first, hi: last, prev: undefined, next: undefined, phys, line, time });
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
    const { lo, hi, phys, line, time } = mapping;
    remove(layer, mapping);
    const rest = { prev: undefined, next: undefined, line, time };
    if (lo < first) insert(layer, { ...rest, lo, hi: first - 1, phys });
    const behind = phys + (last + 1 - lo) * 4096;
    if (hi > last) insert(layer, { ...rest, lo: last + 1, hi, phys: behind });
    const taken = { first: Math.max(lo, first), last: Math.min(hi, last) };
    owner.pages -= taken.last - taken.first + 1;
    onTaken(taken, mapping);
  }
}
