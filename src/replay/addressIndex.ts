/**
 * From recorded addresses, by slot, to numbers of allocations: an open hash table of groups of slots
 * that lie side by side, and share a cache line.
 */
export interface AddressIndex {
  /** Per group: its number plus one; 0 for an empty one. */
  groups: Float64Array;
  /** For each slot of each group the newest allocation that is not released, plus one; 0 for none. */
  newest: Int32Array;
  /**
   * The same slots: what was released there last, in RELEASED_DOUBLES. Written often, hardly ever read;
   * empty before the first release.
   */
  released: Float64Array;
  /** Groups in use. */
  count: number;
}

/** Numbers that `released` has of a slot; what they are is the caller's business. */
export const RELEASED_DOUBLES = 4;

/** Slots of a group. */
const GROUP_SLOTS = 8;
const GROUP_BYTES = GROUP_SLOTS * 2048;

const FIRST_GROUPS = 128;

/** An index of nothing, with room for so many groups. */
export function createAddressIndex(capacity = FIRST_GROUPS): AddressIndex {
  return {
    groups: new Float64Array(capacity),
    newest: new Int32Array(capacity * GROUP_SLOTS),
    released: new Float64Array(0),
    count: 0,
  };
}

/** The place of a group, or the empty one where it belongs. */
function placeOf({ groups }: AddressIndex, group: number): number {
  const mask = groups.length - 1;
  let place = (Math.imul(group | 0, 0x9e3779b1) >>> 7) & mask;
  while (groups[place] !== group && groups[place] !== 0) place = (place + 1) & mask;
  return place;
}

function groupOf(address: number): number {
  return Math.floor(address / GROUP_BYTES) + 1;
}

function entryIn(place: number, address: number): number {
  return place * GROUP_SLOTS + (((address | 0) >>> 11) & (GROUP_SLOTS - 1));
}

/** The entry of an address's slot in `newest`; -1 if nothing near was ever entered. */
export function findEntry(index: AddressIndex, address: number): number {
  const group = groupOf(address);
  const place = placeOf(index, group);
  return index.groups[place] === group && group !== 0 ? entryIn(place, address) : -1;
}

/** The same, and makes room for it. */
export function entryAt(index: AddressIndex, address: number): number {
  const group = groupOf(address);
  let place = placeOf(index, group);
  if (index.groups[place] !== group) {
    if (index.count * 2 >= index.groups.length) {
      grow(index);
      place = placeOf(index, group);
    }
    index.groups[place] = group;
    index.count++;
  }
  return entryIn(place, address);
}

function grow(index: AddressIndex): void {
  const { groups, newest, released, count } = index;
  Object.assign(index, createAddressIndex(groups.length * 2), { count });
  if (released.length > 0) index.released = new Float64Array(released.length * 2);
  for (let from = 0; from < groups.length; from++) {
    if (groups[from] === 0) continue;
    const to = placeOf(index, groups[from]);
    index.groups[to] = groups[from];
    copyGroup(newest, from, index.newest, to, GROUP_SLOTS);
    if (released.length === 0) continue;
    copyGroup(released, from, index.released, to, GROUP_SLOTS * RELEASED_DOUBLES);
  }
}

function copyGroup<T extends Int32Array | Float64Array>(
  old: T,
  from: number,
  into: T,
  to: number,
  length: number,
): void {
  into.set(old.subarray(from * length, (from + 1) * length), to * length);
}
