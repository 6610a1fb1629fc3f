/**
 * From recorded addresses, by slot, to numbers of allocations. Slots that lie side by side are a
 * group; an open hash table, which is small enough for the fastest cache, finds a group's entries, and
 * these lie close together in the order in which groups came.
 */
export interface AddressIndex {
  /** Two numbers per place of the table: a group's number plus one, 0 for none, and which of the groups it is. */
  places: Float64Array;
  /** Bits of a group's hash that the table leaves out. */
  shift: number;
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
const FIRST_PLACES_SHIFT = 5;

/** An index of nothing. */
export function createAddressIndex(): AddressIndex {
  return {
    places: new Float64Array(2 << FIRST_PLACES_SHIFT),
    shift: 32 - FIRST_PLACES_SHIFT,
    newest: new Int32Array(FIRST_GROUPS * GROUP_SLOTS),
    released: new Float64Array(FIRST_GROUPS * GROUP_SLOTS),
    count: 0,
  };
}

/**
 * Where a group belongs; groups side by side belong evenly spread. As an index into `places`.
 * @param low the low 32 bits of its number: V8 makes an object of a double that is passed in a call
 */
function homeOf(index: AddressIndex, low: number): number {
  return (Math.imul(low, 0x9e3779b1) >>> index.shift) << 1;
}

/** The place of a group, or the empty one nearest to its home. */
function placeOf(index: AddressIndex, group: number): number {
  const { places } = index;
  const mask = places.length - 1;
  let place = homeOf(index, group | 0);
  while (places[place] !== group && places[place] !== 0) place = (place + 2) & mask;
  return place;
}

function groupOf(address: number): number {
  return Math.floor(address / GROUP_BYTES) + 1;
}

/** @param low the low 32 bits of the address */
function entryIn(ordinal: number, low: number): number {
  return ordinal * GROUP_SLOTS + ((low >>> 11) & (GROUP_SLOTS - 1));
}

/** The entry of an address's slot in `newest`, the same for ever; -1 if nothing near was ever entered. */
export function findEntry(index: AddressIndex, address: number): number {
  const { places } = index;
  const group = groupOf(address);
  const home = homeOf(index, group | 0);
  // Nearly always: then the group needs not be passed to anyone.
  if (places[home] === group && group !== 0) return entryIn(places[home + 1] | 0, address | 0);
  const place = placeOf(index, group);
  return places[place] === group && group !== 0 ? entryIn(places[place + 1] | 0, address | 0) : -1;
}

/** The same, and makes room for it. */
export function entryAt(index: AddressIndex, address: number): number {
  const { places } = index;
  const group = groupOf(address);
  const home = homeOf(index, group | 0);
  if (places[home] === group) return entryIn(places[home + 1] | 0, address | 0);
  return entryIn(ordinalOf(index, group), address | 0);
}

/** Which of the groups one is: the next where it is new. */
function ordinalOf(index: AddressIndex, group: number): number {
  const place = placeOf(index, group);
  if (index.places[place] === group) return index.places[place + 1];
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
  index.shift--;
  for (let from = 0; from < old.length; from += 2) {
    if (old[from] === 0) continue;
    const to = placeOf(index, old[from]);
    index.places[to] = old[from];
    index.places[to + 1] = old[from + 1];
  }
}
