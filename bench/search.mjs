// Linear against indexed search, in nanoseconds per map and unmap; see README.md.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { emptyPlan } from '../build/kernel/plan.js';
import { createPool, releaseSlots, takeSlots } from '../build/swiotlb/pool.js';
import { SEARCHERS } from '../build/swiotlb/searchers.js';
import { addressWindow } from '../build/swiotlb/window.js';
import { randomNumbers, row } from './measure.mjs';

const ROUNDS = 9;
const BASE = 0x80000000;

/** Requests after the pool is full and before the clock runs: the pool fragments, bounds settle. */
const SETTLING_MAPS = 100_000;

/** Both engines are timed for at least so long in each round. */
const LEAST_MS = 15;

/**
 * Slots, share in use, maps per replay (fewer where the linear loop takes long), and the goal: how
 * many times the indexed search is to be faster.
 */
const SETTINGS = [
  { nslabs: 32_768, full: 0.5, maps: 100_000, goal: 0.83 },
  { nslabs: 32_768, full: 0.9, maps: 40_000, goal: 20 },
  { nslabs: 32_768, full: 0.99, maps: 20_000, goal: 60 },
  { nslabs: 1_048_576, full: 0.5, maps: 100_000, goal: 0.83 },
  { nslabs: 1_048_576, full: 0.9, maps: 6_000, goal: 100 },
  { nslabs: 1_048_576, full: 0.99, maps: 1_500, goal: 500 },
];

/** Every slot will do (no mask), or every second of either parity (min_align_mask 0xfff). */
const KINDS = [
  { name: 'every', mask: 0, stride: 1 },
  { name: 'every second', mask: 0x800, stride: 2 },
];

/** 60 % 2 slots, 15 % 1, 15 % 8, 10 % 32. */
function randomSize(random) {
  const percent = random(100);
  if (percent < 60) return 2;
  if (percent < 75) return 1;
  return percent < 90 ? 8 : 32;
}

function planOf({ mask, stride }) {
  const plan = emptyPlan();
  plan.stride = stride;
  plan.matchMask = mask;
  return plan;
}

/** Makes requests and releases that keep a pool as full as wished, and tells `record` of them. */
function churn(pool, kind, target, live, random, maps, record) {
  const plan = planOf(kind);
  const window = addressWindow(BASE, Number.POSITIVE_INFINITY);
  const tally = { examined: 0 };
  const released = { slot: 0, nslots: 0 };
  for (let n = 0; n < maps; n++) {
    const nslots = randomSize(random);
    plan.nslots = nslots;
    plan.matchBits = kind.mask & -random(2);
    const slot = SEARCHERS.indexed(pool, 0, plan, window, tally);
    record?.(nslots, plan.matchBits);
    if (slot >= 0) {
      takeSlots(pool, 0, slot, nslots, nslots * 2048);
      live.push(slot);
    }
    while (pool.areaUsed[0] > target) {
      const which = random(live.length);
      const [last] = live.splice(-1);
      const gone = which === live.length ? last : live[which];
      if (which < live.length) live[which] = last;
      releaseSlots(pool, BASE + gone * 2048, 0, undefined, released);
      record?.(0, gone);
    }
  }
}

/** A pool in use for long, and what happens to it next: per event the slots and bits, or 0 and the slot. */
function prepare({ nslabs, full, maps }, kind) {
  const random = randomNumbers(nslabs + full * 100 + kind.mask);
  const pool = createPool({ name: 'bench', base: BASE, nslabs, areas: 1 }, true);
  const target = Math.floor(nslabs * full);
  const live = [];
  while (pool.areaUsed[0] < target - 64) churn(pool, kind, target, live, random, 64);
  churn(pool, kind, target, live, random, SETTLING_MAPS);
  const snapshot = structuredClone(pool);
  const events = [];
  churn(pool, kind, target, live, random, maps, (nslots, value) => events.push(nslots, value));
  return { pool, snapshot, kind, maps, events: Int32Array.from(events) };
}

/** Puts a pool back to a snapshot, in place, so that both engines work on the same memory. */
function restore(pool, snapshot) {
  for (const column of ['list', 'storedSize', 'padSlots', 'areaIndex', 'areaUsed']) {
    pool[column].set(snapshot[column]);
  }
  pool.freeRuns.countOf.set(snapshot.freeRuns.countOf);
  pool.freeRuns.slots = snapshot.freeRuns.slots;
  pool.freeRuns.longest = snapshot.freeRuns.longest;
}

