import type { DmaIommuTrace, DmaRow, IovaRow, IovaTrace } from '../events/iommu.js';
import type { Assumption, Loss } from '../events/trace.js';
import type { Source } from '../source/open.js';
import { createDmaIommuTraceReader } from './dmaIommuTrace.js';
import type { TraceReader } from './iommuText.js';
import { createIovaTraceReader } from './iovaTrace.js';
import { endOfText, NEWLINE } from './lines.js';
import { tellOfDamage } from './read.js';
import { createIovaTextReader, recognisesIovaText } from './traceText/iova.js';

/** Kinds of IOMMU traces, as `--input-format` takes them. */
export const IOMMU_FORMATS = ['iova', 'dma-iommu', 'iova-text'] as const;

/** A kind of IOMMU trace. */
export type IommuFormat = (typeof IOMMU_FORMATS)[number];

/** Which IOMMU trace begins with these bytes; undefined for anything else. */
export function recogniseIommu(head: Buffer): IommuFormat | undefined {
  for (const line of head.toString('utf8').split('\n')) {
    const text = line.trim();
    if (text === '' || /^#(\s|$)/.test(text)) continue;
    const word = text.split(/\s/, 1)[0];
    if (word === '#iova-trace') return 'iova';
    if (word === '#dma-iommu-trace') return 'dma-iommu';
    break;
  }
  return recognisesIovaText(head) ? 'iova-text' : undefined;
}

/** Takes what is read of a trace. Rows are used again. */
export interface IommuSink {
  iova(trace: IovaTrace, row: IovaRow): void;
  dma(trace: DmaIommuTrace, row: DmaRow): void;
}

/** What was read. */
export interface IommuTally {
  trace: IovaTrace | DmaIommuTrace;
  lines: number;
  rows: number;
  losses: Loss[];
  assumptions: Assumption[];
}

function openReader(
  format: IommuFormat,
  sink: IommuSink,
  counted: () => void,
): TraceReader<IovaTrace | DmaIommuTrace> {
  if (format !== 'dma-iommu') {
    const open = format === 'iova' ? createIovaTraceReader : createIovaTextReader;
    const reader = open((row) => {
      counted();
      sink.iova(reader.trace, row);
    });
    return reader;
  }
  const reader = createDmaIommuTraceReader((row) => {
    counted();
    sink.dma(reader.trace, row);
  });
  return reader;
}

/**
 * Reads an IOMMU trace row by row, with flat memory.
 * @param afterBlock called now and then
 */
export async function readIommuTrace(
  source: Source,
  format: IommuFormat,
  sink: IommuSink,
  afterBlock: () => void,
): Promise<IommuTally> {
  let rows = 0;
  let lines = 0;
  const { trace, readLine, readPlainRow } = openReader(format, sink, () => {
    rows++;
  });

  function readLines(bytes: Buffer, end: number): void {
    let at = 0;
    while (at < end) {
      lines++;
      const next = readPlainRow?.(bytes, at, lines) ?? -1;
      if (next >= 0) {
        at = next;
        continue;
      }
      const newline = bytes.indexOf(NEWLINE, at);
      readLine(bytes.toString('utf8', at, endOfText(bytes, at, newline)), lines);
      at = newline + 1;
    }
  }

  const info = { losses: [] as Loss[], assumptions: [] as Assumption[] };
  for await (const block of source.blocks) {
    readLines(block.bytes, block.end);
    if (block.unfinished) {
      info.assumptions.push({
        line: lines,
        message: 'the last line has no newline, so it may have been cut; it was read as it stands',
      });
    }
    afterBlock();
  }
  tellOfDamage(source.tally, info, true, lines);
  const assumptions = [...trace.assumptions, ...info.assumptions];
  return { trace, lines, rows, losses: info.losses, assumptions };
}
