// The model against compiled C, with the trace in memory; see README.md.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { emptyRequest } from '../build/kernel/plan.js';
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
import { randomNumbers, row } from './measure.mjs';

const RELEASE = findRelease('v6.8');
const PAGE_SIZE = 4096;
const BASE = 0x80000000;
const MASKS = [0xfff, 0xfff, 0, 0];
const CALLS = 1_000_000;

/** Numbers of a call: device, size or 0 for an unmap, CPU, address. */
const CALL = 4;

/** Slots, share in use, sizes, and how the model is to do against C. */
const LOADS = [
  { nslabs: 32_768, full: 0.5, size: anySize, goal: { atMost: 2 } },
  { nslabs: 32_768, full: 0.985, size: smallSize, goal: { atLeast: 10 } },
  { nslabs: 1_048_576, full: 0.9, size: anySize, goal: { atLeast: 100 } },
];

/** Half of them a page, a fifth less than that, a few up to 256 KiB. */
function anySize(random) {
  const percent = random(1000);
  if (percent < 450) return 4096;
  if (percent < 640) return 512 + random(1537);
  if (percent < 720) return 6144;
  if (percent < 800) return 8192;
  if (percent < 880) return 16_384;
  if (percent < 930) return 32_768;
  if (percent < 980) return 65_536;
  return percent < 995 ? 131_072 : 262_144 - 4096 * random(16);
}

/** Blocks of a page, and frames. */
function smallSize(random) {
  return random(2) === 0 ? 4096 : 64 + random(1985);
}

function createMachine({ nslabs }) {
  const pool = createPool({ name: 'default', base: BASE, nslabs, areas: 4 }, RELEASE.clampsTail);
  const allocator = createAllocator(pool, false, SEARCHERS.indexed);
  const devices = MASKS.map((mask, number) =>
    createDevice(`${number}`, mask, 0xffff_ffff, Number.POSITIVE_INFINITY, allocator),
  );
  return {
    allocator,
    devices,
    answer: emptyAnswer(),
    released: emptyReleased(),
    request: emptyRequest(),
  };
}

function map({ devices, request, answer }, device, origAddr, size, cpu) {
  request.origAddr = origAddr;
  request.mappingSize = size;
  request.allocSize = size;
  request.minAlignMask = MASKS[device];
  request.cpu = cpu;
  mapSingle(RELEASE, PAGE_SIZE, devices[device], request, answer);
  return answer;
}

/** Calls of a machine that fills its pool and keeps it as full as the load says, three releases after each refusal. */
function record(load) {
  const machine = createMachine(load);
  const random = randomNumbers(load.nslabs + load.full * 100);
  const calls = new Float64Array(CALLS * CALL);
  const live = [];
  let owed = 0;
  for (let at = 0; at < calls.length; at += CALL) {
    if (owed > 0 || machine.allocator.used >= load.nslabs * load.full) {
      if (owed > 0) owed--;
      const which = random(live.length);
      const [device, address] = live[which];
      live[which] = live[live.length - 1];
      live.pop();
      unmapSingle(machine.devices[device], address, undefined, machine.released);
      calls.set([device, 0, 0, address], at);
      continue;
    }
    const device = random(MASKS.length);
    const size = load.size(random);
    const cpu = random(8);
    const origAddr = 0x1_0000_0000 + random(1 << 20) * 4096 + (size < 4096 ? random(1024) * 2 : 0);
    calls.set([device, size, cpu, origAddr], at);
    const { slot, address } = map(machine, device, origAddr, size, cpu);
    if (slot < 0) owed = 3;
    else live.push([device, address]);
  }
  return calls;
}

/** @returns nanoseconds of two calls, and a checksum of the slots */
function replay(load, calls) {
  const machine = createMachine(load);
  let checksum = 0;
  const begin = performance.now();
  for (let at = 0; at < calls.length; at += CALL) {
    const device = calls[at];
    const size = calls[at + 1];
    if (size === 0) {
      unmapSingle(machine.devices[device], calls[at + 3], undefined, machine.released);
    } else {
      const { slot } = map(machine, device, calls[at + 3], size, calls[at + 2]);
      checksum = (Math.imul(checksum, 31) + slot) >>> 0;
    }
  }
  return { ns: ((performance.now() - begin) * 2e6) / CALLS, checksum };
}

/** @returns the same of the compiled loop */
function replayInC(program, file, { nslabs }) {
  const { status, stdout } = spawnSync(program, [file, `${nslabs}`, `${CALLS}`]);
  if (status !== 0) throw new Error('void: the compiled loop could not read the calls');
  const [ns, checksum] = stdout.toString().split(' ').map(Number);
  return { ns: (ns * 2) / CALLS, checksum };
}

/** A map and an unmap of the indexed search against those of the compiled loop, in turns; equal slots or void. */
export function measureKernel({ folder, rounds }) {
  const program = join(folder, 'loop');
  const source = fileURLToPath(new URL('./loop.c', import.meta.url));
  const compiled = spawnSync('cc', ['-O2', '-o', program, source]);
  if (compiled.status !== 0) {
    process.stderr.write(`left out: no C compiler (${compiled.error ?? compiled.stderr})\n`);
    return [];
  }
  return LOADS.map((load) => {
    const calls = record(load);
    const file = join(folder, 'calls');
    writeFileSync(file, calls);
    const pairs = [];
    for (let round = 0; round <= rounds; round++) {
      const ours = replay(load, calls);
      const theirs = replayInC(program, file, load);
      if (ours.checksum !== theirs.checksum) throw new Error('void: other slots than in C');
      if (round > 0) pairs.push([ours.ns, theirs.ns]); // the first warms up
    }
    const what = `map and unmap, ${load.nslabs} slots, ${load.full * 100} % full`;
    return row(what, 'C -O2', 'ns', pairs, load.goal);
  });
}
