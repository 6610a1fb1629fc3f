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
import { ADDRESS_LIMIT, hex, MAX_NSLABS, parseDecimal, parseHex } from '../events/numbers.js';
import { createRecentNames, recentDeviceNumber } from '../events/recentNames.js';
import { logProblem } from '../events/trace.js';
import { IO_TLB_SIZE } from '../kernel/constants.js';
import { createMaskInference } from './devDbgMasks.js';
import { type Fields, hitInLine, nextHit, ORIG_ADDR, readPlainFields } from './devDbgPlainLine.js';
import { createPoolInference } from './devDbgPools.js';
import type { LineParser, ParseContext, TraceFormat } from './format.js';
import { countLines, endOfText, NEWLINE, startsWithAt, textOf } from './lines.js';
import { viewOf } from './literals.js';

/*
 * The debug print posted with "swiotlb: Fix allocation alignment requirement when searching slots"
 * (January 2024), in no released kernel, behind whatever prefix a log or a mail puts in front:
 *
 * virtio-pci 0000:00:07.0: orig_addr 0x0 alloc_size 0x2000, iotlb_align_mask 0x800 stride 0x2: got slot 1645-1649/7168 (0x98326800)
 */
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

export const devDbg: TraceFormat = {
  name: 'dev-dbg',
  endsInNewline: false,
  recognises(lines) {
    for (let at = lines.indexOf(ORIG_ADDR); at >= 0; at = lines.indexOf(ORIG_ADDR, at + 1)) {
      const newline = lines.indexOf(NEWLINE, at);
      if (lines.subarray(at, newline).includes(GOT_SLOT)) return true;
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
  let line = context.linesBefore;

  /**
   * A line whose fields were read by either reader.
   * @returns what is wrong with it, or undefined
   */
  function addEvent(
    bytes: Buffer,
    view: DataView,
    from: number,
    at: number,
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
    return undefined;
  }

  function parseLine(
    bytes: Buffer,
    view: DataView,
    from: number,
    at: number,
    end: number,
    batch: EventBatch,
  ): void {
    const missing = readFields(bytes, at, end, fields);
    // Without an alloc_size behind it, "orig_addr 0x" may be anybody's words.
    if (missing === 'alloc_size') {
      info.otherLines++;
      return;
    }
    const message =
      missing === undefined
        ? addEvent(bytes, view, from, at, batch)
        : `the line breaks off or differs at ${missing}`;
    if (message !== undefined) {
      logProblem(info.problems, line, message, textOf(bytes, from, end));
    }
  }

  return {
    parse(bytes, from, end, batch) {
      const lines = bytes.subarray(0, end);
      const view = viewOf(bytes);
      let at = from;
      // Our lines often come in a row: after one the next is looked at byte by byte.
      let wasOurs = false;
      while (at < end) {
        if (isFull(batch)) return at;
        let lineStart = at;
        let hit = wasOurs ? hitInLine(lines, view, at) : -1;
        if (hit < 0) {
          // Jumping from hit to hit is what makes a log that is mostly not ours cheap.
          hit = nextHit(lines, at);
          lineStart = hit < 0 ? end : lines.lastIndexOf(NEWLINE, hit) + 1;
          const others = countLines(lines, at, lineStart);
          line += others;
          info.otherLines += others;
          if (hit < 0) return end;
        }
        line++;
        wasOurs = true;
        const next = readPlainFields(lines, view, hit, fields);
        if (next > 0 && addEvent(lines, view, lineStart, hit, batch) === undefined) {
          at = next;
          continue;
        }
        const newline = lines.indexOf(NEWLINE, hit);
        parseLine(lines, view, lineStart, hit, endOfText(lines, hit, newline), batch);
        at = newline + 1;
      }
      return end;
    },
    settle: (batch) => masks.settle(batch),
    lines: () => line,
  };
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
