// Seeded traces of any size, whose results are the model's own; see README.md.
import { closeSync, openSync, writeSync } from 'node:fs';
import { findRelease } from '../build/kernel/select.js';
import {
  createAllocator,
  createDevice,
  emptyAnswer,
  emptyReleased,
} from '../build/swiotlb/allocator.js';
import { mapSingle, unmapSingle } from '../build/swiotlb/calls.js';
import { createPool } from '../build/swiotlb/pool.js';
import { SEARCHERS } from '../build/swiotlb/searchers.js';
import { randomNumbers } from './measure.mjs';

const RELEASE = 'v6.8';
const PAGE_SIZE = 4096;
const BASE = 0x97ff0000;
const NO_BOUNDARY = 0xffff_ffff;

/** What the devices are like: a disk that keeps the offset in a page, one that does not, a network card. */
const DEVICES = [
  { name: '0000:00:04.0', driver: 'nvme', minAlignMask: 0xfff },
  { name: '0000:00:1f.2', driver: 'ahci', minAlignMask: 0 },
  { name: '0000:00:07.0', driver: 'virtio-pci', minAlignMask: 0 },
];

/** 60 % a page, 15 % a packet, 15 % 16 KiB, 10 % 64 KiB. */
export function randomSize(random) {
  const percent = random(100);
  if (percent < 60) return 4096;
  if (percent < 75) return 64 + random(1454);
  return percent < 90 ? 16384 : 65536;
}

/**
 * A kernel at work: maps while less than a share of its pool is in use, unmaps in any order.
 * @param call told each map and unmap with device, size, address and so on
 */
function work({ nslabs, areas, full }, random, call) {
  const release = findRelease(RELEASE);
  const pool = createPool({ name: 'default', base: BASE, nslabs, areas }, release.clampsTail);
  const allocator = createAllocator(pool, false, SEARCHERS.indexed);
  const devices = DEVICES.map(({ name, minAlignMask }) =>
    createDevice(name, minAlignMask, NO_BOUNDARY, Number.POSITIVE_INFINITY, allocator),
  );
  const answer = emptyAnswer();
  const released = emptyReleased();
  const live = [];

  function map() {
    const number = random(devices.length);
    const size = randomSize(random);
    const origAddr =
      0x1_0000_0000 + random(0x10_0000) * 4096 + (size < 4096 ? random(1024) * 2 : 0);
    const cpu = random(4);
    const request = {
      origAddr,
      mappingSize: size,
      allocSize: size,
      allocAlignMask: 0,
      minAlignMask: devices[number].minAlignMask,
      cpu,
      transientBase: Number.NaN,
      lookAt: Number.NaN,
    };
    mapSingle(release, PAGE_SIZE, devices[number], request, answer);
    if (answer.slot < 0) return false;
    const { slot, plan, address } = answer;
    live.push({ number, size, address, cpu });
    return call({ op: 'map', number, size, origAddr, address, slot, nslots: plan.nslots, cpu });
  }

  function unmap() {
    const which = random(live.length);
    const gone = live[which];
    const last = live.pop();
    if (which < live.length) live[which] = last;
    unmapSingle(devices[gone.number], gone.address, undefined, released);
    return call({ ...gone, op: 'unmap' });
  }

  let goOn = true;
  while (goOn) {
    const isLow = allocator.used < nslabs * full;
    goOn = isLow && (live.length === 0 || random(16) > 0) ? (map() ?? true) : (unmap() ?? true);
  }
}

export const hex = (value) => `0x${value.toString(16)}`;

/** Microseconds of the kernel's clock as its log prints them. */
const clock = (events) => (100 + events * 0.000017).toFixed(6);

/** Writes text in large pieces until there are so many bytes. */
export function createWriter(path, bytes) {
  const fd = openSync(path, 'w');
  let text = '';
  let written = 0;
  function flush() {
    written += writeSync(fd, text);
    text = '';
  }
  return {
    /** @returns whether more is wanted */
    write(piece) {
      text += piece;
      if (text.length > 1 << 20) flush();
      return written + text.length < bytes;
    },
    close() {
      flush();
      closeSync(fd);
    },
  };
}

