import { exposed } from '../../dma/access.js';
import { Origin } from '../../dma/memory.js';
import type { DmaIommuTrace, DmaRow } from '../../events/iommu.js';
import { hex, hexAddress } from '../../events/numbers.js';
import type { Played, Player } from '../../replay/dmaIommu/player.js';
import type { DmaOutcome, DmaSession } from '../../replay/dmaIommu/session.js';
import { type Columns, differingColumns, type RowColumns } from './columns.js';
import { createTimerLog, timerWords } from './timerColumns.js';

/** Bytes that a device reaches, that are not its own and not zero. */
function leakedBytes({ system, devices, live }: Player, device: number): number {
  const owned = [...live.values()].filter((mapping) => mapping.device === device);
  const pieces = exposed(
    system,
    devices[device],
    owned.flatMap((mapping) => mapping.owned),
  );
  return pieces.reduce(
    (sum, { origin, length }) => sum + (origin === Origin.zeroed ? 0 : length),
    0,
  );
}

function cacheWords(syncs: readonly DmaRow['arch'][number][]): string {
  return syncs
    .map(({ for: who, phys, length }) => `${who === 'device' ? 'D' : 'C'}${hex(phys)}+${length}`)
    .join(';');
}

function crcWord(crc: number): string {
  return Number.isNaN(crc) ? '' : crc.toString(16).padStart(8, '0');
}

/** The number in a state column; none where the trace does not record it. */
function state(name: string, value: number): Columns {
  return Number.isNaN(value) ? {} : { [name]: String(value) };
}

function copies(name: string, { copies: times, bytes }: DmaRow['toBounce']): Columns {
  return Number.isNaN(times) ? {} : { [name]: `${times}:${bytes}` };
}

/** Device addresses as the column dma has them. */
export function dmaWords({ dma, failed }: Pick<DmaRow, 'dma' | 'failed'>): string {
  if (failed) return 'error';
  return dma
    .map(({ page, low, length }) => {
      const address = hexAddress(page, 4096, low);
      return Number.isNaN(length) ? address : `${address}+${length}`;
    })
    .join(';');
}

function resultWord(result: DmaRow['result']): string {
  return typeof result === 'number' ? hex(result) : result;
}

function physWords(pieces: DmaRow['phys']): string {
  return pieces.map(({ phys, length }) => `${hex(phys)}+${length}`).join(';');
}

/** Whether a row tells what was asked and nothing of what came of it. */
function isRequestAlone(row: DmaRow): boolean {
  const { dma, failed, result, granules, slots, warn } = row;
  const hasResult = failed || dma.length > 0 || result !== '';
  return !hasResult && Number.isNaN(granules) && Number.isNaN(slots) && Number.isNaN(warn);
}

function recordedColumns(row: DmaRow): Columns {
  if (isRequestAlone(row)) return {};
  return {
    dma: dmaWords(row),
    result: resultWord(row.result),
    ...(row.op === 'alloc' && { phys: physWords(row.phys) }),
    ...state('granules', row.granules),
    ...state('slots', row.slots),
    ...state('leaked', row.leaked),
    ...copies('to_bounce', row.toBounce),
    ...copies('from_bounce', row.fromBounce),
    arch: cacheWords(row.arch),
    ...state('warn', row.warn),
    crc: crcWord(row.crc),
  };
}

/** After a search that never ends the recorders wrote no state. */
const STATE_OF_HANG: Columns = {
  granules: '0',
  slots: '0',
  leaked: '0',
  to_bounce: '0:0',
  from_bounce: '0:0',
  arch: '',
  warn: '0',
};

/** Warnings, and what went astray, as the column `warn` counts them. */
function warnings({ player: { system } }: DmaOutcome): number {
  const { warnings: printed, strayFills, strayCopies } = system.effects;
  return printed + 1000 * strayFills + 100000 * strayCopies;
}

function replayedState(outcome: DmaOutcome, withLeaked: boolean): Columns {
  const { row, player } = outcome;
  const { effects, allocator } = player.system;
  return {
    granules: String(player.devices[row.device].table.mapped),
    slots: String(allocator.used),
    // It takes a walk of the whole page table.
    ...(withLeaked && { leaked: String(leakedBytes(player, row.device)) }),
    to_bounce: `${effects.copiesIn}:${effects.bytesIn}`,
    from_bounce: `${effects.copiesOut}:${effects.bytesOut}`,
    arch: cacheWords(effects.cacheSyncs),
    warn: String(warnings(outcome)),
  };
}

