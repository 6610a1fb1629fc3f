import type { IovaRow, IovaTrace } from '../../events/iommu.js';
import { emptyTraceInfo, logProblem } from '../../events/trace.js';
import { readCaptureLine } from '../captureHeader.js';
import type { TraceReader } from '../iommuText.js';
import { endOfText, NEWLINE } from '../lines.js';
import { viewOf } from '../literals.js';
import { contextKey } from './contexts.js';
import { emptyFields, emptyLayout, Field, scanFields } from './fields.js';
import { createIovaDomains, type SeenDomain } from './iovaDomains.js';
import { createLossLog } from './losses.js';
import { emptyRecord, scanRecord } from './record.js';
import { createWordTable, wordNumber } from './words.js';

/*
 * Probes at the IOVA allocator, as they were set for the recorded IOMMU runs:
 *
 *     iova_alloc: (alloc_iova_fast+0x5/0x280) iovad=0xff33... size=2 limit_pfn=0xfffff flush=0 granule=4096 start_pfn=0x1 ...
 *     iova_slow: (alloc_iova+0x5/0x270) iovad=0xff33... size=2 limit_pfn=0xfffff size_aligned=1
 *     iova_slow_ret: (alloc_iova+0x191/0x270) iova=0xff33... pfn_hi=0xfffff pfn_lo=0xffffe
 *     iova_alloc_ret: (alloc_iova_fast+0x207/0x280) pfn=0xffffe
 *     iova_free: (free_iova_fast+0x5/0x1a0) iovad=0xff33... pfn=0xffffa size=1
 *
 * dma_alloc_iova, dma_map, dma_map_sg and dma_alloc, where they are set, name the device.
 */
const PROBES = [
  'iova_alloc',
  'iova_alloc_ret',
  'iova_slow',
  'iova_slow_ret',
  'iova_free',
  'dma_alloc_iova',
  'dma_map',
  'dma_map_sg',
  'dma_alloc',
] as const;

const probeNames = createWordTable(PROBES);

/** Allocations that a task and the interrupts on top of it can have in flight; more are lost returns. */
const MAX_DEPTH = 16;

/** Lines longer than this get a buffer of their own. */
const SCRATCH_BYTES = 65_536;

/** An allocation that has not returned. */
interface OpenAlloc {
  op: 'alloc_fast' | 'alloc';
  seen: SeenDomain;
  size: number;
  limit: number;
  flags: number;
}

/** What is in flight in one context; the innermost last, as interrupts end before what they interrupted. */
interface AllocContext {
  open: OpenAlloc[];
  /** The device of a mapping call that has begun; empty for none. */
  device: string;
}

/** The first record whose probe is one of those above and that names an IOVA domain. */
export function recognisesIovaText(lines: Buffer): boolean {
  const record = emptyRecord();
  let hit = lines.indexOf('iovad=');
  // A few looks settle it: the probes that follow have the same shape.
  for (let looks = 0; hit >= 0 && looks < 8; looks++) {
    const from = lines.lastIndexOf(NEWLINE, hit) + 1;
    const newline = lines.indexOf(NEWLINE, hit);
    const end = newline < 0 ? lines.length : endOfText(lines, from, newline);
    if (scanRecord(lines, from, end, record)) {
      if (wordNumber(probeNames, lines, record.nameFrom, record.nameTo) >= 0) return true;
    }
    hit = newline < 0 ? -1 : lines.indexOf('iovad=', newline);
  }
  return false;
}

/**
 * A reader of trace text with probes at the IOVA allocator (`alloc_iova_fast`, `alloc_iova`,
 * `free_iova_fast`): rows as an `#iova-trace 1` has them, allocations where they return, frees where
 * they begin, one domain for each `struct iova_domain` seen. What the text does not tell is among the
 * trace's assumptions; a kernel that it does not name has an empty version.
 * @param onRow given each row as it is read
 */
