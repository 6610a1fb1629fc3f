import { BIDIRECTIONAL, Flag, Op, Recorded } from '../../events/batch.js';
import { ADDRESS_LIMIT } from '../../events/numbers.js';
import { IO_TLB_SIZE } from '../../kernel/constants.js';
import { type Call, DIRS } from './calls.js';
import type { Context } from './contexts.js';
import { Field } from './fields.js';
import {
  free,
  freeRet,
  release,
  releaseLocked,
  returnWithoutEntry,
  unmap,
  unmapLocked,
  unmapRet,
} from './releases.js';
import type { TraceState } from './state.js';
import { canBePool, canHaveAreas } from './usable.js';

/** Acts on one record of a probe. Its fields are in the state. */
type ProbeHandler = (state: TraceState, context: Context) => void;

/** Lines before its return that a call without a record of its entry may have begun. */
const LONGEST_CALL = 4096;

/** swiotlb_tbl_map_single() begins. */
function map(state: TraceState, context: Context): void {
  beginRequest(state, context, Op.map);
}

/** swiotlb_alloc() begins. */
function alloc(state: TraceState, context: Context): void {
  const { values } = state.fields;
  const call = beginRequest(state, context, Op.alloc);
  call.origAddr = Number.NaN;
  const base = values[Field.mem_start];
  state.geometry.seeRestrictedPool(state.line, call.device, base, values[Field.mem_nslabs]);
}

function beginRequest(state: TraceState, context: Context, op: number): Call {
  const call = state.queue.begin(op, state.line, state.record, state.device());
  readRequest(state, call);
  seePool(state, true);
  seeOwnPool(state, call);
  context.requests.push(call);
  call.uses++;
  return call;
}

function readRequest(state: TraceState, call: Call): void {
  const { values } = state.fields;
  call.origAddr = values[Field.orig_addr];
  call.size = values[Field.size];
  call.allocSize = values[Field.alloc_size];
  call.allocAlignMask = values[Field.align_mask] || 0;
  call.dir = DIRS[values[Field.dir]] ?? BIDIRECTIONAL;
  state.geometry.seeDevice(state.line, call.device, values);
}

/** A device whose own pool is not the default one has a restricted pool. */
function seeOwnPool(state: TraceState, call: Call): void {
  const { values } = state.fields;
  const base = values[Field.mem_start];
  if (!(base > 0)) return;
  const ofAll = state.info.pools.find(({ restricted }) => !restricted);
  if (ofAll === undefined || base === ofAll.base) return;
  state.geometry.seeRestrictedPool(state.line, call.device, base, values[Field.mem_nslabs]);
}

/**
 * The default pool, where the probe shows it, and its areas' start indexes.
 * @param isBefore the record was made before the search, which moves the indexes
 */
function seePool(state: TraceState, isBefore: boolean): void {
  const { values } = state.fields;
  if (state.geometry.isSettled) return;
  if (isBefore && values[Field.idx0] >= 0) state.geometry.seeStartIndexes(values);
  if (values[Field.base] >= 0) state.geometry.seeDefaultPool(state.line, values);
}

/** The lock of an area is held: this is the moment at which the call takes effect. */
function mapLocked(state: TraceState, context: Context): void {
  const call = innermost(context.requests);
  if (call === undefined) return;
  look(state, call);
  seePool(state, call.looks === 1);
}

function look(state: TraceState, call: Call): void {
  if (call.looks++ === 0) {
    call.firstLook = state.line;
    call.cpu = state.record.cpu;
    call.at = state.line;
    state.queue.hold(call);
  }
  state.queue.moveTo(call, state.line);
  call.time = state.record.time;
}

/** swiotlb_search_pool_area() begins. */
function search(state: TraceState, context: Context): void {
  const { values } = state.fields;
  const call = innermost(context.requests);
  if (call === undefined) return;
  call.pool = values[Field.pool];
  call.area = values[Field.area];
  if (values[Field.transient] >= 0) state.info.dynamic = true;
  call.isTransient = isTransient(state, call);
  if (call.isTransient || !canBePool(call.pool, values[Field.nslabs])) return;
  if (!isKnownPool(state, call.pool)) adoptPool(state, call);
  if (call.area === 0) state.geometry.seeStartIndex(call.pool, 0, values[Field.idx0]);
}

function isKnownPool(state: TraceState, base: number): boolean {
  return state.geometry.knows(base) || state.grownPools.has(base);
}

/**
 * A transient pool is marked as one only after the search in it: until then it is told by being new,
 * the last to be searched, and just as large as the request.
 */
function isTransient(state: TraceState, call: Call): boolean {
  const { values } = state.fields;
  if (values[Field.transient] === 1) return true;
  const slots = Math.ceil(values[Field.alloc_size] / IO_TLB_SIZE);
  return call.looks > 0 && values[Field.nslabs] === slots && !isKnownPool(state, call.pool);
}

/** A pool that no record declared: the first is the default one, others joined before the trace began. */
function adoptPool(state: TraceState, call: Call): void {
  const { values } = state.fields;
  if (state.info.pools.some(({ restricted }) => !restricted)) {
    grown(state, call.pool, values[Field.nslabs], values[Field.nareas]);
    return;
  }
  values[Field.base] = call.pool;
  state.geometry.seeDefaultPool(state.line, values);
}