/** The canonical CSV: maps and unmaps of a pool of 64 MiB that is half full. */
export function writeCsv(path, bytes, seed = 1) {
  const random = randomNumbers(seed);
  const out = createWriter(path, bytes);
  const shape = { nslabs: 32_768, areas: 4, full: 0.5 };
  out.write(
    `#swiotlb-trace 1\n#kernel version=${RELEASE} page_size=${PAGE_SIZE}\n` +
      `#pool name=default base=${hex(BASE)} nslabs=${shape.nslabs} areas=${shape.areas} index=0:0:0:0\n`,
  );
  for (const { name, minAlignMask } of DEVICES) {
    out.write(`#device name=${name} min_align_mask=${hex(minAlignMask)}\n`);
  }
  out.write('time,cpu,dev,op,orig_addr,size,alloc_align_mask,dir,attrs,tlb_addr\n');
  let events = 0;
  work(shape, random, ({ op, number, size, origAddr, address, cpu }) =>
    out.write(
      `${clock(events++)},${cpu},${DEVICES[number].name},${op},` +
        `${op === 'map' ? hex(origAddr) : ''},${size},,to_device,,${hex(address)}\n`,
    ),
  );
  out.close();
}

/** Records of entry and return probes, as tracefs prints them behind a few lines of the boot log. */
export function writeFtrace(path, bytes, seed = 4) {
  const random = randomNumbers(seed);
  const out = createWriter(path, bytes);
  const shape = { nslabs: 32_768, areas: 4, full: 0.5 };
  out.write(
    '[    0.000000] Linux version 6.8.0 (bench)\n[    0.100000] software IO TLB: area num 4.\n' +
      '# tracer: nop\n#\n',
  );
  let events = 0;
  const record = (cpu, text) =>
    `    kworker/${cpu}:1H-4${cpu}      [00${cpu}] d..1. ${clock(events++).padStart(12)}: ${text}\n`;
  work(shape, random, ({ op, number, size, origAddr, address, cpu }) => {
    const { name, minAlignMask } = DEVICES[number];
    if (op === 'unmap') {
      return out.write(
        record(
          cpu,
          `unmap: (swiotlb_tbl_unmap_single+0x0/0x1a0) dev="${name}" tlb_addr=${hex(address)} size=${size} dir=1 attrs=0x0`,
        ),
      );
    }
    return out.write(
      record(
        cpu,
        `map: (swiotlb_tbl_map_single+0x0/0x6c0) dev="${name}" orig_addr=${hex(origAddr)} size=${size}` +
          ` alloc_size=${size} align_mask=0x0 dir=1 attrs=0x0 min_align=${hex(minAlignMask)}` +
          ' seg_mask=0xffffffff dma_mask=0xffffffffffffffff',
      ) +
        record(
          cpu,
          `map_ret: (swiotlb_map+0x6f/0x260 <- swiotlb_tbl_map_single) ret=${hex(address)} base=${hex(BASE)} nslabs=${shape.nslabs}`,
        ),
    );
  });
  out.close();
}

/** Lines of the debug print. It prints no releases, so `nslabs` decides how soon the replay's pool is full. */
function devDbgLine(events, nslabs, { number, size, origAddr, address, slot, nslots }) {
  const { name, driver, minAlignMask } = DEVICES[number];
  const mask = (minAlignMask | (size >= PAGE_SIZE ? PAGE_SIZE - 1 : 0)) & ~2047;
  const stride = (mask >>> 11) + 1;
  return (
    `[${clock(events).padStart(12)}] ${driver} ${name}: orig_addr ${hex(origAddr)} alloc_size ${hex(size)},` +
    ` iotlb_align_mask ${hex(mask)} stride ${hex(stride)}:` +
    ` got slot ${slot}-${slot + nslots}/${nslabs} (${hex(address)})\n`
  );
}

/**
 * The debug print of January 2024. It tells of no release: in a log of a machine that has been up
 * for a while addresses come again and again, and the replay's pool is full from some line on.
 */
export function writeDevDbg(path, bytes, seed = 2, ours = 1, nslabs = 32_768, full = 0.5) {
  const random = randomNumbers(seed);
  const out = createWriter(path, bytes);
  let events = 0;
  work({ nslabs, areas: 1, full }, random, (call) => {
    if (call.op !== 'map') return true;
    for (; random(1000) >= ours * 1000; events++) out.write(otherLine(random, events));
    return out.write(devDbgLine(events++, nslabs, call));
  });
  out.close();
}

/** What else a log has. */
function otherLine(random, events) {
  const at = `[${clock(events).padStart(12)}]`;
  switch (random(4)) {
    case 0:
      return `${at} audit: type=1400 audit(${events}): apparmor="STATUS" operation="profile_load"\n`;
    case 1:
      return `${at} usb 1-${random(9)}: new high-speed USB device number ${random(127)} using xhci_hcd\n`;
    case 2:
      return `${at} br0: port ${random(9)}(veth${random(1e6).toString(16)}) entered blocking state\n`;
    default:
      return `${at} EXT4-fs (dm-${random(9)}): mounted filesystem with ordered data mode\n`;
  }
}

/** A log of which 5 % are lines of ours. */
export function writeMixed(path, bytes, seed = 3) {
  writeDevDbg(path, bytes, seed, 0.05);
}
