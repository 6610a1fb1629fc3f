import type { EventBatch } from '../../events/batch.js';
import { isFull } from '../../events/batch.js';
import { createDeviceNames, deviceNumber, MAX_NAME_BYTES } from '../../events/names.js';
import { createRecentNames, recentDeviceNumber } from '../../events/recentNames.js';
import { logProblem } from '../../events/trace.js';
import type { LineParser, ParseContext } from '../format.js';
import { endOfText, isBlank, NEWLINE, textOf } from '../lines.js';
import { viewOf } from '../literals.js';
import { type Call, createCallQueue } from './calls.js';
import { type Contexts, contextOf, dropBegun, isNmi, levelOf } from './contexts.js';
import { DMA_EVENTS } from './dma.js';
import { inferMinAlignMasks } from './dmaMasks.js';
import { emptyFields, emptyLayout, scanFields } from './fields.js';
import { createGeometry } from './geometry.js';
import { createIommuScanner } from './iommu.js';
import { createLossLog } from './losses.js';
import { MOST_PLANS, planOf, readPlainFields } from './plainFields.js';
import { createRecentStarts, readPlainStart, rememberStart } from './plainStart.js';
import { PROBES } from './probes.js';
import { emptyRecord, isProbeBody, scanRecord } from './record.js';
import { endRelease, UNKNOWN_REACH } from './releases.js';
import type { TraceState } from './state.js';
import { whyUnusable } from './usable.js';
import { createWordTable, wordNumber } from './words.js';

const PROBE_NAMES = Object.keys(PROBES);
const DMA_NAMES = Object.keys(DMA_EVENTS);
const eventNames = createWordTable([...PROBE_NAMES, ...DMA_NAMES, 'swiotlb_bounced']);
const handlers = [...Object.values(PROBES).map(({ act }) => act), ...Object.values(DMA_EVENTS)];

/** The last field of each event that is wanted once the pool is known; -1 for all, -2 for none. */
const lastFields = Object.values(PROBES).map(({ last = -1 }) => (last === 'none' ? -2 : last));
const FIRST_DMA = PROBE_NAMES.length;
const BOUNCED = FIRST_DMA + DMA_NAMES.length;

/** Calls without a return that keep others waiting are given up after so many lines. */
const PATIENCE = 100_000;

/** Calls that began so close to the trace's end may simply have returned after it. */
const LAST_LINES = 10_000;

/** How often that is looked after, in lines. */
const PURGE_EVERY = 1024;

/** Unmaps that have ended leave the list of those whose end nothing shows in one go, so many at once. */
const MOST_ENDED = 64;

/** More calls than so many are never in flight at once: the older ones lost their return. */
const CROWD = 512;

/** Probes inside an unmap or free: none of them shows that it has ended. */
const INSIDE_RELEASE = new Set([
  'release',
  'release_locked',
  'unmap_locked',
  'unmap_ret',
  'free_ret',
]);
const isInsideRelease = PROBE_NAMES.map((name) => INSIDE_RELEASE.has(name));

/** `map` and `unmap` of the iommu's own events, which our probes' names hide. */
const IOMMU = Buffer.from('IOMMU: ');

const NO_BYTES = Buffer.alloc(0);

const UNREADABLE_DEVICE = Buffer.from('(unreadable)');

