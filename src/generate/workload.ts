import { createBatch, type EventBatch } from '../events/batch.js';
import type { Release } from '../kernel/release.js';
import { type Allocator, createAllocator, createDevice } from '../swiotlb/allocator.js';
import { createPool, type PoolGeometry } from '../swiotlb/pool.js';
import { DEFAULT_SEARCH, SEARCHERS } from '../swiotlb/searchers.js';
import { createCallers } from './callers.js';
import { drawMischief, type MischiefRate, unmapsOwed } from './mischief.js';
import { createRandom, type Random } from './random.js';
import { COPYBREAK, type DeviceKind, type Part, type SizeMix, type Stream } from './shapes.js';
import { createTimeline } from './timeline.js';

/** What is to be generated. */
export interface WorkloadOptions {
  /** Whose allocator gives the results. */
  release: Release;
  /** PAGE_SIZE in bytes. */
  pageSize: number;
  pool: PoolGeometry;
  kinds: readonly DeviceKind[];
  /** Devices of each kind. */
  devices: number;
  cpus: number;
  /** From 0 to 2^53 - 1. */
  seed: number;
  mischief: readonly MischiefRate[];
  /** Events at most; Infinity for no such end. */
  events: number;
  /** Nanoseconds after which nothing new is asked for; Infinity for no such end. */
  duration: number;
}

/** A workload that is asked for its events piece by piece. */
export interface Workload {
  devices: readonly { name: string; minAlignMask: number }[];
  allocator: Allocator;
  /** Nanoseconds of the workload that have passed. */
  now(): number;
  /** Events that were handed out. */
  events(): number;
  /**
   * The next events, in a batch that is reused; none at the end, by when all is unmapped that will ever be.
   */
  next(): EventBatch;
}

/** Boundary of a device that says nothing: 4 GiB. */
const SEG_BOUNDARY = 0xffff_ffff;

/** Original buffers lie above 4 GiB, in 16 GiB. */
const RAM_START = 2 ** 32;
const RAM_PAGES = 2 ** 22;

/** Room in a batch for what one moment can bring: a burst of requests, of three parts that are given back. */
const ROOM = 512;

/** Nanoseconds between two buffers while a ring is filled. */
const FILL_STEP = 1000;

const TO_DEVICE = 0;
const FROM_DEVICE = 1;

/** A stream at work. */
interface Worker {
  device: number;
  stream: Stream;
  /** Requests in flight, or of a ring buffers. */
  busy: number;
  /** Requests that came when it had no room. */
  waiting: number;
  /** Mappings of a ring, the oldest first. */
  ring: number[];
}

/** A request in flight. */
interface Flight {
  worker: Worker;
  mappings: number[];
  cpu: number;
}

/**
 * A workload and the model that serves it. The same options give the same events on every machine.
 */
