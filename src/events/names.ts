import type { DeviceDeclaration } from './trace.js';

/** A line whose device name is longer than this many bytes is not a kernel's. */
export const MAX_NAME_BYTES = 256;

/**
 * Turns device names in a byte buffer into their number in a trace's list of devices, without
 * making a string of a name seen before: an open hash table over the names' bytes.
 */
export interface DeviceNames {
  devices: DeviceDeclaration[];
  bytes: Buffer[];
  /** Device number plus one per bucket; 0 is empty. */
  buckets: Int32Array;
}

/** A table over `devices`, which may hold some already and grows with new names. */
export function createDeviceNames(devices: DeviceDeclaration[]): DeviceNames {
  const names: DeviceNames = { devices, bytes: [], buckets: new Int32Array(64) };
  rememberOthers(names);
  return names;
}

/** The number of the device whose name is bytes[from, to); new names are added. */
export function deviceNumber(
  names: DeviceNames,
  bytes: Uint8Array,
  from: number,
  to: number,
): number {
  const mask = names.buckets.length - 1;
  let bucket = hash(bytes, from, to) & mask;
  for (;;) {
    const number = names.buckets[bucket] - 1;
    if (number < 0) break;
    if (isSame(names.bytes[number], bytes, from, to)) return number;
    bucket = (bucket + 1) & mask;
  }
  if (names.bytes.length < names.devices.length) {
    rememberOthers(names);
    return deviceNumber(names, bytes, from, to);
  }
  const name = Buffer.from(bytes.subarray(from, to));
  names.devices.push({ name: name.toString() });
  return remember(names, name);
}

/** The number of the device of that name; a new name is added. */
export function deviceNumberOf(names: DeviceNames, name: string): number {
  const bytes = Buffer.from(name);
  return deviceNumber(names, bytes, 0, bytes.length);
}

/** Devices that someone else has added to the list. */
function rememberOthers(names: DeviceNames): void {
  while (names.bytes.length < names.devices.length) {
    remember(names, Buffer.from(names.devices[names.bytes.length].name));
  }
}

function remember(names: DeviceNames, name: Buffer): number {
  names.bytes.push(name);
  if (names.bytes.length * 2 > names.buckets.length) {
    names.buckets = new Int32Array(names.buckets.length * 2);
    for (let number = 0; number < names.bytes.length; number++) place(names, number);
  } else {
    place(names, names.bytes.length - 1);
  }
  return names.bytes.length - 1;
}

function place(names: DeviceNames, number: number): void {
  const mask = names.buckets.length - 1;
  const name = names.bytes[number];
  let bucket = hash(name, 0, name.length) & mask;
  while (names.buckets[bucket] !== 0) bucket = (bucket + 1) & mask;
  names.buckets[bucket] = number + 1;
}

/** FNV-1a. */
function hash(bytes: Uint8Array, from: number, to: number): number {
  let value = 0x811c9dc5;
  for (let i = from; i < to; i++) value = Math.imul(value ^ bytes[i], 0x01000193);
  return value ^ (value >>> 15);
}

function isSame(name: Buffer, bytes: Uint8Array, from: number, to: number): boolean {
  if (name.length !== to - from) return false;
  for (let i = 0; i < name.length; i++) if (name[i] !== bytes[from + i]) return false;
  return true;
}
