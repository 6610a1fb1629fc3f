import {
  BIDIRECTIONAL,
  type EventBatch,
  Flag,
  isFull,
  Look,
  Op,
  Recorded,
} from '../events/batch.js';
import { createDeviceNames, deviceNumber, MAX_NAME_BYTES } from '../events/names.js';
import { ADDRESS_LIMIT, hex, MAX_NSLABS, parseDecimal, parseHex } from '../events/numbers.js';
import { logProblem } from '../events/trace.js';
import { IO_TLB_SIZE } from '../kernel/constants.js';
import { type BrokenLine, breakOff, joinLines, takeRest } from './devDbgBroken.js';
import { createMaskInference } from './devDbgMasks.js';
import { createPoolInference } from './devDbgPools.js';
import type { LineParser, ParseContext, TraceFormat } from './format.js';
import { countLines, endOfText, NEWLINE, startsWithAt, textOf } from './lines.js';

/*
 * The debug print posted with "swiotlb: Fix allocation alignment requirement when searching slots"
 * (January 2024), in no released kernel, behind whatever prefix a log or a mail puts in front:
 *
 * virtio-pci 0000:00:07.0: orig_addr 0x0 alloc_size 0x2000, iotlb_align_mask 0x800 stride 0x2: got slot 1645-1649/7168 (0x98326800)
 */
const ORIG_ADDR = Buffer.from('orig_addr 0x');
const ALLOC_SIZE = Buffer.from(' alloc_size 0x');
const ALIGN_MASK = Buffer.from(' iotlb_align_mask 0x');
const STRIDE = Buffer.from(' stride 0x');
const GOT_SLOT = Buffer.from(': got slot ');
const ADDRESS = Buffer.from(' (0x');
const NULL_DEVICE = Buffer.from('(NULL device *)');

const SPACE = 0x20;
const COMMA = 0x2c;
const DASH = 0x2d;
const SLASH = 0x2f;
const COLON = 0x3a;
const CLOSE = 0x29;

/** How many lines that break off are tried, in a block, before it is held to be another format. */
const MOST_WRAPPED_TRIES = 100;

