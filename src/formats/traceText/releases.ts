import { BIDIRECTIONAL, Op, Recorded } from '../../events/batch.js';
import { ADDRESS_LIMIT } from '../../events/numbers.js';
import { type Call, DIRS } from './calls.js';
import type { Context } from './contexts.js';
import { Field } from './fields.js';
import type { TraceState } from './state.js';

/** Without a record of the end of a call, lines within which it may have taken effect. */
export const UNKNOWN_REACH = 64;

/** An unmap or free begins; it takes effect now, or where a record shows its lock. */
export function unmap(state: TraceState, context: Context): void {
  beginRelease(state, context, Op.unmap, state.fields.values[Field.tlb_addr]);
}

function beginRelease(state: TraceState, context: Context, op: number, address: number): void {
  const { values } = state.fields;
  const call = state.queue.begin(op, state.line, state.record, state.device());
  call.size = values[Field.size];
  call.allocSize = values[Field.alloc_size];
  call.dir = DIRS[values[Field.dir]] ?? BIDIRECTIONAL;
  call.tlbAddr = address;
  call.recorded = Number.isNaN(address) ? Recorded.none : Recorded.address;
  call.at = state.line;
  state.queue.hold(call);
  dropEnded(state, context);
  context.releases.push(call);
  call.uses++;
  if (!state.showsEnd[op]) {
    if (state.record.level !== 0) {
      const before = context.endless[state.level];
      if (before !== undefined) state.queue.leave(before);
      context.endless[state.level] = call;
      call.uses++;
    }
    state.endless.push(call);
    call.uses++;
  }
}

/** swiotlb_release_slots() tells the address of the free that it is called for. */
export function release(state: TraceState, context: Context): void {
  const call = innermostOpen(context.releases);
  if (call === undefined || call.recorded === Recorded.address) return;
  call.tlbAddr = state.fields.values[Field.tlb_addr];
  if (call.tlbAddr < ADDRESS_LIMIT) call.recorded = Recorded.address;
}

export function unmapLocked(state: TraceState, context: Context): void {
  showEnd(state, Op.unmap);
  lock(state, context);
}

/** swiotlb_release_slots() has the lock; unmap and free both call it. */
export function releaseLocked(state: TraceState, context: Context): void {
  showEnd(state, Op.unmap);
  showEnd(state, Op.free);
  lock(state, context);
}

function lock(state: TraceState, context: Context): void {
  state.showsReleaseLock = true;
  const call = innermostOpen(context.releases);
  if (call === undefined) return;
  call.at = state.line;
  call.time = state.record.time;
  call.looks = 1;
  endRelease(state, call, state.line);
}

/** The end of an unmap or free is recorded after all: those in flight wait for it. */
function showEnd(state: TraceState, op: number): void {
  if (state.showsEnd[op]) return;
  state.showsEnd[op] = true;
  state.endless = state.endless.slice(state.ended).filter((call) => call.op !== op);
  state.ended = 0;
}

/** Where no record shows the return of a release, those that have ended are kept only above one that has not. */
function dropEnded({ showsReleaseRet, queue }: TraceState, { releases }: Context): void {
  if (showsReleaseRet) return;
  while (releases.length > 0 && !releases[0].isOpen) queue.leave(releases.shift() as Call);
}

function innermostOpen(calls: Call[]): Call | undefined {
  let n = calls.length - 1;
  while (n >= 0 && !calls[n].isOpen) n--;
  return calls[n];
}

export function unmapRet(state: TraceState, context: Context): void {
  returnFrom(state, context, Op.unmap);
}

export function freeRet(state: TraceState, context: Context): void {
  returnFrom(state, context, Op.free);
}

function returnFrom(state: TraceState, context: Context, op: number): void {
  showEnd(state, op);
  state.showsReleaseRet = true;
  const { releases } = context;
  // Returns of the other kind may not be recorded.
  let call = releases.pop();
  while (call !== undefined && call.op !== op && !call.isOpen) call = releases.pop();
  if (call !== undefined) {
    endRelease(state, call, state.line);
    state.queue.leave(call);
  } else if (!state.showsReleaseLock) returnWithoutEntry(state, context);
}

/** A call that began before the trace did returns once in each task; more of them were lost. */
export function returnWithoutEntry(state: TraceState, context: Context): void {
  const isFirst = context.lastLine.every((line) => line === 0);
  if (!isFirst) state.losses.returnWithoutEntry(state.line);
}

/** @param latest the line by which it had taken effect, where its lock was not recorded */
export function endRelease(state: TraceState, call: Call, latest: number): void {
  if (!call.isOpen) return;
  if (call.looks === 0) call.slack = latest;
  // swiotlb_free() of a page that is not its own releases nothing.
  if (call.recorded === Recorded.none) state.queue.forget(call);
  else state.finish(call);
}

/** swiotlb_free() begins. The slots are those that swiotlb_alloc() made the page of. */
export function free(state: TraceState, context: Context): void {
  const page = state.fields.values[Field.page];
  const address = state.slotOfPage.get(page) ?? Number.NaN;
  state.slotOfPage.delete(page);
  beginRelease(state, context, Op.free, address);
}
