import type { Anonymizer } from '../../convert/anonymize.js';
import { createRange, createSelector, type Selector } from '../../convert/selection.js';
import { type StartIndexes, watchStartIndexes } from '../../convert/startIndexes.js';
import { createBatch, Look, Op } from '../../events/batch.js';
import type { DeviceDeclaration, TraceInfo } from '../../events/trace.js';
import { placeRelease } from '../../kernel/select.js';
import { counted } from '../../render/columns.js';
import { harmless } from '../../render/harmless.js';
import type { Session } from '../../replay/session.js';
import type { CanonicalWriter, Declarations } from '../../writers/canonical.js';
import { csvWriter } from '../../writers/csv.js';
import { jsonlWriter } from '../../writers/jsonl.js';
import { createFieldNames, type FieldNames, fieldName } from '../../writers/names.js';
import { Exit } from '../exit.js';
import type { Output } from '../output.js';
import { chooseReleases, replayTrace, strictProblem } from '../run.js';
import { createSpool, type Spool } from '../spool.js';
import { anonymizerFor, type Conversion, nothingLeft, tellOf } from './conversion.js';

/** Rows that are made text at a time. */
const PIECE = 256;

/** Assumptions that are written down. */
const MAX_COMMENTS = 40;

/** What is gathered while a session replays: the rows, and what must stand before them. */
interface Gathering {
  spool: Spool;
  writer: CanonicalWriter;
  names: FieldNames | undefined;
  anonymizer: Anonymizer | undefined;
  selector: Selector;
  starts: StartIndexes;
  /** Devices with rows. */
  devices: Set<number>;
  /** Rows whose searches did not look as the kernel's do. */
  oddSearches: number;
}

/** Writes the canonical trace, as CSV or as JSON lines. */
export async function convertToCanonical(
  conversion: Conversion,
  format: 'csv' | 'jsonl',
  output: Output,
): Promise<number> {
  const { path, opened, options } = conversion;
  let known: TraceInfo | undefined;
  const spools: Spool[] = [];
  try {
    const { info, trace, runs } = await replayTrace(
      path,
      options,
      (info) => {
        known = info;
        // Rows are those of the kernel that was recorded, where it is known.
        return chooseReleases(info.kernel === undefined ? options.kernel : undefined, info);
      },
      (session) => {
        const gathering = gather(conversion, format, known as TraceInfo, session);
        spools.push(gathering.spool);
        return gathering;
      },
      { opened },
    );
    const [{ session, watch }] = runs;
    if (watch.selector.tally.kept === 0) {
      throw nothingLeft(conversion, watch.selector.tally.hasTimes);
    }
    const { writer, spool } = watch;
    await output.write(writer.head(declarations(conversion, info, session, watch, trace.format)));
    await spool.copyTo(output);
    if (!conversion.isPart) await output.write(writer.end(expectations(info, watch)));
    tellOf(conversion, info, notesOf(conversion, info, watch));
    return strictProblem(options, path, info) ?? Exit.ok;
  } finally {
    for (const spool of spools) spool.discard();
  }
}

function gather(
  conversion: Conversion,
  format: 'csv' | 'jsonl',
  info: TraceInfo,
  session: Session,
): Gathering {
  const spool = createSpool();
  const anonymizer = anonymizerFor(conversion, info, session);
  const nameOf = (device: number): string =>
    anonymizer?.deviceName(device) ?? info.devices[device].name;
  const names = format === 'csv' ? createFieldNames(nameOf) : undefined;
  const writer = names ? csvWriter(names.nameOf) : jsonlWriter(nameOf);
  const selector = createSelector(conversion.selection, info.devices);
  const starts = watchStartIndexes(createRange(conversion.selection));
  const gathering: Gathering = {
    spool,
    writer,
    names,
    anonymizer,
    selector,
    starts,
    devices: new Set(),
    oddSearches: 0,
  };
  let into = createBatch(0);
  session.observers.push(starts.observer, {
    onBatch(batch, from, to) {
      if (into.line.length < to - from) into = createBatch(to - from);
      into.length = 0;
      selector.select(batch, from, to, into);
      for (let n = 0; n < into.length; n++) {
        if (into.op[n] !== Op.grow) gathering.devices.add(into.device[n]);
        if (into.look[n] !== Look.whole) gathering.oddSearches++;
      }
      anonymizer?.events(into);
      for (let n = 0; n < into.length; n += PIECE) {
        spool.write(writer.events(into, n, Math.min(into.length, n + PIECE)));
      }
    },
  });
  return gathering;
}