function searchLocked(state: TraceState, context: Context): void {
  const call = innermost(context.requests);
  if (call === undefined) return;
  look(state, call);
  const index = state.fields.values[Field.idx];
  if (!call.isTransient) state.geometry.seeStartIndex(call.pool, call.area, index);
}

function searchRet(state: TraceState, context: Context): void {
  const call = innermost(context.requests);
  const index = state.fields.values[Field.index];
  if (call === undefined || Number.isNaN(index)) return;
  if (call.isTransient && call.pool < ADDRESS_LIMIT) {
    call.flag = index >= 0 ? Flag.transient : Flag.transientFailed;
    call.flagValue = call.pool;
  }
  if (call.op !== Op.alloc) return;
  call.recorded = index >= 0 ? Recorded.address : Recorded.full;
  call.tlbAddr = index >= 0 ? call.pool + index * IO_TLB_SIZE : Number.NaN;
}

function mapRet(state: TraceState, context: Context): void {
  const call = endRequest(state, context);
  if (call === undefined) return;
  seePool(state, false);
  readResult(call, state.fields.values[Field.ret]);
  state.losses.seeMap(state.line);
  finishRequest(state, call);
}

function readResult(call: Call, result: number): void {
  if (Number.isNaN(result)) return;
  const isAddress = result < ADDRESS_LIMIT;
  call.recorded = isAddress ? Recorded.address : Recorded.full;
  call.tlbAddr = isAddress ? result : Number.NaN;
}

function allocRet(state: TraceState, context: Context): void {
  const call = endRequest(state, context);
  if (call === undefined) return;
  const page = state.fields.values[Field.page];
  if (page === 0) readResult(call, Number.POSITIVE_INFINITY);
  else if (call.recorded === Recorded.address) state.slotOfPage.set(page, call.tlbAddr);
  finishRequest(state, call);
}

function endRequest(state: TraceState, context: Context): Call | undefined {
  const call = context.requests.pop();
  if (call === undefined) returnWithoutEntry(state, context);
  else state.queue.leave(call);
  return call;
}

function finishRequest(state: TraceState, call: Call): void {
  if (call.looks === 0) {
    call.at = state.line;
    call.time = state.record.time;
    call.slack = call.line;
  } else if (call.looks > 1) {
    call.slack = call.firstLook;
  }
  state.finish(call);
}

/** A map known by one record at its return (an fprobe): it began after what its task did before. */
function mapx(state: TraceState, context: Context): void {
  const call = state.queue.begin(Op.map, state.line, state.record, state.device());
  readRequest(state, call);
  seePool(state, false);
  seeOwnPool(state, call);
  readResult(call, state.fields.values[Field.ret]);
  state.losses.seeMap(state.line);
  call.at = state.line;
  const before = state.record.level === 0 ? 0 : context.lastLine[state.level];
  call.slack = Math.max(before, state.line - LONGEST_CALL, 1);
  state.finish(call);
}

function sync(state: TraceState, op: number): void {
  const { values } = state.fields;
  const call = state.queue.begin(op, state.line, state.record, state.device());
  call.size = values[Field.size];
  call.dir = DIRS[values[Field.dir]] ?? BIDIRECTIONAL;
  call.tlbAddr = values[Field.tlb_addr];
  call.recorded = Recorded.address;
  call.at = state.line;
  state.finish(call);
}

/** A pool joins the default allocator. */
function poolAdd(state: TraceState): void {
  const { values } = state.fields;
  state.info.dynamic = true;
  grown(state, values[Field.start], values[Field.nslabs], values[Field.nareas]);
}

function grown(state: TraceState, base: number, nslabs: number, areas: number): void {
  if (!canBePool(base, nslabs) || state.grownPools.has(base)) return;
  state.grownPools.add(base);
  const call = state.queue.begin(Op.grow, state.line, state.record, -1);
  call.origAddr = base;
  call.size = nslabs;
  call.flag = Flag.areas;
  call.flagValue = canHaveAreas(areas, nslabs) ? areas : 1;
  call.at = state.line;
  state.finish(call);
}

function innermost(calls: Call[]): Call | undefined {
  return calls[calls.length - 1];
}

/** A probe: what it does with a record, and which fields it reads. */
export interface Probe {
  act: ProbeHandler;
  /** The last field that is wanted once the pool is known; `none` for records that only mark a moment. */
  last?: number | 'none';
}

/** Every record of our recipes and of the recorded runs that a replay uses. */
export const PROBES: Record<string, Probe> = {
  map: { act: map, last: Field.dma_mask },
  map_locked: { act: mapLocked, last: 'none' },
  map_ret: { act: mapRet, last: Field.ret },
  mapx: { act: mapx, last: Field.ret },
  unmap: { act: unmap, last: Field.attrs },
  unmap_locked: { act: unmapLocked, last: 'none' },
  unmap_ret: { act: unmapRet, last: 'none' },
  search: { act: search },
  search_locked: { act: searchLocked },
  search_ret: { act: searchRet },
  alloc: { act: alloc },
  alloc_ret: { act: allocRet },
  free: { act: free },
  free_ret: { act: freeRet, last: 'none' },
  release: { act: release },
  release_locked: { act: releaseLocked, last: 'none' },
  pool_add: { act: poolAdd },
  sync: {
    act: (state) =>
      sync(state, state.fields.values[Field.target] === 1 ? Op.syncForDevice : Op.syncForCpu),
  },
  sync_cpu: { act: (state) => sync(state, Op.syncForCpu) },
  sync_dev: { act: (state) => sync(state, Op.syncForDevice) },
};
