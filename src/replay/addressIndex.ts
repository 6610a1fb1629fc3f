/**
 * From recorded addresses, by slot, to numbers of allocations. Slots that lie side by side are a
 * group; an open hash table, which is small enough for the fastest cache, finds a group's entries, and
 * these lie close together in the order in which groups came.
 */
export interface AddressIndex {
  /** Two numbers per place of the table: a group's number plus one, 0 for none, and which of the groups it is. */
  places: Float64Array;
  /** For each slot of each group the newest allocation that is not released, plus one; 0 for none. */
  newest: Int32Array;
  /**
   * The same slots: what was released there last, for the caller to pack into a number; 0 for nothing.
   * Written often, hardly ever read.
   */
  released: Float64Array;
  /** Groups in use. */
  count: number;
}

/** Slots of a group. */
const GROUP_SLOTS = 64;
const GROUP_BYTES = GROUP_SLOTS * 2048;

const FIRST_GROUPS = 16;

/** An index of nothing. */
export function createAddressIndex(): AddressIndex {
  return {
    places: new Float64Array(4 * FIRST_GROUPS),
    newest: new Int32Array(FIRST_GROUPS * GROUP_SLOTS),
    released: new Float64Array(FIRST_GROUPS * GROUP_SLOTS),
    count: 0,
  };
}

/** The place of a group, or the empty one where it belongs; as an index into `places`. */
function placeOf(places: Float64Array, group: number): number {
  const mask = places.length - 1;
  let place = (Math.imul(group | 0, 0x9e3779b1) >>> 7) & mask & ~1;
  while (places[place] !== group && places[place] !== 0) place = (place + 2) & mask;
  return place;
}

function groupOf(address: number): number {
  return Math.floor(address / GROUP_BYTES) + 1;
}

function entryIn(ordinal: number, address: number): number {
  return (ordinal | 0) * GROUP_SLOTS + (((address | 0) >>> 11) & (GROUP_SLOTS - 1));
}

/** The entry of an address's slot in `newest`, the same for ever; -1 if nothing near was ever entered. */
export function findEntry({ places }: AddressIndex, address: number): number {
  const group = groupOf(address);
  const place = placeOf(places, group);
  return places[place] === group && group !== 0 ? entryIn(places[place + 1], address) : -1;
}

/** The same, and makes room for it. */
export function entryAt(index: AddressIndex, address: number): number {
  const { places } = index;
  const group = groupOf(address);
  const place = placeOf(places, group);
  if (places[place] === group) return entryIn(places[place + 1], address);
  return entryIn(addGroup(index, group, place), address);
}

/** @returns which of the groups the new one is */
function addGroup(index: AddressIndex, group: number, place: number): number {
  const ordinal = index.count++;
  if (ordinal * GROUP_SLOTS === index.newest.length) growEntries(index);
  index.places[place] = group;
  index.places[place + 1] = ordinal;
  if (index.count * 4 > index.places.length) growPlaces(index);
  return ordinal;
}

function growEntries(index: AddressIndex): void {
  const { newest, released } = index;
  index.newest = new Int32Array(newest.length * 2);
  index.newest.set(newest);
  index.released = new Float64Array(released.length * 2);
  index.released.set(released);
}

function growPlaces(index: AddressIndex): void {
  const old = index.places;
  index.places = new Float64Array(old.length * 2);
  for (let from = 0; from < old.length; from += 2) {
    if (old[from] === 0) continue;
    const to = placeOf(index.places, old[from]);
    index.places[to] = old[from];
    index.places[to + 1] = old[from + 1];
  }
}
