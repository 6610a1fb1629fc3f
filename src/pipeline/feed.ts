import { statSync } from 'node:fs';
import { copyEvent, createBatch, type EventBatch } from '../events/batch.js';
import { UserError } from '../events/errors.js';
import type { TraceInfo } from '../events/trace.js';
import type { TraceFormat } from '../formats/format.js';
import { IOMMU_FORMATS, type IommuFormat, recogniseIommu } from '../formats/iommuRead.js';
import { type ReadOptions, type ReadTally, readBootLog, readTrace } from '../formats/read.js';
import { openSource, type Source } from '../source/open.js';

/** Where a replay gets its events from. */
export interface TraceFeed {
  /** As the user named it. */
  path: string;
  /** It can be run again, from the start: standard input and pipes cannot. */
  canRepeat: boolean;
  /**
   * Hands on all events, batch by batch.
   * @param info empty; filled as events are handed on
   * @throws UserError for what cannot be read or understood
   */
  run(
    info: TraceInfo,
    options: ReadOptions,
    onBatch: (batch: EventBatch) => void,
  ): Promise<ReadTally>;
}

/** What is told of how far the reading has come. */
export interface ReadProgress {
  tick(): void;
  end(): void;
}

/** What is known of a file besides its path. */
export interface FileHints {
  /** The file, where it has been opened to see what it is. */
  opened?: Source | undefined;
  /** A boot log beside it. */
  dmesg?: string | undefined;
  /** What it is, where the user said so. */
  inputFormat?: TraceFormat | IommuFormat | undefined;
  /** Asked for progress once per reading. */
  progress?: ((source: Source) => ReadProgress) | undefined;
}

/** A trace that is read from a file, or from standard input for `-`, as it is replayed. */
export function feedFromFile(
  path: string,
  { opened, dmesg, inputFormat, progress }: FileHints = {},
): TraceFeed {
  let source = opened;
  return {
    path,
    canRepeat: [path, dmesg].every((each) => each === undefined || isFile(each)),
    async run(info, options, onBatch) {
      if (dmesg !== undefined) await readBeside(dmesg, info);
      const reading = source ?? (await openSwiotlbTrace(path, inputFormat));
      source = undefined;
      const shown = progress?.(reading);
      try {
        return await readTrace(reading, info, options, (batch) => {
          onBatch(batch);
          shown?.tick();
        });
      } finally {
        shown?.end();
        reading.close();
      }
    },
  };
}

function isFile(path: string): boolean {
  return path !== '-' && statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

/** Which IOMMU trace a source is, told by its content unless the user says what it is. */
export function iommuFormatOf(
  source: Source,
  inputFormat: TraceFormat | IommuFormat | undefined,
): IommuFormat | undefined {
  if (inputFormat === undefined) return recogniseIommu(source.head);
  return IOMMU_FORMATS.find((format) => format === inputFormat);
}

/** Opens a trace for what knows those of the slot allocator only. */
async function openSwiotlbTrace(
  path: string,
  inputFormat: TraceFormat | IommuFormat | undefined,
): Promise<Source> {
  const source = await openSource(path);
  const format = iommuFormatOf(source, inputFormat);
  if (format === undefined) return source;
  source.close();
  throw new UserError(
    `${path}: is an IOMMU trace (${format}), which replay, verify, identify and diff know and this command does not`,
  );
}

/** Reads the boot log beside a trace. */
export async function readBeside(path: string, info: TraceInfo): Promise<void> {
  const source = await openSource(path);
  try {
    await readBootLog(source, info);
  } finally {
    source.close();
  }
}

/** A trace that has been read. */
export interface KeptTrace {
  path: string;
  info: TraceInfo;
  tally: ReadTally;
  batches: readonly EventBatch[];
}

/** Reads a whole trace into memory: 77 bytes an event. */
export async function keepTrace(
  feed: TraceFeed,
  info: TraceInfo,
  options: ReadOptions,
): Promise<KeptTrace> {
  const batches: EventBatch[] = [];
  const tally = await feed.run(info, options, (batch) => batches.push(copyBatch(batch)));
  return { path: feed.path, info, tally, batches };
}

function copyBatch(from: EventBatch, to = createBatch(from.length)): EventBatch {
  for (let n = 0; n < from.length; n++) copyEvent(from, n, to, n);
  to.length = from.length;
  return to;
}

/** A trace that has been read, as often as it is wanted. */
export function feedFromMemory({ path, info: known, tally, batches }: KeptTrace): TraceFeed {
  return {
    path,
    canRepeat: true,
    async run(info, _, onBatch) {
      // Replays add assumptions and what they infer of devices; each starts from what was read.
      Object.assign(info, structuredClone(known));
      const scratch = createBatch();
      for (const batch of batches) onBatch(copyBatch(batch, scratch));
      return tally;
    },
  };
}
