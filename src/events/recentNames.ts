import { type DeviceNames, deviceNumber } from './names.js';

/**
 * The device names that a trace has had lately, each with its number: `deviceNumber` for hot loops. A
 * name is looked for where its last four bytes and its length say, and compared four bytes at a time.
 */
export interface RecentNames {
  names: DeviceNames;
  /** Per place: the device's number, and the length of its name; 0 for an empty place. */
  number: Int32Array;
  length: Int32Array;
  /** Per place: the name in words, the last of them overlapping the one before. */
  words: Int32Array;
}

const PLACES = 64;
const PLACE_SHIFT = 26;
const WORDS = 16;

/** Longer and shorter names are left to the table. */
const LONGEST = WORDS * 4;
const SHORTEST = 4;

/** No names yet. */
export function createRecentNames(names: DeviceNames): RecentNames {
  return {
    names,
    number: new Int32Array(PLACES),
    length: new Int32Array(PLACES),
    words: new Int32Array(PLACES * WORDS),
  };
}

/**
 * The number of the device whose name is bytes[from, to); new names are added.
 * @param view of the same bytes
 */
export function recentDeviceNumber(
  recent: RecentNames,
  bytes: Uint8Array,
  view: DataView,
  from: number,
  to: number,
): number {
  const length = to - from;
  if (length < SHORTEST || length > LONGEST) return deviceNumber(recent.names, bytes, from, to);
  const last = view.getInt32(to - 4, true);
  const place = Math.imul(last ^ length, 0x9e3779b1) >>> PLACE_SHIFT;
  const { words } = recent;
  let word = place * WORDS;
  let isKnown = recent.length[place] === length;
  for (let at = from; at < to - 4 && isKnown; at += 4) {
    isKnown = words[word++] === view.getInt32(at, true);
  }
  if (isKnown && words[word] === last) return recent.number[place];
  return remember(recent, place, bytes, view, from, to);
}

function remember(
  recent: RecentNames,
  place: number,
  bytes: Uint8Array,
  view: DataView,
  from: number,
  to: number,
): number {
  const number = deviceNumber(recent.names, bytes, from, to);
  recent.number[place] = number;
  recent.length[place] = to - from;
  let word = place * WORDS;
  for (let at = from; at < to - 4; at += 4) recent.words[word++] = view.getInt32(at, true);
  recent.words[word] = view.getInt32(to - 4, true);
  return number;
}