function declarations(
  { options, anonymize, isPart }: Conversion,
  info: TraceInfo,
  session: Session,
  { anonymizer, starts, devices }: Gathering,
  format: string,
): Declarations {
  const poolName = (name: string): string => fieldName(anonymizer?.poolName(name) ?? name);
  const hasSeveral = session.allocators.length > 1;
  return {
    kernel: kernelName(session, info, options.kernel, anonymize),
    pageSize: session.options.pageSize,
    dynamic: info.dynamic,
    pools: session.allocators.map(({ pool, restricted }) => ({
      name: poolName(pool.name),
      base: anonymizer?.poolBase(pool) ?? pool.base,
      nslabs: pool.nslabs,
      areas: pool.areas,
      startIndexes: starts.of(pool),
      indexKnowledge: 'given',
      restricted,
    })),
    devices: info.devices.map((declared, number) => {
      if (!devices.has(number)) return isPart ? undefined : withPool(declared, poolName);
      const { minAlignMask, segBoundaryMask, dmaMask, allocator } = session.device(number);
      return {
        name: '',
        minAlignMask,
        segBoundaryMask,
        ...((declared.dmaMask !== undefined || Number.isFinite(dmaMask)) && { dmaMask }),
        ...(hasSeveral && { pool: poolName(allocator.pool.name) }),
      };
    }),
    comments: anonymize ? [] : commentsOf(info, session, format),
    lost: info.losses.map(({ events }) => events ?? Number.NaN),
  };
}

/** A device that is declared and has no events. */
function withPool(declared: DeviceDeclaration, poolName: (name: string) => string) {
  const { pool } = declared;
  return pool === undefined ? declared : { ...declared, pool: poolName(pool) };
}

/** A kernel's name that a directive can hold. */
const PLAIN_KERNEL = /^[\w.+~-]{1,64}$/;

/**
 * The kernel whose results are written, under the name that the trace has for it; under the release's
 * where that is a whole banner, or may tell whose trace it is.
 */
function kernelName(
  session: Session,
  { kernel }: TraceInfo,
  given: string | undefined,
  anonymize: boolean,
): string | undefined {
  if (kernel !== undefined && PLAIN_KERNEL.test(kernel) && !anonymize) return kernel;
  const { name } = session.options.release;
  const isKnown = kernel !== undefined || (given !== undefined && given !== 'recorded');
  // A policy from a file is no kernel that a reader of the result has.
  return isKnown && placeRelease(name)?.release !== undefined ? name : undefined;
}

/** What was inferred stands in the result as if it had been recorded: so it says what was. */
function commentsOf(info: TraceInfo, session: Session, format: string): string[] {
  const all = [...info.assumptions, ...session.assumptions];
  const comments = all.slice(0, MAX_COMMENTS).map(({ line, message }) => {
    const place = line === undefined ? '' : `line ${line} of that: `;
    return `assumed: ${place}${message}`;
  });
  if (all.length > MAX_COMMENTS) {
    comments.push(`and ${all.length - MAX_COMMENTS} more assumptions`);
  }
  const losses = info.losses.map(({ message }) => `lost: ${message}`);
  return [`converted from ${format}`, ...comments, ...losses].map(harmless);
}

function expectations(info: TraceInfo, { anonymizer }: Gathering) {
  return info.expectations.map(({ pool, used, usedHiwater, index }) => ({
    ...(pool !== undefined && { pool: fieldName(anonymizer?.poolName(pool) ?? pool) }),
    ...(used !== undefined && { used }),
    ...(usedHiwater !== undefined && { usedHiwater }),
    ...(index !== undefined && { index }),
  }));
}

/** What was left out, and what the result cannot carry. */
function notesOf(
  { isPart }: Conversion,
  info: TraceInfo,
  { selector: { tally }, names, anonymizer, oddSearches }: Gathering,
): string[] {
  const notes: string[] = [];
  if (oddSearches > 0) {
    notes.push(
      `${counted(oddSearches, 'search', 'searches')} looked in fewer areas than a whole one: their rows say so with` +
        ' the flag look=, which other readers of the canonical trace may not know',
    );
  }
  for (const [was, is] of names?.changed ?? []) {
    if (anonymizer === undefined)
      notes.push(`the device ${was} is called ${is}: CSV holds no such name`);
  }
  for (const doubt of anonymizer?.doubts ?? []) {
    notes.push(`${doubt}: a replay of the result may find something else`);
  }
  return isPart ? [...notes, ...partNotes(tally, info)] : notes;
}

function partNotes(tally: Selector['tally'], info: TraceInfo): string[] {
  const { kept, outside, otherDevices, ofOlder, liveAtStart, liveAtEnd } = tally;
  const notes = [
    `${counted(kept, 'event')} kept; left out: ${outside} outside the range, ${otherDevices} of other devices`,
  ];
  if (liveAtStart > 0) {
    notes.push(
      `${counted(liveAtStart, 'mapping was', 'mappings were')} live where the range begins, and not part of it;` +
        ` ${counted(ofOlder, 'event')} about them left out`,
    );
  }
  if (liveAtStart > 0 || otherDevices > 0) {
    notes.push(
      'the pool is less full than it was when the results were recorded: verify will tell of other addresses',
    );
  }
  if (liveAtEnd > 0) {
    notes.push(
      `${counted(liveAtEnd, 'mapping is', 'mappings are')} live at the end: a replay will call them leaks`,
    );
  }
  if (info.expectations.length > 0) notes.push('#expect of the whole trace was left out');
  return notes;
}
