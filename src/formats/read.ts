import { createBatch, type EventBatch, isFull } from '../events/batch.js';
import { UserError } from '../events/errors.js';
import { shorten, type TraceInfo } from '../events/trace.js';
import type { Source } from '../source/open.js';
import type { LineParser, TraceFormat } from './format.js';
import { countLines, NEWLINE, textOf } from './lines.js';
import { FORMATS } from './table.js';

/** How a trace is to be read. */
export interface ReadOptions {
  /** Skip detection. */
  format: TraceFormat | undefined;
  /** PAGE_SIZE in bytes if the user gave one, else 4096. */
  pageSize: number;
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
        const count = countLines(block.bytes, 0, block.end);
        tally.lines += count;
        info.otherLines += count;
        continue;
      }
      tally.format = format.name;
      parser = format.open({
        name: source.name,
        info,
        pageSize: options.pageSize,
        linesBefore: tally.lines,
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
  parser?.finish?.();
  flush();
  if (tally.events === 0) throw notUnderstood(source.name, info, tally, firstLine);
  if (info.joinedLines > 0) {
    info.assumptions.push({
      line: undefined,
      message: `lines that were joined to records that a mailer or terminal wrapped: ${info.joinedLines}`,
    });
  }
  if (source.tally.cutLines > 0) {
    info.assumptions.push({
      line: undefined,
      message: `${source.tally.cutLines} lines of more than a megabyte were cut`,
    });
  }
  return tally;
}

/** The first line that is not blank, for the message that nothing was understood. */
function firstText(lines: Buffer): string {
  let from = 0;
  while (from < lines.length && lines[from] <= 0x20) from++;
  const newline = lines.indexOf(NEWLINE, from);
  return shorten(textOf(lines, from, newline < 0 ? lines.length : newline).trimEnd());
}

function notUnderstood(
  name: string,
  info: TraceInfo,
  tally: ReadTally,
  firstLine: string,
): UserError {
  const problem = info.problems.first[0];
  if (tally.format !== '' && problem !== undefined) {
    return new UserError(
      `${name}: no line can be replayed (${info.problems.count} of ${tally.lines} lines look like ${tally.format}).\n` +
        `  line ${problem.line}: ${problem.message}: ${problem.text}`,
    );
  }
  if (tally.format !== '') {
    return new UserError(
      `${name}: is ${tally.format}, but holds no events: there is nothing to replay`,
    );
  }
  return new UserError(
    `${name}: no line can be understood (tried ${FORMATS.map((format) => format.name).join(', ')}).\n` +
      `  the first line is: ${firstLine}\n` +
      '  give --input-format if detection is wrong, or convert the trace to the canonical CSV',
  );
}