/** The linear engine has an empty index, as in a program that never uses the other. */
function restoreIndex(pool, snapshot, engine) {
  pool.freeIndex = structuredClone(snapshot.freeIndex);
  if (engine !== 'linear') return;
  pool.freeIndex.classes = [];
  pool.freeIndex.byKey.fill(undefined);
}

/** Replays the events; gives milliseconds and a checksum of slots and examined slots. */
function replay({ pool, events, kind }, search) {
  const plan = planOf(kind);
  const window = addressWindow(BASE, Number.POSITIVE_INFINITY);
  const tally = { examined: 0 };
  const released = { slot: 0, nslots: 0 };
  let checksum = 0;
  let failed = 0;
  let examined = 0;
  const begin = process.hrtime.bigint();
  for (let n = 0; n < events.length; n += 2) {
    const nslots = events[n];
    const value = events[n + 1];
    if (nslots === 0) {
      releaseSlots(pool, BASE + value * 2048, 0, undefined, released);
      continue;
    }
    plan.nslots = nslots;
    plan.matchBits = value;
    tally.examined = 0;
    const slot = search(pool, 0, plan, window, tally);
    examined += tally.examined;
    checksum = (Math.imul(checksum, 31) + slot) | 0;
    if (slot >= 0) takeSlots(pool, 0, slot, nslots, nslots * 2048);
    else failed++;
  }
  const ms = Number(process.hrtime.bigint() - begin) / 1e6;
  return { ms, failed, checksum: `${checksum} ${examined}` };
}

/** Nanoseconds per map and unmap of one engine in one round. */
function time(prepared, engine) {
  const { pool, snapshot, maps } = prepared;
  let ms = 0;
  let runs = 0;
  let result;
  while (ms < LEAST_MS) {
    restore(pool, snapshot);
    restoreIndex(pool, snapshot, engine);
    result = replay(prepared, SEARCHERS[engine]);
    ms += result.ms;
    runs++;
  }
  return { ...result, ns: (ms * 1e6) / (runs * maps) };
}

/** The other process: prepares once, then times a round whenever asked. */
function serve(engine, setting, kind) {
  const prepared = prepare(SETTINGS[setting], KINDS[kind]);
  process.on('message', () => process.send(time(prepared, engine)));
}

async function ask(child) {
  child.send('round');
  const [result] = await once(child, 'message');
  return result;
}

/** One setting: the engines in a process each, so that neither spoils the other's machine code, in turn. */
async function measure(setting, kind) {
  const [linear, indexed] = ['linear', 'indexed'].map((engine) =>
    fork(fileURLToPath(import.meta.url), [engine, setting, kind]),
  );
  const rounds = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const at = { linear: await ask(linear), indexed: await ask(indexed) };
    if (at.linear.checksum !== at.indexed.checksum) {
      throw new Error(`void: linear ${at.linear.checksum}, indexed ${at.indexed.checksum}`);
    }
    if (round > 0) rounds.push(at); // the first warms up
  }
  linear.disconnect();
  indexed.disconnect();
  return rounds;
}

/** The indexed search against the linear one, and 99 % full against 50 %. */
export async function measureSearch() {
  const rows = [];
  for (const [kind, { name }] of KINDS.entries()) {
    const halfFull = new Map();
    for (const [setting, { nslabs, full, goal }] of SETTINGS.entries()) {
      const rounds = await measure(setting, kind);
      const pairs = rounds.map((at) => [at.indexed.ns, at.linear.ns]);
      const what = `search, ${nslabs} slots, ${full * 100} % full, ${name} slot`;
      rows.push(row(what, 'linear', 'ns', pairs, { atLeast: goal }));
      if (full === 0.5) halfFull.set(nslabs, pairs);
      if (full !== 0.99) continue;
      const against = pairs.map(([ns], round) => [ns, halfFull.get(nslabs)[round][0]]);
      rows.push(row(what, '50 % full', 'ns', against, { atMost: 2 }));
    }
  }
  return rows;
}

// In the processes that measure() starts.

if (process.send !== undefined) serve(...process.argv.slice(2));
