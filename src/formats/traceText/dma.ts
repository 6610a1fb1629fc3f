import { BIDIRECTIONAL, DIR_NAMES, Op, Recorded } from '../../events/batch.js';
import { ADDRESS_LIMIT } from '../../events/numbers.js';
import type { PoolPlace } from '../../events/trace.js';
import { type Call, DIRS } from './calls.js';
import type { Context } from './contexts.js';
import { Field } from './fields.js';
import { bodyText, listOf } from './lists.js';
import type { TraceState } from './state.js';

/*
 * The stock events dma:* (v6.12 and later) print the original address and the one that the device
 * got. Where no probe shows the allocator itself, a mapping whose address lies in a pool was bounced.
 */

/** Acts on one record of a stock event. */
export type DmaHandler = (state: TraceState, context: Context) => void;

/** Lines before its record, which is made at the end, that a call may have taken effect in. */
const REACH = 64;

/** More than the buffers that the text of one list holds. */
const MAX_PARTS = 65_536;

/** The device is the first word behind the event's name, but in trace-cmd's raw form. */
function deviceOf(state: TraceState): number {
  const { fields, record, bytes } = state;
  if (fields.devTo === fields.devFrom) {
    fields.devFrom = fields.devTo = record.bodyFrom;
    while (fields.devTo < record.bodyTo && bytes[fields.devTo] !== 0x20) fields.devTo++;
  }
  return state.device();
}

/** A word, or in raw form the number of it. */
function dirOf({ fields, bytes }: TraceState): number {
  if (fields.dirTo === fields.dirFrom) return DIRS[fields.values[Field.dir]] ?? BIDIRECTIONAL;
  const word = bytes.toString('latin1', fields.dirFrom, fields.dirTo).toLowerCase();
  const dir = DIR_NAMES.indexOf(word);
  return dir >= 0 ? dir : BIDIRECTIONAL;
}

function callAtReturn(state: TraceState, op: number, part: number): Call {
  const call = state.queue.begin(op, state.line, state.record, deviceOf(state));
  call.dir = dirOf(state);
  call.at = state.line + part / MAX_PARTS;
  call.slack = Math.max(1, state.line - REACH);
  return call;
}

/** Emits the map of one buffer, if it was bounced. @param part number of the buffer in its list */
function emitMap(
  state: TraceState,
  physAddr: number,
  dmaAddr: number,
  size: number,
  part: number,
): void {
  const pool = state.geometry.poolAt(dmaAddr);
  if (pool === undefined || dmaAddr === physAddr) {
    state.direct++;
    return;
  }
  state.isDmaTrace = true;
  const call = callAtReturn(state, Op.map, part);
  call.origAddr = physAddr;
  call.size = size;
  call.recorded = Recorded.address;
  call.tlbAddr = dmaAddr;
  usePool(state, call, pool);
  state.finish(call);
}

/** A device with addresses in a restricted pool has no other. */
function usePool({ info }: TraceState, call: Call, pool: PoolPlace): void {
  if (pool.restricted) info.devices[call.device].pool ??= pool.name;
}

function map(state: TraceState, context: Context): void {
  const { values } = state.fields;
  const dmaAddr = values[Field.dma_addr];
  if (dmaAddr < ADDRESS_LIMIT) {
    emitMap(state, values[Field.phys_addr], dmaAddr, values[Field.size], 0);
  } else if (Number.isNaN(dmaAddr)) {
    state.problem('the dma_addr of a mapping cannot be read');
  } else if (!state.geometry.hasPools()) {
    state.direct++;
  } else if (context.bounced > 0) {
    const call = callAtReturn(state, Op.map, 0);
    call.origAddr = values[Field.phys_addr];
    call.size = values[Field.size];
    call.recorded = Recorded.full;
    state.finish(call);
  }
  context.bounced = 0;
}

function emitRelease(
  state: TraceState,
  op: number,
  dmaAddr: number,
  size: number,
  part: number,
): void {
  if (!state.isDmaTrace || state.geometry.poolAt(dmaAddr) === undefined) return;
  const call = callAtReturn(state, op, part);
  call.size = size;
  call.recorded = Recorded.address;
  call.tlbAddr = dmaAddr;
  state.finish(call);
}

function unmap(state: TraceState): void {
  const { values } = state.fields;
  emitRelease(state, Op.unmap, values[Field.dma_addr], values[Field.size], 0);
}