/** The fields of one line; the same object for every line. */
interface Fields {
  origAddr: number;
  allocSize: number;
  alignMask: number;
  firstSlot: number;
  endSlot: number;
  nslabs: number;
  tlbAddr: number;
}

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
  const names = createDeviceNames(info.devices);
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
      addEvent(bytes, from, at, end, lines, batch);
      return;
    }
    info.otherLines--;
    info.joinedLines++;
    addEvent(withName, 0, withName.indexOf(ORIG_ADDR), withName.length, lines - 1, batch);
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
      addEvent(text, 0, hit, text.length, first.line, batch);
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

  /** Adds what readFields() found in bytes[from, end). */
  function addEvent(
    bytes: Buffer,
    from: number,
    at: number,
    end: number,
    line: number,
    batch: EventBatch,
  ): void {
    const problem = (message: string): void =>
      logProblem(info.problems, line, message, textOf(bytes, from, end));
    const nameFrom = deviceNameStart(bytes, from, at);
    if (nameFrom < 0 || at - 2 - nameFrom > MAX_NAME_BYTES) {
      problem('there is no device name in front of orig_addr');
      return;
    }
    const impossible = impossibleField(fields);
    if (impossible !== undefined) {
      problem(impossible);
      return;
    }
    const device = deviceNumber(names, bytes, nameFrom, at - 2);
    const disagreement = pools.place(device, line, fields);
    if (disagreement !== undefined) {
      problem(disagreement);
      return;
    }
    const n = batch.length++;
    batch.line[n] = line;
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
    batch.flag[n] = Flag.none;
    batch.slack[n] = line;
    batch.look[n] = Look.whole;
    masks.note(n, fields.alignMask);
  }

  return {
    parse(bytes, from, end, batch) {
      const text = bytes.subarray(0, end);
      let at = from;
      while (at < end) {
        if (isFull(batch)) return at;
        if (broken !== undefined) {
          at = parseRest(text, at, broken, batch);
          continue;
        }
        // Jumping from hit to hit is what makes a log that is mostly not ours cheap.
        const hit = text.indexOf(ORIG_ADDR, at);
        const lineStart = hit < 0 ? end : text.lastIndexOf(NEWLINE, hit) + 1;
        const others = countLines(text, at, lineStart);
        lines += others;
        info.otherLines += others;
        if (hit < 0) break;
        lines++;
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

/**
 * Reads the fields from `orig_addr 0x` at `at` on.
 * @returns undefined, or the name of the field where the line is not as it should be
 */
function readFields(bytes: Buffer, at: number, end: number, fields: Fields): string | undefined {
  let from = at + ORIG_ADDR.length;
  let to = until(bytes, from, end, SPACE);
  fields.origAddr = parseHex(bytes, from, to);
  if (!startsWithAt(bytes, to, ALLOC_SIZE)) return 'alloc_size';

  from = to + ALLOC_SIZE.length;
  to = until(bytes, from, end, SPACE);
  fields.allocSize = parseHex(bytes, from, bytes[to - 1] === COMMA ? to - 1 : to);
  if (!startsWithAt(bytes, to, ALIGN_MASK)) return 'iotlb_align_mask';

  from = to + ALIGN_MASK.length;
  to = until(bytes, from, end, SPACE);
  fields.alignMask = parseHex(bytes, from, to);
  if (!startsWithAt(bytes, to, STRIDE)) return 'stride';

  from = to + STRIDE.length;
  to = until(bytes, from, end, COLON);
  if (!startsWithAt(bytes, to, GOT_SLOT)) return 'got slot';

  from = to + GOT_SLOT.length;
  to = until(bytes, from, end, DASH);
  fields.firstSlot = parseDecimal(bytes, from, to);
  from = to + 1;
  to = until(bytes, from, end, SLASH);
  fields.endSlot = parseDecimal(bytes, from, to);
  from = to + 1;
  to = until(bytes, from, end, SPACE);
  fields.nslabs = parseDecimal(bytes, from, to);
  if (!startsWithAt(bytes, to, ADDRESS)) return 'the slot range';

  from = to + ADDRESS.length;
  to = until(bytes, from, end, CLOSE);
  fields.tlbAddr = parseHex(bytes, from, to);
  return to < end ? undefined : 'the address';
}

function until(bytes: Uint8Array, from: number, end: number, stop: number): number {
  let at = from;
  while (at < end && bytes[at] !== stop) at++;
  return at;
}

/** Where the device name begins that ends in `: ` right before `at`; -1 where there is none. */
function deviceNameStart(bytes: Buffer, lineStart: number, at: number): number {
  const end = at - 2;
  if (end <= lineStart || bytes[end] !== COLON || bytes[end + 1] !== SPACE) return -1;
  const nullDevice = end - NULL_DEVICE.length;
  if (nullDevice >= lineStart && startsWithAt(bytes, nullDevice, NULL_DEVICE)) return nullDevice;
  let from = end;
  while (from > lineStart && bytes[from - 1] !== SPACE && bytes[from - 1] !== 0x09) from--;
  return from < end ? from : -1;
}

/** What makes a line's numbers impossible, in words; undefined if nothing does. */
function impossibleField(fields: Fields): string | undefined {
  const { origAddr, allocSize, alignMask, firstSlot, endSlot, nslabs, tlbAddr } = fields;
  if (!(origAddr < ADDRESS_LIMIT)) return 'orig_addr is not a physical address (below 2^52)';
  if (!(allocSize > 0 && allocSize < ADDRESS_LIMIT))
    return 'alloc_size is not a size of 1 byte or more';
  if (!(alignMask <= 0xffff_ffff)) return 'iotlb_align_mask is not a 32-bit mask';
  if (!(nslabs > 0 && nslabs <= MAX_NSLABS))
    return `the pool does not have 1 to ${MAX_NSLABS} slots`;
  if (!(firstSlot < endSlot)) return 'the slot range is empty or not a number';
  if (!(endSlot <= nslabs)) return `slot ${endSlot - 1} is beyond the pool's ${nslabs} slots`;
  if (!(tlbAddr < ADDRESS_LIMIT)) return 'the address is not a physical address (below 2^52)';
  if (tlbAddr < firstSlot * IO_TLB_SIZE) {
    return `address ${hex(tlbAddr)} is too low for slot ${firstSlot}: the pool would start below 0`;
  }
  return undefined;
}
