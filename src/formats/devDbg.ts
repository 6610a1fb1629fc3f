import {
  BIDIRECTIONAL,
  type EventBatch,
  Flag,
  isFull,
  Look,
  Op,
  Recorded,
} from '../events/batch.js';
import { createDeviceNames, MAX_NAME_BYTES } from '../events/names.js';
import { createRecentNames, recentDeviceNumber } from '../events/recentNames.js';
import { logProblem } from '../events/trace.js';
import { type BrokenLine, breakOff, joinLines, takeRest } from './devDbgBroken.js';
import {
  ALLOC_SIZE,
  deviceNameStart,
  GOT_SLOT,
  impossibleField,
  kernelTime,
  readFields,
} from './devDbgFields.js';
import { createMaskInference } from './devDbgMasks.js';
import { type Fields, hitInLine, nextHit, ORIG_ADDR, readPlainFields } from './devDbgPlainLine.js';
import { createPoolInference } from './devDbgPools.js';
import type { LineParser, ParseContext, TraceFormat } from './format.js';
import { countLines, endOfText, NEWLINE, textOf } from './lines.js';
import { viewOf } from './literals.js';

/*
 * The debug print posted with "swiotlb: Fix allocation alignment requirement when searching slots"
 * (January 2024), in no released kernel, behind whatever prefix a log or a mail puts in front:
 *
 * virtio-pci 0000:00:07.0: orig_addr 0x0 alloc_size 0x2000, iotlb_align_mask 0x800 stride 0x2: got slot 1645-1649/7168 (0x98326800)
 */

/** How many lines that break off are tried, in a block, before it is held to be another format. */
const MOST_WRAPPED_TRIES = 100;

export const devDbg: TraceFormat = {
  name: 'dev-dbg',
  endsInNewline: false,
  recognises(lines) {
    let tries = 0;
    for (let at = lines.indexOf(ORIG_ADDR); at >= 0; at = lines.indexOf(ORIG_ADDR, at + 1)) {
      const newline = lines.indexOf(NEWLINE, at);
      if (lines.subarray(at, newline).includes(GOT_SLOT)) return true;
      if (tries++ < MOST_WRAPPED_TRIES && isWrapped(lines, at)) return true;
    }
    return false;
  },
  open,
};