function mapSg(state: TraceState, context: Context): void {
  context.bounced = 0;
  const text = bodyText(state);
  const phys = listOf(text, 'phys_addrs', 8);
  const dma = listOf(text, 'dma_addrs', 8);
  const sizes = sizesOf(text);
  if (phys === undefined || dma === undefined || sizes === undefined) {
    state.problem('the lists of a dma_map_sg cannot be read');
    return;
  }
  if (TRUNCATED.test(text)) state.losses.truncatedList(state.line);
  const device = deviceOf(state);
  dma.forEach((dmaAddr, part) => {
    emitMap(state, phys[part], dmaAddr, sizes[part], part);
    if (state.geometry.poolAt(dmaAddr) !== undefined) {
      state.dmaOfPhys.set(`${device} ${phys[part]}`, { dmaAddr, size: sizes[part] });
    }
  });
}

/** As it is printed, and as the raw field of trace-cmd. */
const TRUNCATED = / (\[TRUNCATED\]|truncated=1) /;

function sizesOf(text: string): number[] | undefined {
  return listOf(text, 'sizes', 4) ?? listOf(text, 'lengths', 4);
}

/**
 * What was mapped of a list that failed has been released, which moved the start index unseen. The
 * addresses that it prints are the original ones, whatever the kernel calls them.
 */
function mapSgErr(state: TraceState, context: Context): void {
  if (context.bounced > 0) state.losses.failedList(state.line);
  context.bounced = 0;
}

function syncSg(state: TraceState, op: number): void {
  const text = bodyText(state);
  const dma = listOf(text, 'dma_addrs', 8);
  const sizes = sizesOf(text);
  if (dma === undefined || sizes === undefined) {
    state.problem('the lists of a dma_sync_sg cannot be read');
    return;
  }
  dma.forEach((dmaAddr, part) => {
    emitRelease(state, op, dmaAddr, sizes[part], part);
  });
}

/** Tells only the original addresses: the map of the same list tells where they were bounced to. */
function unmapSg(state: TraceState): void {
  const text = bodyText(state);
  const phys = listOf(text, 'phys_addrs', 8) ?? listOf(text, 'addrs', 8) ?? [];
  const device = deviceOf(state);
  phys.forEach((physAddr, part) => {
    const key = `${device} ${physAddr}`;
    const mapped = state.dmaOfPhys.get(key);
    if (mapped === undefined) return;
    state.dmaOfPhys.delete(key);
    emitRelease(state, Op.unmap, mapped.dmaAddr, mapped.size, part);
  });
}

/** Coherent memory comes from a pool only where the pool is a restricted one. */
function alloc(state: TraceState): void {
  const { values } = state.fields;
  const dmaAddr = values[Field.dma_addr];
  const pool = state.geometry.poolAt(dmaAddr);
  if (pool?.restricted !== true) return;
  const call = callAtReturn(state, Op.alloc, 0);
  usePool(state, call, pool);
  const pageSize = state.info.pageSize ?? state.pageSize;
  call.size = Math.ceil(values[Field.size] / pageSize) * pageSize;
  call.recorded = Recorded.address;
  call.tlbAddr = dmaAddr;
  state.isDmaTrace = true;
  state.finish(call);
}

function free(state: TraceState): void {
  const { values } = state.fields;
  const dmaAddr = values[Field.dma_addr];
  if (state.geometry.poolAt(dmaAddr)?.restricted !== true) return;
  emitRelease(state, Op.free, dmaAddr, values[Field.size], 0);
}

/** The stock events that a replay can use where no probe shows the allocator. */
export const DMA_EVENTS: Record<string, DmaHandler> = {
  dma_map_page: map,
  dma_map_phys: map,
  dma_unmap_page: unmap,
  dma_unmap_phys: unmap,
  dma_map_sg: mapSg,
  dma_map_sg_err: mapSgErr,
  dma_unmap_sg: unmapSg,
  dma_alloc: alloc,
  dma_alloc_pages: alloc,
  dma_alloc_sgt: alloc,
  dma_free: free,
  dma_free_pages: free,
  dma_free_sgt: free,
  dma_sync_single_for_cpu: (state) => {
    const { values } = state.fields;
    emitRelease(state, Op.syncForCpu, values[Field.dma_addr], values[Field.size], 0);
  },
  dma_sync_single_for_device: (state) => {
    const { values } = state.fields;
    emitRelease(state, Op.syncForDevice, values[Field.dma_addr], values[Field.size], 0);
  },
  dma_sync_sg_for_cpu: (state) => syncSg(state, Op.syncForCpu),
  dma_sync_sg_for_device: (state) => syncSg(state, Op.syncForDevice),
};
