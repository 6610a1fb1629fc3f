import { createBatch, type EventBatch, isFull } from '../events/batch.js';
import { UserError } from '../events/errors.js';
import type { IommuRecord } from '../events/iommuRecords.js';
import { type PoolPlace, shorten, type TraceInfo } from '../events/trace.js';
import type { BlockTally } from '../source/blocks.js';
import type { Source } from '../source/open.js';
import { createBootReader } from './bootLines.js';
import type { LineParser, TraceFormat } from './format.js';
import { NEWLINE, textOf } from './lines.js';
import { FORMATS } from './table.js';

/** How a trace is to be read. */
export interface ReadOptions {
  /** Skip detection. */
  format: TraceFormat | undefined;
  /** PAGE_SIZE in bytes if the user gave one, else 4096. */
  pageSize: number;
  /** Pools that the user knows of, besides those that the trace tells. */
  pools?: readonly PoolPlace[];
  /** Wants records of an IOMMU's page tables; a trace that holds nothing else is no error then. */
  onIommu?: (record: IommuRecord) => void;
}

/** What was read. */
export interface ReadTally {
  format: string;
  /** All lines. */
  lines: number;
  /** Events handed on. */
  events: number;
}

/**
 * Reads a whole trace, batch by batch, with flat memory.
 * @param info filled while reading; complete for the events of a batch when `onBatch` gets it
 * @throws UserError if no line can be understood
 */
export async function readTrace(
  source: Source,
  info: TraceInfo,
  options: ReadOptions,
  onBatch: (batch: EventBatch) => void,
): Promise<ReadTally> {
  const batch = createBatch();
  const tally: ReadTally = { format: '', lines: 0, events: 0 };
  let parser: LineParser | undefined;
  let firstLine = '';
  let mayBeCut = false;
  let isKernelLog = false;
  const boot = createBootReader(info);

  let hasIommu = false;
  const seeIommu = (record: IommuRecord): void => {
    hasIommu ||= IOMMU_KINDS.includes(record.kind);
    options.onIommu?.(record);
  };

  const flush = (): void => {
    if (batch.length === 0) return;
    parser?.settle?.(batch);
    tally.events += batch.length;
    onBatch(batch);
    batch.length = 0;
  };

  for await (const block of source.blocks) {
    const lines = block.bytes.subarray(0, block.end);
    if (firstLine === '') firstLine = firstText(lines);
    if (parser === undefined) {
      const format = options.format ?? FORMATS.find((candidate) => candidate.recognises(lines));
      if (format === undefined) {
        const before = tally.lines;
        tally.lines = boot.readLines(block.bytes, 0, block.end, before);
        info.otherLines += tally.lines - before;
        isKernelLog ||= KERNEL_LOG_WORDS.some((word) => lines.includes(word));
        continue;
      }
      tally.format = format.name;
      parser = format.open({
        name: source.name,
        info,
        pageSize: options.pageSize,
        pools: options.pools ?? [],
        linesBefore: tally.lines,
        boot,
        ...(options.onIommu && { onIommu: seeIommu }),
      });
      mayBeCut = format.endsInNewline;
    }
    let at = 0;
    while (at < block.end) {
      at = parser.parse(block.bytes, at, block.end, batch);
      if (isFull(batch)) flush();
    }
    tally.lines = parser.lines();
    if (block.unfinished && mayBeCut) {
      info.assumptions.push({
        line: tally.lines,
        message: 'the last line has no newline, so it may have been cut; it was read as it stands',
      });
    }
  }
  if (parser?.finish) while (!parser.finish(batch)) flush();
  flush();
  if (tally.events === 0 && !hasIommu) {
    const why = isKernelLog ? KERNEL_LOG_ADVICE : parser?.nothing?.();
    throw notUnderstood(source, info, tally, firstLine, why);
  }
  if (info.joinedLines > 0) {
    info.assumptions.push({
      line: undefined,
      message: `${info.joinedLines} lines were joined to records that a mailer or terminal had wrapped`,
    });
  }
  tellOfDamage(source.tally, info, mayBeCut, tally.lines);
  return tally;
}