/** A parser of ftrace, trace-cmd and perf text: they differ only in what stands before the fields. */
export function openTraceText(context: ParseContext): LineParser {
  const { info } = context;
  const contexts: Contexts = new Map();
  const names = createDeviceNames(info.devices);
  const recentNames = createRecentNames(names);
  const fields = emptyFields();
  const layouts = handlers.map(emptyLayout);
  const record = emptyRecord();
  const starts = createRecentStarts();
  const queue = createCallQueue();
  const losses = createLossLog(info);
  // Probe hits can be missed without a word about it.
  info.mayLackEvents = true;
  let bounces = 0;
  let hasProbes = false;
  const iommu = context.onIommu && createIommuScanner(info.problems, context.onIommu);
  let followsIommu = false;
  let iommuRecords = 0;
  let nextPurge = PURGE_EVERY;
  let plainEvent = -1;

  const state: TraceState = {
    info,
    bytes: NO_BYTES,
    view: viewOf(NO_BYTES),
    line: context.linesBefore,
    pageSize: context.pageSize,
    record,
    fields,
    names,
    level: 0,
    geometry: createGeometry(info, context.pools),
    queue,
    losses,
    showsEnd: [],
    showsReleaseLock: false,
    showsReleaseRet: false,
    endless: [],
    ended: 0,
    slotOfPage: new Map(),
    grownPools: new Set(),
    dmaOfPhys: new Map(),
    isDmaTrace: false,
    direct: 0,
    device() {
      const { devFrom, devTo } = fields;
      if (devTo > devFrom && devTo - devFrom <= MAX_NAME_BYTES) {
        return recentDeviceNumber(recentNames, state.bytes, state.view, devFrom, devTo);
      }
      return deviceNumber(names, UNREADABLE_DEVICE, 0, UNREADABLE_DEVICE.length);
    },
    problem(message) {
      const text = textOf(state.bytes, record.bodyFrom, record.bodyTo);
      logProblem(info.problems, state.line, message, text);
    },
    finish(call) {
      const why = whyUnusable(call);
      if (why === undefined) {
        if (!Number.isNaN(call.slack)) info.orderIsExact = false;
        queue.add(call);
        return;
      }
      queue.forget(call);
      state.problem(why);
    },
  };

  /**
   * Reads the line at `from` if it is a record of a probe like those before it; most are.
   * @returns its newline; -1 for others, which scanRecord() and readFields() are to read
   */
  function readPlain(bytes: Buffer, from: number): number {
    const { view } = state;
    const bodyFrom = readPlainStart(bytes, view, from, starts, record);
    if (bodyFrom < 0) return -1;
    plainEvent = wordNumber(eventNames, bytes, record.nameFrom, record.nameTo);
    if (plainEvent < 0 || plainEvent >= FIRST_DMA) return -1;
    if (lastFields[plainEvent] === -2) {
      if (wantsAll(plainEvent)) return -1;
      const newline = bytes.indexOf(NEWLINE, bodyFrom);
      return endOfText(bytes, bodyFrom, newline) === newline ? newline : -1;
    }
    const { plan, values } = layouts[plainEvent];
    return plan === undefined ? -1 : readPlainFields(bytes, view, bodyFrom, plan, values, fields);
  }

  /** The event of a record that was read with care; the lines behind it may be like it. */
  function eventOf(bytes: Buffer, from: number): number {
    const event = wordNumber(eventNames, bytes, record.nameFrom, record.nameTo);
    if (event >= 0 && event < FIRST_DMA) rememberStart(starts, bytes, state.view, from, record);
    return event;
  }

  function parseRecord(bytes: Buffer, event: number, isPlain: boolean): void {
    if (event < 0 || isAnother(bytes, event)) {
      if (event >= 0 && isIommu(bytes)) iommuRecords++;
      if (!iommu?.read(bytes, record, state.line)) info.otherLines++;
      else followsIommu = true;
      return;
    }
    if (followsIommu) iommu?.read(bytes, record, state.line);
    const at = contextOf(contexts, record.pid, record.cpu);
    if (isNmi(record.level)) record.level = 0;
    state.level = levelOf(record.level);
    losses.seeTime(state.line, record.time);
    const ended = at.endless[state.level];
    if (ended !== undefined && record.level !== 0 && !isInsideRelease[event]) {
      at.endless[state.level] = undefined;
      if (!state.showsEnd[ended.op]) endRelease(state, ended, state.line);
      queue.leave(ended);
    }
    if (event === BOUNCED) {
      bounces++;
      at.bounced = state.line;
      losses.announceMap();
    } else {
      if (event < FIRST_DMA) hasProbes = true;
      if (event < FIRST_DMA || !hasProbes) {
        if (!isPlain) readFields(bytes, event);
        handlers[event](state, at);
      } else {
        info.otherLines++;
      }
    }
    at.lastLine[state.level] = state.line;
  }

  function readFields(bytes: Buffer, event: number): void {
    const layout = layouts[event];
    const isToPlan =
      event < FIRST_DMA &&
      lastFields[event] !== -2 &&
      layout.plan === undefined &&
      layout.planned < MOST_PLANS;
    const last = isToPlan || wantsAll(event) ? -1 : lastFields[event];
    if (last === -2) return;
    scanFields(bytes, state.view, record.bodyFrom, record.bodyTo, layout, last, fields);
    if (!isToPlan) return;
    layout.planned++;
    layout.plan = planOf(bytes, record.bodyFrom, record.bodyTo, layout);
  }

  /** Whether any field of an event may still tell something, of the pool say. */
  function wantsAll(event: number): boolean {
    return event >= FIRST_DMA || !state.geometry.isSettled || layouts[event].showsOwnPool;
  }

  /** Whether it is another event of the same name: iommu:*, or a probe that is named as a stock event. */
  function isAnother(bytes: Buffer, event: number): boolean {
    const isStock = event >= FIRST_DMA && event < BOUNCED;
    return isStock ? isProbeBody(bytes, record.bodyFrom) : isIommu(bytes);
  }

  function isIommu(bytes: Buffer): boolean {
    const { bodyFrom } = record;
    return bytes[bodyFrom] === IOMMU[0] && IOMMU.every((byte, i) => bytes[bodyFrom + i] === byte);
  }

  function parseOther(bytes: Buffer, from: number, end: number): void {
    if (iommu?.awaitsRest() && iommu.join(textOf(bytes, from, end))) {
      info.joinedLines++;
      return;
    }
    info.otherLines++;
    if (isBlank(bytes, from, end)) return;
    const text = textOf(bytes, from, end);
    if (!context.boot.readLine(text, state.line)) losses.readLine(text, state.line);
  }

  /** Ends unmaps whose end nothing shows. */
  function endEndless(before: number): void {
    const { endless } = state;
    while (state.ended < endless.length && endless[state.ended].line < before) {
      const call = endless[state.ended++];
      endRelease(state, call, call.line + UNKNOWN_REACH);
      queue.leave(call);
    }
    if (state.ended < MOST_ENDED) return;
    endless.splice(0, state.ended);
    state.ended = 0;
  }

  /** Gives up on calls that have not returned for long. */
  function loseOld(patience: number): void {
    const dropped = dropOlderThan(state.line - patience);
    if (dropped.length > 0) losses.entryWithoutReturn(dropped[0].line, dropped.length);
  }

  /** Calls in flight that began before a line, those included that held up no other. */
  function dropOlderThan(line: number): Call[] {
    const dropped = queue.dropOlderThan(line);
    for (const context of contexts.values()) dropped.push(...dropBegun(context, line));
    return dropped;
  }

  /** Calls in which the trace ends are not lost, but nothing more is known of them. */
  function leaveOut(): void {
    const cut = dropOlderThan(Number.POSITIVE_INFINITY);
    if (cut.length === 0) return;
    info.assumptions.push({
      line: cut[0].line,
      message: `the trace ends inside ${cut.length} calls, which are left out`,
    });
  }

  return {
    parse(bytes, from, end, batch) {
      state.bytes = bytes;
      state.view = viewOf(bytes);
      let at = from;
      while (at < end) {
        if (isFull(batch)) return at;
        state.line++;
        let newline = readPlain(bytes, at);
        const isPlain = newline >= 0;
        if (!isPlain) newline = bytes.indexOf(NEWLINE, at);
        const textEnd = isPlain ? newline : endOfText(bytes, at, newline);
        if (isPlain || scanRecord(bytes, at, textEnd, record)) {
          if (isPlain) record.bodyTo = textEnd;
          parseRecord(bytes, isPlain ? plainEvent : eventOf(bytes, at), isPlain);
          endEndless(state.line - UNKNOWN_REACH);
          if (state.line >= nextPurge) {
            loseOld(queue.held() > CROWD ? PURGE_EVERY : PATIENCE);
            nextPurge = state.line + PURGE_EVERY;
          }
          queue.drain(batch);
        } else {
          parseOther(bytes, at, textEnd);
        }
        at = newline + 1;
      }
      return end;
    },
    settle(batch) {
      if (state.isDmaTrace) inferMinAlignMasks(batch, info);
    },
    finish(batch: EventBatch) {
      endEndless(Number.POSITIVE_INFINITY);
      loseOld(LAST_LINES);
      leaveOut();
      if (!queue.drain(batch)) return false;
      iommu?.end();
      losses.end();
      return true;
    },
    nothing: () => whyNothing(bounces, state.direct, iommuRecords),
    lines: () => state.line,
  };
}

/** Why a trace with records holds nothing to replay. */
function whyNothing(bounces: number, direct: number, iommuRecords: number): string | undefined {
  const advice = '`swiotlb-replay capture` prints a script that records what is needed';
  if (direct > 0) {
    return (
      `none of its ${direct} dma mappings lies in a known pool: give the boot log with --dmesg,` +
      ' or the pool with --pool base=...,nslabs=...'
    );
  }
  if (bounces > 0) {
    return (
      `its ${bounces} swiotlb_bounced records announce maps, but tell neither what address they` +
      ` got nor when they ended: ${advice}`
    );
  }
  if (iommuRecords > 0) {
    return `its ${iommuRecords} iommu records are of an IOMMU's page table, not of a bounce buffer: ${advice}`;
  }
  return undefined;
}