function open(context: ParseContext): LineParser {
  const { info } = context;
  const names = createRecentNames(createDeviceNames(info.devices));
  const pools = createPoolInference(info);
  const masks = createMaskInference(info, context.pageSize);
  const fields: Fields = {
    origAddr: 0,
    allocSize: 0,
    alignMask: 0,
    firstSlot: 0,
    endSlot: 0,
    nslabs: 0,
    tlbAddr: 0,
  };
  let lines = context.linesBefore;
  let broken: BrokenLine | undefined;
  let lastOfBlock: Buffer = Buffer.alloc(0);
  let hasEvents = false;
  info.omitsReleases = true;

  /**
   * Adds what either reader found in the line from `from` on, whose hit is at `at`.
   * @returns what is wrong with it, or undefined
   */
  function addEvent(
    bytes: Buffer,
    view: DataView,
    from: number,
    at: number,
    line: number,
    batch: EventBatch,
  ): string | undefined {
    const nameFrom = deviceNameStart(bytes, from, at);
    if (nameFrom < 0 || at - 2 - nameFrom > MAX_NAME_BYTES) {
      return 'there is no device name in front of orig_addr';
    }
    const impossible = impossibleField(fields);
    if (impossible !== undefined) return impossible;
    const device = recentDeviceNumber(names, bytes, view, nameFrom, at - 2);
    const disagreement = pools.place(device, line, fields);
    if (disagreement !== undefined) return disagreement;
    hasEvents = true;
    const n = batch.length++;
    batch.line[n] = line;
    batch.time[n] = kernelTime(bytes, from, nameFrom);
    batch.cpu[n] = 0;
    batch.device[n] = device;
    // Only swiotlb_alloc() searches without an original address.
    batch.op[n] = fields.origAddr === 0 ? Op.alloc : Op.map;
    batch.origAddr[n] = fields.origAddr;
    batch.size[n] = fields.allocSize;
    batch.allocSize[n] = Number.NaN;
    batch.allocAlignMask[n] = 0;
    batch.dir[n] = BIDIRECTIONAL;
    batch.recorded[n] = Recorded.address;
    batch.tlbAddr[n] = fields.tlbAddr;
    batch.flag[n] = Flag.slots;
    batch.flagValue[n] = fields.endSlot - fields.firstSlot;
    batch.slack[n] = line;
    batch.look[n] = Look.whole;
    masks.note(n, fields.alignMask);
    return undefined;
  }

  /** Adds the event of `text`, a line in one piece, or tells what is wrong with it. */
  function addWhole(text: Buffer, from: number, at: number, line: number, batch: EventBatch): void {
    const message = addEvent(text, viewOf(text), from, at, line, batch);
    if (message === undefined) return;
    const newline = text.indexOf(NEWLINE, at);
    const end = newline < 0 ? text.length : endOfText(text, at, newline);
    logProblem(info.problems, line, message, textOf(text, from, end));
  }

  /** A line that differs from what the kernel prints: broken, or a joined one, or not usable. */
  function parseLine(
    bytes: Buffer,
    from: number,
    at: number,
    end: number,
    batch: EventBatch,
  ): void {
    const missing = readFields(bytes, at, end, fields);
    if (missing !== undefined) {
      broken = breakOff(bytes, from, end, lines, missing);
      return;
    }
    const withName =
      deviceNameStart(bytes, from, at) < 0 ? joinToLast(lastOfBlock, bytes, from) : undefined;
    if (withName === undefined) {
      addWhole(bytes, from, at, lines, batch);
      return;
    }
    info.otherLines--;
    info.joinedLines++;
    addWhole(withName, 0, withName.indexOf(ORIG_ADDR), lines - 1, batch);
  }

  /** Reads the line at `at` as the rest of the one that broke off; returns where to go on. */
  function parseRest(bytes: Buffer, at: number, first: BrokenLine, batch: EventBatch): number {
    const newline = bytes.indexOf(NEWLINE, at);
    const rest = takeRest(first, bytes, at, newline);
    const { text } = first;
    const hit = text.indexOf(ORIG_ADDR);
    const isWhole = hit >= 0 && readFields(text, hit, text.length, fields) === undefined;
    if (rest === 'missing' || (rest === 'found' && !isWhole)) {
      giveUp(first);
      return at;
    }
    lines++;
    if (rest === 'found') {
      broken = undefined;
      info.joinedLines += first.lines - 1;
      info.otherLines += first.taken + 2 - first.lines;
      addWhole(text, 0, hit, first.line, batch);
    }
    return newline + 1;
  }

  function giveUp({ line, missing, raw, taken }: BrokenLine): void {
    broken = undefined;
    info.otherLines += taken;
    // Without an alloc_size behind it, "orig_addr 0x" may be anybody's words.
    if (missing === 'alloc_size') info.otherLines++;
    else {
      const message = `the line breaks off or differs at ${missing}`;
      logProblem(info.problems, line, message, textOf(raw, 0, raw.length));
    }
  }

  /** Lines without a hit; before the first event the kernel may tell of itself in them. */
  function passOver(text: Buffer, from: number, to: number): void {
    const others = countLines(text, from, to);
    if (!hasEvents) context.boot.readLines(text, from, to, lines);
    lines += others;
    info.otherLines += others;
  }

  return {
    parse(bytes, from, end, batch) {
      const text = bytes.subarray(0, end);
      const view = viewOf(bytes);
      let at = from;
      // Our lines often come in a row: after one the next is looked at byte by byte.
      let wasOurs = false;
      while (at < end) {
        if (isFull(batch)) return at;
        if (broken !== undefined) {
          at = parseRest(text, at, broken, batch);
          continue;
        }
        let lineStart = at;
        let hit = wasOurs ? hitInLine(text, view, at) : -1;
        if (hit < 0) {
          // Jumping from hit to hit is what makes a log that is mostly not ours cheap.
          hit = nextHit(text, at);
          lineStart = hit < 0 ? end : text.lastIndexOf(NEWLINE, hit) + 1;
          passOver(text, at, lineStart);
          if (hit < 0) break;
        }
        lines++;
        wasOurs = true;
        const next = readPlainFields(text, view, hit, fields);
        if (next > 0 && addEvent(text, view, lineStart, hit, lines, batch) === undefined) {
          at = next;
          continue;
        }
        const newline = text.indexOf(NEWLINE, hit);
        parseLine(text, lineStart, hit, endOfText(text, hit, newline), batch);
        at = newline + 1;
      }
      lastOfBlock = Buffer.from(lastLine(text, end));
      return end;
    },
    finish() {
      if (broken !== undefined) giveUp(broken);
      broken = undefined;
      return true;
    },
    settle: (batch) => masks.settle(batch),
    lines: () => lines,
  };
}

/** Whether the line that holds the hit at `at` is the first of a record wrapped over several. */
function isWrapped(lines: Buffer, at: number): boolean {
  const { rest, text } = joinLines(lines, lines.lastIndexOf(NEWLINE, at) + 1);
  if (rest === 'found') return text.includes(GOT_SLOT);
  // The last line of a block may go on in the next.
  return rest === 'awaited' && lines.subarray(at).includes(ALLOC_SIZE);
}

/** The line at `from` in one piece with the one before, if that ends in the name of its device. */
function joinToLast(lastOfBlock: Buffer, bytes: Buffer, from: number): Buffer | undefined {
  const line = bytes.subarray(from, bytes.indexOf(NEWLINE, from) + 1);
  const last = from === 0 ? lastOfBlock : lastLine(bytes, from);
  if (last.length === 0) return undefined;
  const { rest, text } = joinLines(Buffer.concat([last, line]), 0);
  return rest === 'found' && text.includes(GOT_SLOT) ? text : undefined;
}

/** The line that ends right before `end`. */
function lastLine(bytes: Buffer, end: number): Buffer {
  return bytes.subarray(end < 2 ? 0 : bytes.lastIndexOf(NEWLINE, end - 2) + 1, end);
}