export function createWorkload(options: WorkloadOptions): Workload {
  const { release, pageSize, kinds, cpus, mischief } = options;
  const random = createRandom(options.seed);
  const pool = createPool(options.pool, release.clampsTail);
  const allocator = createAllocator(pool, false, SEARCHERS[DEFAULT_SEARCH]);
  const all = kinds.flatMap((kind) =>
    Array.from({ length: options.devices }, (_, n) => ({ ...kind, name: kind.name(n) })),
  );
  const devices = all.map(({ name, minAlignMask }) =>
    createDevice(name, minAlignMask, SEG_BOUNDARY, Number.POSITIVE_INFINITY, allocator),
  );
  const batch = createBatch();
  const callers = createCallers(release, pageSize, devices, batch);
  const timeline = createTimeline();
  const workers: Worker[] = all.flatMap(({ streams }, device) =>
    streams.map((stream) => ({ device, stream, busy: 0, waiting: 0, ring: [] })),
  );
  const flights: Flight[] = [];
  const unused: number[] = [];
  let isEnding = false;

  // Numbers below workers.length are arrivals; the others, less that, are ends of flights.
  workers.forEach((_, worker) => {
    timeline.add(1 + random.below(FILL_STEP), worker);
  });

  /** Whether so many events fit, with the unmaps that will have to follow them. */
  function fits(events: number): boolean {
    return callers.events + callers.owed + events <= options.events;
  }

  /** Maps one part; -1 where it was refused, or no event is left. */
  function mapPart({ device }: Worker, part: Part, cpu: number): number {
    const fate = drawMischief(mischief, random);
    if (!fits(1 + unmapsOwed(fate))) {
      isEnding = true;
      return -1;
    }
    return callers.map({
      device,
      origAddr:
        RAM_START +
        random.below(RAM_PAGES) * 4096 +
        random.below(part.within / part.step) * part.step,
      size: drawSize(part.sizes, random),
      dir: random.below(100) < part.fromPercent ? FROM_DEVICE : TO_DEVICE,
      cpu,
      mischief: fate,
    });
  }

  function submit(worker: Worker): void {
    const { parts, latency } = worker.stream;
    const cpu = random.below(cpus);
    const mappings: number[] = [];
    for (const part of parts) {
      const mapping = mapPart(worker, part, cpu);
      if (mapping < 0) {
        // As drivers do: what was had for the request goes back.
        for (const had of mappings) callers.unmap(had, cpu);
        return;
      }
      mappings.push(mapping);
    }
    const flight = unused.pop() ?? flights.length;
    flights[flight] = { worker, mappings, cpu };
    worker.busy++;
    timeline.add(callers.now + drawLatency(latency, random), workers.length + flight);
  }

  function land(flight: number): void {
    const { worker, mappings, cpu } = flights[flight];
    unused.push(flight);
    // Interrupts mostly come to the CPU that asked.
    const onCpu = random.below(8) === 0 ? random.below(cpus) : cpu;
    for (const mapping of mappings) callers.unmap(mapping, onCpu);
    worker.busy--;
    if (worker.waiting > 0 && !isEnding) {
      worker.waiting--;
      submit(worker);
    }
  }

  function addBuffer(worker: Worker): void {
    const mapping = mapPart(worker, worker.stream.parts[0], random.below(cpus));
    if (mapping >= 0) worker.ring.push(mapping);
  }

  function receive(worker: Worker): void {
    const bytes = drawSize(worker.stream.packets as SizeMix, random);
    const oldest = worker.ring.shift();
    if (oldest === undefined) return;
    if (bytes <= COPYBREAK && fits(2)) {
      callers.sync(oldest, bytes);
      worker.ring.push(oldest);
      return;
    }
    callers.unmap(oldest, random.below(cpus));
    addBuffer(worker);
  }

  /** What a stream does next, and when it does something again. */
  function arrive(number: number): void {
    const worker = workers[number];
    const { kind, rate, depth, burst } = worker.stream;
    if (kind === 'ring' && worker.ring.length < depth) {
      addBuffer(worker);
      timeline.add(callers.now + FILL_STEP, number);
      return;
    }
    const size = 1 + random.below(burst);
    const interval = Math.ceil((size * 1e9) / rate);
    timeline.add(callers.now + 1 + random.below(2 * interval), number);
    for (let n = 0; n < size && !isEnding; n++) {
      if (kind === 'ring') receive(worker);
      else if (worker.busy < depth) submit(worker);
      else worker.waiting++;
    }
  }

  /** Unmaps what rings still hold, as far as the batch has room. */
  function emptyRings(): void {
    for (const { ring } of workers) {
      while (ring.length > 0 && batch.length < batch.line.length - ROOM) {
        callers.now += FILL_STEP;
        callers.unmap(ring.shift() as number, random.below(cpus));
      }
    }
  }

  return {
    devices: all,
    allocator,
    now: () => callers.now,
    events: () => callers.events,
    next() {
      batch.length = 0;
      while (timeline.length > 0 && batch.length < batch.line.length - ROOM) {
        const time = timeline.nextTime();
        isEnding ||= time > options.duration;
        callers.now = time;
        const what = timeline.take();
        if (what >= workers.length) land(what - workers.length);
        else if (!isEnding) arrive(what);
      }
      if (timeline.length === 0) emptyRings();
      return batch;
    },
  };
}

function drawSize(sizes: SizeMix, random: Random): number {
  let total = 0;
  for (const [, weight] of sizes) total += weight;
  let at = random.below(total);
  for (const [size, weight] of sizes) {
    at -= weight;
    if (at < 0) return size;
  }
  return sizes[0][0];
}

/** Most near the least, one in 64 eight times as late. */
function drawLatency([least, spread]: Stream['latency'], random: Random): number {
  const late = random.below(64) === 0 ? 8 : 1;
  return least + random.below(spread + 1) * late + 1;
}
