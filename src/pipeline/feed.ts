import { statSync } from 'node:fs';
import { copyEvent, createBatch, type EventBatch } from '../events/batch.js';
import { UserError } from '../events/errors.js';
import type { IommuRecord } from '../events/iommuRecords.js';
import type { TraceInfo } from '../events/trace.js';
import type { TraceFormat } from '../formats/format.js';
import { IOMMU_FORMATS, type IommuFormat, recogniseIommu } from '../formats/iommuRead.js';
import { type ReadOptions, type ReadTally, readBootLog, readTrace } from '../formats/read.js';
import { openBytes, openSource, type Source } from '../source/open.js';

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
export function feedFromFile(path: string, hints: FileHints = {}): TraceFeed {
  return feedFrom(path, () => openSource(path), isFile(path), hints);
}

/** A trace in memory, as a file would hold it. */
export function feedFromBytes(name: string, bytes: Uint8Array, hints: FileHints = {}): TraceFeed {
  return feedFrom(name, () => openBytes(name, bytes), true, hints);
}

function feedFrom(
  path: string,
  open: () => Promise<Source>,
  canReopen: boolean,
  { opened, dmesg, inputFormat, progress }: FileHints,
): TraceFeed {
  let source = opened;
  return {
    path,
    canRepeat: canReopen && (dmesg === undefined || isFile(dmesg)),
    async run(info, options, onBatch) {
      if (dmesg !== undefined) await readBeside(dmesg, info);
      const reading = source ?? (await open());
      source = undefined;
      const shown = progress?.(reading);
      try {
        refuseIommu(reading, inputFormat);
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

/** @throws UserError for a trace of an IOMMU */
function refuseIommu(source: Source, inputFormat: FileHints['inputFormat']): void {
  const format = iommuFormatOf(source, inputFormat);
  if (format === undefined) return;
  throw new UserError(
    `${source.name}: is an IOMMU trace (${format}), which only the commands replay, verify, identify,` +
      ' check and diff of two sides know',
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
  /** Of an IOMMU's page tables. */
  records: readonly IommuRecord[];
}

/** Reads a whole trace into memory: 77 bytes an event. */
export async function keepTrace(
  feed: TraceFeed,
  info: TraceInfo,
  options: ReadOptions,
): Promise<KeptTrace> {
  const batches: EventBatch[] = [];
  const records: IommuRecord[] = [];
  const onIommu = (record: IommuRecord): number => records.push(structuredClone(record));
  const tally = await feed.run(info, { ...options, onIommu }, (batch) => {
    batches.push(copyBatch(batch));
  });
  return { path: feed.path, info, tally, batches, records };
}

function copyBatch(from: EventBatch, to = createBatch(from.length)): EventBatch {
  for (let n = 0; n < from.length; n++) copyEvent(from, n, to, n);
  to.length = from.length;
  return to;
}

/** A trace that has been read, as often as it is wanted. */
export function feedFromMemory(trace: KeptTrace): TraceFeed {
  const { path, info: known, tally, batches, records } = trace;
  return {
    path,
    canRepeat: true,
    async run(info, { onIommu }, onBatch) {
      // Replays add assumptions and what they infer of devices; each starts from what was read.
      Object.assign(info, structuredClone(known));
      const scratch = createBatch();
      for (const record of records) onIommu?.(record);
      for (const batch of batches) onBatch(copyBatch(batch, scratch));
      return tally;
    },
  };
}
