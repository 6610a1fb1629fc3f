// What one would write first: readline, regular expressions, BigInt, the kernel's loop slot by slot. It knows
// v6.8, one pool and plain rows, checks nothing, and answers one question of `verify`: see README.md.
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';

const SLOT = 2048n;
const SEGMENT = 128;
const PAGE = 4096n;

const POOL = /^#pool .*base=(0x[0-9a-f]+) nslabs=(\d+) areas=(\d+)/;
const DEVICE = /^#device name=(\S+) min_align_mask=(0x[0-9a-f]+)/;
const ROW =
  /^[\d.]+,(?<cpu>\d+),(?<dev>[^,]+),(?<op>map|unmap),(?<orig>0x[0-9a-f]+)?,(?<size>\d+),,to_device,,(?<tlb>0x[0-9a-f]+)$/;

const masks = new Map();
let pool;

function createPool(base, nslabs, areas) {
  const slots = Array.from({ length: nslabs }, (_, slot) => ({
    free: SEGMENT - (slot % SEGMENT),
    size: 0n,
  }));
  return {
    base,
    slots,
    areas: new Array(areas).fill(0),
    areaSlots: nslabs / areas,
    used: new Array(areas).fill(0),
  };
}

function findInArea(area, origAddr, size, mask) {
  const { slots, areas, areaSlots, used, base } = pool;
  const alignMask = (size >= PAGE ? mask | (PAGE - 1n) : mask) & ~(SLOT - 1n);
  const count = Number((size + SLOT - 1n) / SLOT);
  const stride = Number(alignMask / SLOT) + 1;
  if (areaSlots - used[area] < count) return -1;
  let index = areas[area];
  for (let checked = 0; checked < areaSlots; ) {
    const slot = area * areaSlots + index;
    const address = base + BigInt(slot) * SLOT;
    let step = stride;
    if ((address & alignMask) !== (origAddr & alignMask)) step = 1;
    else if (slots[slot].free >= count) return slot;
    index = index + step < areaSlots ? index + step : 0;
    checked += step;
  }
  return -1;
}

function take(area, slot, size) {
  const { slots, areas, areaSlots, used } = pool;
  const count = Number((size + SLOT - 1n) / SLOT);
  for (let n = 0; n < count; n++) {
    slots[slot + n].free = 0;
    slots[slot + n].size = size - BigInt(n) * SLOT;
  }
  for (
    let n = slot - 1, free = 0;
    n >= 0 && n % SEGMENT !== SEGMENT - 1 && slots[n].free > 0;
    n--
  ) {
    slots[n].free = ++free;
  }
  const next = slot + count - area * areaSlots;
  areas[area] = next < areaSlots ? next : 0;
  used[area] += count;
}

/** @returns the address; undefined where no area has room */
function map(origAddr, size, mask, cpu) {
  const offset = origAddr & mask & (SLOT - 1n);
  for (let n = 0; n < pool.areas.length; n++) {
    const area = (cpu + n) % pool.areas.length;
    const slot = findInArea(area, origAddr, size + offset, mask);
    if (slot < 0) continue;
    take(area, slot, size + offset);
    return pool.base + BigInt(slot) * SLOT + offset;
  }
  return undefined;
}

function unmap(address, mask) {
  const { slots, areaSlots, used, base } = pool;
  const offset = address & mask & (SLOT - 1n);
  const slot = Number((address - offset - base) / SLOT);
  const count = Number((slots[slot].size + SLOT - 1n) / SLOT);
  const end = slot + count;
  let free = end % SEGMENT !== 0 && end < slots.length ? slots[end].free : 0;
  for (let n = end - 1; n >= slot; n--) slots[n].free = ++free;
  for (let n = slot - 1; n >= 0 && n % SEGMENT !== SEGMENT - 1 && slots[n].free > 0; n--) {
    slots[n].free = ++free;
  }
  used[Math.floor(slot / areaSlots)] -= count;
}

let recorded = 0;
let reproduced = 0;
for await (const line of createInterface({ input: createReadStream(process.argv[2]) })) {
  const row = ROW.exec(line)?.groups;
  if (row === undefined) {
    const [, base, nslabs, areas] = POOL.exec(line) ?? [];
    if (base !== undefined) pool = createPool(BigInt(base), Number(nslabs), Number(areas));
    const [, name, mask] = DEVICE.exec(line) ?? [];
    if (name !== undefined) masks.set(name, BigInt(mask));
    continue;
  }
  const mask = masks.get(row.dev);
  if (row.op === 'unmap') {
    unmap(BigInt(row.tlb), mask);
    continue;
  }
  recorded++;
  const address = map(BigInt(row.orig), BigInt(row.size), mask, Number(row.cpu));
  if (address === BigInt(row.tlb)) reproduced++;
}
console.log(`${reproduced} of ${recorded} recorded results reproduced`);
