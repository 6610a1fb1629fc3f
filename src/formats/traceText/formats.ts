import type { TraceFormat } from '../format.js';
import { endOfText, NEWLINE, startsWithAt } from '../lines.js';
import { openTraceText } from './open.js';
import { emptyRecord, type RecordShape, scanRecord, shapeOf } from './record.js';

/** What records that a replay can use hold, behind the event's name and a colon. */
const MARKS = [
  ' (swiotlb_',
  '__swiotlb_',
  ' dev="',
  '__probe_',
  'swiotlb_bounced: ',
  'dma_map_',
  'dma_unmap_',
  'dma_alloc',
  ' IOMMU:',
].map((mark) => Buffer.from(mark));

/** What every `swiotlb_bounced` of a kernel holds; prints of others under that name do not. */
const BOUNCED = Buffer.from('swiotlb_bounced: ');
const DMA_MASK = Buffer.from(' dma_mask=');

/** Whether a line with a mark is a record of that shape. */
function isRecordOf(shape: RecordShape, lines: Buffer, hit: number): boolean {
  const from = lines.lastIndexOf(NEWLINE, hit) + 1;
  const end = endOfText(lines, from, lines.indexOf(NEWLINE, hit));
  const record = emptyRecord();
  if (!scanRecord(lines, from, end, record) || shapeOf(record) !== shape) return false;
  if (!startsWithAt(lines, record.nameFrom, BOUNCED)) return true;
  return lines.subarray(record.bodyFrom, end).includes(DMA_MASK);
}

function recognises(shape: RecordShape, lines: Buffer): boolean {
  return MARKS.some((mark) => {
    // A few looks settle it: a file has one shape.
    let hit = lines.indexOf(mark);
    for (let looks = 0; hit >= 0 && looks < 8; looks++) {
      if (isRecordOf(shape, lines, hit)) return true;
      const newline = lines.indexOf(NEWLINE, hit);
      hit = newline < 0 ? -1 : lines.indexOf(mark, newline);
    }
    return false;
  });
}

function formatOf(shape: RecordShape): TraceFormat {
  return {
    name: shape,
    endsInNewline: true,
    recognises: (lines) => recognises(shape, lines),
    open: openTraceText,
  };
}

/** tracefs `trace` and `trace_pipe`. */
export const ftrace = formatOf('ftrace');

/** `trace-cmd report`. */
export const traceCmd = formatOf('trace-cmd');

/** `perf script`. */
export const perfScript = formatOf('perf-script');