export function createIovaTextReader(onRow: (row: IovaRow) => void): TraceReader<IovaTrace> {
  const trace: IovaTrace = {
    kernel: { version: '', identical: [], pageSize: 4096, assumesPageSize: true, cpus: 1 },
    domains: [],
    problems: { count: 0, first: [] },
    assumptions: [],
  };
  const info = { ...emptyTraceInfo(), problems: trace.problems };
  const losses = createLossLog(info);
  const domains = createIovaDomains(trace);
  const contexts = new Map<number, AllocContext>();
  const layouts = PROBES.map(emptyLayout);
  const fields = emptyFields();
  const record = emptyRecord();
  const scratch = Buffer.alloc(SCRATCH_BYTES);
  let bytes = scratch;
  let nextId = 0;
  let tellsLosses = false;

  function readHeaderLine(text: string, line: number): void {
    const known = info.losses.length;
    if (readCaptureLine(text, line, info)) {
      if (info.kernel !== undefined) trace.kernel.version = info.kernel;
      if (info.pageSize !== undefined) {
        trace.kernel.pageSize = info.pageSize;
        trace.kernel.assumesPageSize = false;
      }
    } else if (losses.readLine(text, line)) {
      const cpus = /#P:(\d{1,4})\b/.exec(text);
      if (cpus !== null) trace.kernel.cpus = Math.max(1, Number(cpus[1]));
      else tellsLosses = tellLoss(line);
    }
    for (const { message } of info.losses.slice(known)) trace.assumptions.push({ line, message });
  }

  function tellLoss(line: number): true {
    if (!tellsLosses) {
      trace.assumptions.push({
        line,
        message: 'the tracer says that it lost records from here on',
      });
    }
    return true;
  }

  function contextHere(): AllocContext {
    const key = contextKey(record.pid, record.cpu);
    let context = contexts.get(key);
    if (context === undefined) {
      context = { open: [], device: '' };
      contexts.set(key, context);
    }
    return context;
  }

  function readRecord(probe: (typeof PROBES)[number], line: number): string | undefined {
    const context = contextHere();
    switch (probe) {
      case 'iova_alloc':
        return beginFast(context, line);
      case 'iova_slow':
        return beginSlow(context, line);
      case 'iova_alloc_ret':
        return end(context, 'alloc_fast', fields.values[Field.pfn], line);
      case 'iova_slow_ret':
        // Inside alloc_iova_fast() it is that call's own business.
        if (context.open.at(-1)?.op === 'alloc_fast') return undefined;
        return end(context, 'alloc', fields.values[Field.pfn_lo], line);
      case 'iova_free':
        return free(line);
      default:
        context.device = bytes.toString('utf8', fields.devFrom, fields.devTo);
        return undefined;
    }
  }

  function begin(context: AllocContext, open: Omit<OpenAlloc, 'seen'>, line: number) {
    const { size, limit } = open;
    if (!(size >= 1) || Number.isNaN(limit)) return 'size or limit_pfn of the call cannot be read';
    const seen = domains.at(bytes, record, fields.values, line);
    if (typeof seen === 'string') return seen;
    domains.nameDevice(seen, context.device);
    context.device = '';
    context.open.push({ ...open, seen });
    if (context.open.length <= MAX_DEPTH) return undefined;
    context.open.shift();
    return 'earlier calls of this task were not seen to return: probe hits were lost';
  }

  function beginFast(context: AllocContext, line: number): string | undefined {
    const { values } = fields;
    const flags = values[Field.flush] === 0 ? 0 : 1;
    const call = { size: values[Field.size], limit: values[Field.limit_pfn], flags };
    return begin(context, { op: 'alloc_fast', ...call }, line);
  }

  function beginSlow(context: AllocContext, line: number): string | undefined {
    if (context.open.at(-1)?.op === 'alloc_fast') return undefined;
    const { values } = fields;
    const flags = values[Field.size_aligned] === 0 ? 0 : 1;
    const call = { size: values[Field.size], limit: values[Field.limit_pfn], flags };
    return begin(context, { op: 'alloc', ...call }, line);
  }

  /** An allocation returns: what it interrupted goes on, what began inside it has lost its return. */
  function end(
    context: AllocContext,
    op: OpenAlloc['op'],
    pfn: number,
    line: number,
  ): string | undefined {
    let call = context.open.pop();
    while (call !== undefined && call.op !== op) call = context.open.pop();
    if (call === undefined) return 'a call returns that was not seen to begin';
    const { seen, size, limit, flags } = call;
    const id = nextId++;
    // alloc_iova_fast() returns 0, alloc_iova() NULL, of which nothing can be read.
    const failed = !(pfn > 0);
    if (!failed) seen.live.set(pfn, id);
    row(line, seen, { op, id, size, limit, flags, pfn: failed ? Number.NaN : pfn, failed });
    return undefined;
  }

  function free(line: number): string | undefined {
    const pfn = fields.values[Field.pfn];
    const size = fields.values[Field.size];
    const seen = domains.known(bytes, record);
    const id = seen?.live.get(pfn);
    if (seen === undefined || id === undefined) {
      return 'frees what the trace does not show to be allocated';
    }
    seen.live.delete(pfn);
    row(line, seen, { op: 'free_fast', id, size, limit: 0, flags: 0, pfn, failed: false });
    return undefined;
  }

  function row(
    line: number,
    { number }: SeenDomain,
    rest: Omit<IovaRow, 'line' | 'time' | 'cpu' | 'domain'>,
  ): void {
    const { cpu } = record;
    if (cpu >= trace.kernel.cpus) trace.kernel.cpus = cpu + 1;
    onRow({ line, time: Math.round(record.time * 1e6) / 1e3, cpu, domain: number, ...rest });
  }

  function readLine(text: string, line: number): void {
    bytes = text.length * 3 > SCRATCH_BYTES ? Buffer.from(text) : scratch;
    const end = bytes === scratch ? scratch.write(text) : bytes.length;
    if (!scanRecord(bytes, 0, end, record)) {
      readHeaderLine(text, line);
      return;
    }
    const probe = wordNumber(probeNames, bytes, record.nameFrom, record.nameTo);
    if (probe < 0) return;
    scanFields(bytes, viewOf(bytes), record.bodyFrom, record.bodyTo, layouts[probe], -1, fields);
    const why = readRecord(PROBES[probe], line);
    if (why !== undefined) logProblem(trace.problems, line, why, text);
  }

  return { trace, readLine };
}
