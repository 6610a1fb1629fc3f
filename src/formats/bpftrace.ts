import {
  BIDIRECTIONAL,
  type EventBatch,
  Flag,
  isFull,
  Look,
  Op,
  Recorded,
} from '../events/batch.js';
import { UserError } from '../events/errors.js';
import { createDeviceNames, deviceNumber, MAX_NAME_BYTES } from '../events/names.js';
import { ADDRESS_LIMIT } from '../events/numbers.js';
import { logProblem } from '../events/trace.js';
import { createBpftraceDevices } from './bpftraceDevices.js';
import {
  emptyLineFields,
  type LineKind,
  numberOf,
  splitLine,
  textOfField,
} from './bpftraceFields.js';
import { createBpftraceLosses } from './bpftraceLosses.js';
import type { LineParser, ParseContext, TraceFormat } from './format.js';
import { endOfText, NEWLINE, startsWithAt, textOf } from './lines.js';

/** Stands in front of the first line, wherever that is in the archive. */
const HEADER = Buffer.from('#swiotlb-bpftrace ');

/** DMA_MAPPING_ERROR: the map failed. */
const FAILED = '0xffffffffffffffff';

/** enum dma_data_direction in this project's numbering; DMA_NONE (3) is nobody's mapping. */
const DIRS: readonly number[] = [BIDIRECTIONAL, 0, 1];

/** Lines whose times are kept: no call is interrupted by more. */
const KEPT_TIMES = 4096;

const OPS: Readonly<Partial<Record<LineKind, number>>> = {
  map: Op.map,
  unmap: Op.unmap,
  sync_cpu: Op.syncForCpu,
  sync_dev: Op.syncForDevice,
};

/** The lines of `capture --tool bpftrace`. */
export const bpftrace: TraceFormat = {
  name: 'bpftrace',
  endsInNewline: true,
  recognises(lines) {
    const at = lines.indexOf(HEADER);
    return at === 0 || (at > 0 && lines.includes(Buffer.concat([Buffer.from('\n'), HEADER])));
  },
  open,
};

function open(context: ParseContext): LineParser {
  const { info } = context;
  // A map is known by its return, and bpftrace counts not every hit that it misses.
  info.orderIsExact = false;
  info.mayLackEvents = true;
  const names = createDeviceNames(info.devices);
  const devices = createBpftraceDevices(info);
  const losses = createBpftraceLosses(info);
  const fields = emptyLineFields();
  const timeOf = new Float64Array(KEPT_TIMES);
  const lineOf = new Float64Array(KEPT_TIMES);
  let times = 0;
  let line = context.linesBefore;

  /** The first line that is later than a time and still kept; this one if there is none. */
  function firstAfter(time: number): number {
    let first = line;
    for (let back = 1; back <= Math.min(times, KEPT_TIMES); back++) {
      const n = (times - back) % KEPT_TIMES;
      if (timeOf[n] <= time) break;
      first = lineOf[n];
    }
    return first;
  }

  function parseEvent(batch: EventBatch, device: number): string | undefined {
    const { kind } = fields;
    const isMap = kind === 'map';
    const op = OPS[kind] ?? (numberOf(fields, 'target') === 1 ? Op.syncForDevice : Op.syncForCpu);
    const failed = isMap && textOfField(fields, 'result') === FAILED;
    const tlbAddr = failed ? Number.NaN : numberOf(fields, isMap ? 'result' : 'tlb_addr');
    if (!failed && !(tlbAddr < ADDRESS_LIMIT)) {
      return `${isMap ? 'result' : 'tlb_addr'} is not a physical address (below 2^52)`;
    }
    const origAddr = numberOf(fields, 'orig_addr');
    const size = numberOf(fields, 'size');
    if (isMap && !(origAddr < ADDRESS_LIMIT)) {
      return 'orig_addr is not a physical address (below 2^52)';
    }
    if (!(size < ADDRESS_LIMIT) || (isMap && size === 0)) return 'size is not a size in bytes';
    const alignMask = textOfField(fields, 'alloc_align_mask');
    const allocAlignMask = alignMask === '' ? 0 : numberOf(fields, 'alloc_align_mask');
    if (!(allocAlignMask < 2 ** 32)) return 'alloc_align_mask is not a 32-bit mask';
    const dir = DIRS[numberOf(fields, 'dir')];
    if (dir === undefined) return 'dir is none of 0, 1 and 2';
    const allocSize = numberOf(fields, 'alloc_size');
    if (allocSize >= ADDRESS_LIMIT) return 'alloc_size is not a size in bytes';

    const n = batch.length++;
    batch.line[n] = line;
    batch.time[n] = numberOf(fields, 'ns') / 1e9;
    batch.cpu[n] = numberOf(fields, 'cpu');
    batch.device[n] = device;
    batch.op[n] = op;
    batch.origAddr[n] = origAddr;
    batch.size[n] = size;
    batch.allocSize[n] = allocSize;
    batch.allocAlignMask[n] = allocAlignMask;
    batch.dir[n] = dir;
    batch.recorded[n] = failed ? Recorded.full : Recorded.address;
    batch.tlbAddr[n] = tlbAddr;
    batch.flag[n] = Flag.none;
    batch.flagValue[n] = Number.NaN;
    // A map is known by its return; 0 says that its entry was missed.
    const entry = numberOf(fields, 'entry_ns');
    batch.slack[n] = isMap && entry > 0 ? firstAfter(entry) : line;
    batch.look[n] = Look.whole;
    return undefined;
  }

  /** What is wrong with the line; undefined for one that is ours and good. */
  function parseLine(batch: EventBatch): string | undefined {
    const time = numberOf(fields, 'ns');
    const cpu = numberOf(fields, 'cpu');
    if (Number.isNaN(time)) return 'ns is not a time in nanoseconds';
    if (!(cpu < 2 ** 20)) return 'cpu is not a CPU number';
    losses.seeTime(line, time);
    if (fields.kind === 'orphan') {
      losses.orphan(line);
      return undefined;
    }
    const { bytes, nameFrom, nameTo } = fields;
    if (nameTo - nameFrom > MAX_NAME_BYTES) return `dev is longer than ${MAX_NAME_BYTES} bytes`;
    const device = deviceNumber(names, bytes, nameFrom, nameTo);
    if (fields.kind === 'device') return devices.see(line, device, fields);
    const message = parseEvent(batch, device);
    timeOf[times % KEPT_TIMES] = time;
    lineOf[times % KEPT_TIMES] = line;
    times++;
    return message;
  }

  function parseOther(bytes: Buffer, from: number, end: number): void {
    info.otherLines++;
    const text = textOf(bytes, from, end);
    if (startsWithAt(bytes, from, HEADER)) {
      const version = text.slice(HEADER.length).trim();
      if (version === '1') return;
      throw new UserError(
        `${context.name}: line ${line}: version ${version} of the bpftrace lines is not known, only 1`,
      );
    }
    if (!context.boot.readLine(text, line)) losses.readLine(text, line);
  }

  return {
    parse(bytes, from, end, batch) {
      let at = from;
      while (at < end) {
        if (isFull(batch)) return at;
        line++;
        const newline = bytes.indexOf(NEWLINE, at);
        const textEnd = endOfText(bytes, at, newline);
        const split = splitLine(bytes, at, textEnd, fields);
        const message = split === undefined ? parseLine(batch) : split;
        if (message === false) parseOther(bytes, at, textEnd);
        else if (message !== undefined) {
          logProblem(info.problems, line, message, textOf(bytes, at, textEnd));
        }
        at = newline + 1;
      }
      return end;
    },
    lines: () => line,
  };
}