function replayedColumns(outcome: DmaOutcome, withLeaked: boolean): Columns {
  const { played } = outcome;
  const { result, phys, crc } = played;
  return {
    dma: dmaWords(played),
    result: resultWord(result),
    ...(phys !== undefined && { phys: physWords(phys) }),
    ...(played.hangs ? STATE_OF_HANG : replayedState(outcome, withLeaked)),
    crc: crcWord(crc),
  };
}

/** Whether a state column is not recorded or has a value. */
function is(recorded: number, value: number): boolean {
  return Number.isNaN(recorded) || recorded === value;
}

function isSameNumber(a: number, b: number): boolean {
  return a === b || (Number.isNaN(a) && Number.isNaN(b));
}

function isSameDma(row: DmaRow, { dma, failed }: Played): boolean {
  if (row.failed !== failed || row.dma.length !== dma.length) return false;
  for (let n = 0; n < dma.length; n++) {
    const [a, b] = [row.dma[n], dma[n]];
    if (a.page !== b.page || a.low !== b.low || !isSameNumber(a.length, b.length)) return false;
  }
  return true;
}

function isSameArch({ arch }: DmaRow, syncs: DmaRow['arch']): boolean {
  if (arch.length !== syncs.length) return false;
  for (let n = 0; n < syncs.length; n++) {
    const [a, b] = [arch[n], syncs[n]];
    if (a.for !== b.for || a.phys !== b.phys || a.length !== b.length) return false;
  }
  return true;
}

/**
 * Whether the columns of a row that records something have what was replayed, as the words would say
 * it. A hot path: rows that are reproduced never come to words.
 */
function isReproduced(outcome: DmaOutcome, withLeaked: boolean): boolean {
  const { row, played, player } = outcome;
  if (played.hangs || played.phys !== undefined) {
    const recorded = recordedColumns(row);
    return differingColumns(recorded, replayedColumns(outcome, withLeaked)).length === 0;
  }
  const { effects, allocator } = player.system;
  const { toBounce, fromBounce } = row;
  return (
    isSameDma(row, played) &&
    row.result === played.result &&
    isSameNumber(row.crc, played.crc) &&
    is(row.granules, player.devices[row.device].table.mapped) &&
    is(row.slots, allocator.used) &&
    is(toBounce.copies, effects.copiesIn) &&
    is(toBounce.bytes, effects.bytesIn) &&
    is(fromBounce.copies, effects.copiesOut) &&
    is(fromBounce.bytes, effects.bytesOut) &&
    isSameArch(row, effects.cacheSyncs) &&
    is(row.warn, warnings(outcome)) &&
    (!withLeaked || row.leaked === leakedBytes(player, row.device))
  );
}

/**
 * Tells every row of a session with its recorded and its replayed columns.
 * @param withLeaked also the bytes that leak, where the row records them: they are costly
 */
export function watchDmaColumns(
  session: DmaSession,
  { devices }: DmaIommuTrace,
  withLeaked: boolean,
  onRow: (columns: RowColumns) => void,
): void {
  const log = createTimerLog();
  let outcome: DmaOutcome;
  /** What a row records of a timer, and what the model ran; undefined where there is none. */
  let timer: { recorded: string; replayed: string } | undefined;

  function withTimer(columns: Columns, side: 'recorded' | 'replayed'): Columns {
    return timer === undefined ? columns : { ...columns, timer: timer[side] };
  }

  const looksAtLeaked = (): boolean => withLeaked && !Number.isNaN(outcome.row.leaked);

  const columns: RowColumns = {
    line: 0,
    op: '',
    isRecorded: false,
    isReproduced: false,
    recorded: () => withTimer(recordedColumns(outcome.row), 'recorded'),
    replayed: () => withTimer(replayedColumns(outcome, looksAtLeaked()), 'replayed'),
  };

  function timerOf({ row }: DmaOutcome): typeof timer {
    if (row.op !== 'fq_timeout') {
      const missed = log.missed();
      return missed === undefined ? undefined : { recorded: '', replayed: missed };
    }
    const words = timerWords(row.op, row.time, row.cpu, devices[row.device].name);
    return { recorded: words, replayed: log.take(row.op) };
  }

  session.observers.push({
    onRow(now) {
      const { row, timers } = now;
      outcome = now;
      if (timers.length > 0) log.add(timers, (n) => devices[timers[n].device].name);
      timer = timerOf(now);
      const hasColumns = !isRequestAlone(row);
      columns.line = row.line;
      columns.op = row.op;
      columns.isRecorded = timer !== undefined || hasColumns;
      columns.isReproduced =
        timer?.recorded === timer?.replayed && (!hasColumns || isReproduced(now, looksAtLeaked()));
      onRow(columns);
    },
  });
}
