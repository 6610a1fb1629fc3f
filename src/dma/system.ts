import { IO_TLB_SIZE } from '../kernel/constants.js';
import type { IommuRelease } from '../kernel/iommuRelease.js';
import { emptyRequest, type MapRequest } from '../kernel/plan.js';
import {
  type Allocator,
  emptyAnswer,
  emptyReleased,
  type MapAnswer,
  type Released,
} from '../swiotlb/allocator.js';
import type { Pool } from '../swiotlb/pool.js';
import type { DmaDevice } from './device.js';
import { createMemory, type Memory } from './memory.js';

/** Directions of a mapping (enum dma_data_direction). */
export const Dir = { bidirectional: 0, toDevice: 1, fromDevice: 2 } as const;

/** Attributes of a call (DMA_ATTR_*). */
export const Attr = { skipCpuSync: 0x20, forceContiguous: 0x40, allocSinglePages: 0x80 } as const;

/** Maintenance of the CPU's caches for one range. */
export interface CacheSync {
  /** For the device (clean), or for the CPU (invalidate). */
  for: 'device' | 'cpu';
  phys: number;
  length: number;
}

/** Granules of a device that follow each other. */
export interface GranuleRange {
  pfn: number;
  count: number;
}

/** What one call did besides its result. */
export interface Effects {
  /** Copies into and out of the pool, and their bytes. */
  copiesIn: number;
  bytesIn: number;
  copiesOut: number;
  bytesOut: number;
  /** In their order. */
  cacheSyncs: CacheSync[];
  /** Warnings that the kernel would print. */
  warnings: number;
  /** Zero-fills whose length wraps to nearly 2^64 (patch 5 of August 2021); not carried out. */
  strayFills: number;
  /** Copies to or from an address nearly 4 GiB off (up to v5.14); not carried out. */
  strayCopies: number;
  /** What could not be mapped because some of it was mapped already. */
  collisions: GranuleRange[];
  /** What a list's map had mapped before an entry of it failed, and unmapped again. */
  undone: GranuleRange[];
}

/** Why a call cannot map something, told while all is as it was found. */
export interface Refusal {
  why: 'no-slots' | 'endless' | 'no-address' | 'no-pages' | 'unaligned' | 'wide-align-mask';
  device: DmaDevice;
  /** Bytes: of the bounce buffer's data, or of device addresses or pages. */
  size: number;
}

/** A machine: a kernel, its memory, and the pool that its devices bounce through. */
export interface DmaSystem {
  release: IommuRelease;
  /** PAGE_SIZE, bytes. */
  pageSize: number;
  memory: Memory;
  allocator: Allocator;
  /** Per slot of each pool: the original address that is stored there; NaN for none. */
  origAddrs: Map<Pool, Float64Array>;
  /** The CPU and the millisecond of the call; whoever makes it sets both. */
  cpu: number;
  now: number;
  /** A number for what the call maps or writes, above 0: its line in the trace. */
  call: number;
  /** What the call did; emptied by startCall(). */
  effects: Effects;
  /** Told what a call cannot map, before it undoes what it has done so far. */
  onRefusal: ((refusal: Refusal) => void) | undefined;
  /** Reused by every call. */
  request: MapRequest;
  answer: MapAnswer;
  released: Released;
}

function noEffects(): Effects {
  return {
    copiesIn: 0,
    bytesIn: 0,
    copiesOut: 0,
    bytesOut: 0,
    cacheSyncs: [],
    warnings: 0,
    strayFills: 0,
    strayCopies: 0,
    collisions: [],
    undone: [],
  };
}

/** Nothing done, in an object that was used before; who keeps a list of the last call keeps its own. */
function empty(effects: Effects): void {
  effects.copiesIn = 0;
  effects.bytesIn = 0;
  effects.copiesOut = 0;
  effects.bytesOut = 0;
  if (effects.cacheSyncs.length > 0) effects.cacheSyncs = [];
  effects.warnings = 0;
  effects.strayFills = 0;
  effects.strayCopies = 0;
  if (effects.collisions.length > 0) effects.collisions = [];
  if (effects.undone.length > 0) effects.undone = [];
}

/** A machine whose memory nobody has written, all of its pool's slots free. */
export function createDmaSystem(
  release: IommuRelease,
  pageSize: number,
  allocator: Allocator,
): DmaSystem {
  const { base, nslabs } = allocator.pool;
  return {
    release,
    pageSize,
    memory: createMemory(base, nslabs * IO_TLB_SIZE),
    allocator,
    origAddrs: new Map(),
    cpu: 0,
    now: 0,
    call: 0,
    effects: noEffects(),
    onRefusal: undefined,
    request: emptyRequest(),
    answer: emptyAnswer(),
    released: emptyReleased(),
  };
}

/** A new call begins, on a CPU at a time. */
export function startCall(system: DmaSystem, call: number, cpu: number, now: number): void {
  system.call = call;
  system.cpu = cpu;
  system.now = now;
  empty(system.effects);
}

/** Whether a mapping of that direction carries data to the device. */
export function isToDevice(dir: number): boolean {
  return dir !== Dir.fromDevice;
}

/** Whether a mapping of that direction carries data from the device. */
export function isFromDevice(dir: number): boolean {
  return dir !== Dir.toDevice;
}

/** Whether a call leaves the data to its caller (DMA_ATTR_SKIP_CPU_SYNC). */
export function skipsSync(attrs: number): boolean {
  return (attrs & Attr.skipCpuSync) !== 0;
}