/** What the iommu:* events themselves say, not what stands beside them. */
const IOMMU_KINDS: readonly IommuRecord['kind'][] = ['map', 'unmap', 'fault'];

/** What only kernels say, of all that they say about their pools and IOMMUs. */
const KERNEL_LOG_WORDS = [
  'swiotlb buffer is full',
  'swiotlb_tbl_map_single: ',
  ' overflow (mask ',
  'io_tlb_used',
  'software IO TLB',
  'SW-IOMMU',
  'SWIOTLB',
  '] Linux version',
  'DMA-API: ',
  'AMD-Vi: ',
  'DMAR: ',
  'iommu: ',
  'arm-smmu',
  'SMMUv',
  'smmu: ',
];

const KERNEL_LOG_ADVICE =
  'holds no lines about single allocations that a replay could use:' +
  ' `swiotlb-replay diagnose FILE` tells what it proves';

/** NUL bytes in a row from which on they are no noise of a line, but something that was never written. */
const HOLE_NULS = 16;

/** What the source had to leave out or to mend. */
export function tellOfDamage(
  { truncated, cutLines, nuls = 0, longestNuls = 0 }: BlockTally,
  info: Pick<TraceInfo, 'losses' | 'assumptions'>,
  isMachineWritten: boolean,
  lines: number,
): void {
  const lose = (line: number | undefined, message: string): void => {
    info.losses.push({ line, events: undefined, message });
  };
  if (truncated !== undefined) {
    lose(lines, `${truncated}: ${lines} lines were read, and some may be missing or wrong`);
  }
  if (cutLines > 0) {
    lose(undefined, `${cutLines} of the lines had more than a megabyte and were cut`);
  }
  if (longestNuls >= HOLE_NULS || (nuls > 0 && isMachineWritten)) {
    lose(undefined, `${nuls} NUL bytes stand where text was lost`);
  } else if (nuls > 0) {
    info.assumptions.push({ line: undefined, message: `${nuls} NUL bytes were read as blanks` });
  }
}

/** The first line that is not blank, for the message that nothing was understood. */
function firstText(lines: Buffer): string {
  let from = 0;
  while (from < lines.length && lines[from] <= 0x20) from++;
  const newline = lines.indexOf(NEWLINE, from);
  return shorten(textOf(lines, from, newline < 0 ? lines.length : newline).trimEnd());
}

function notUnderstood(
  { name, tally: { truncated } }: Source,
  info: TraceInfo,
  tally: ReadTally,
  firstLine: string,
  why: string | undefined,
): UserError {
  const problem = info.problems.first[0];
  const early = truncated === undefined ? '' : `\n  ${truncated}: fetch or pack the file again`;
  if (tally.format !== '' && problem !== undefined) {
    return new UserError(
      `${name}: no line can be replayed (${info.problems.count} of ${tally.lines} lines look like ${tally.format}).\n` +
        `  line ${problem.line}: ${problem.message}: ${problem.text}${early}`,
    );
  }
  if (why !== undefined) {
    return new UserError(`${name}: is ${tally.format || 'a kernel log'}, but ${why}${early}`);
  }
  if (tally.format !== '') {
    return new UserError(
      `${name}: is ${tally.format}, but holds no events: there is nothing to replay${early}`,
    );
  }
  return new UserError(
    `${name}: no line can be understood (tried ${FORMATS.map((format) => format.name).join(', ')}).\n` +
      `  the first line is: ${firstLine}\n` +
      '  give --input-format if detection is wrong, or convert the trace to the canonical CSV' +
      early,
  );
}

/** Reads a kernel's log, given beside a trace, for what it says about pools and devices. */
export async function readBootLog(source: Source, info: TraceInfo): Promise<void> {
  const boot = createBootReader(info);
  let lines = 0;
  for await (const { bytes, end } of source.blocks) lines = boot.readLines(bytes, 0, end, lines);
}
