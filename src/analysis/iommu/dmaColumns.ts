import { exposed } from '../../dma/access.js';
import { Origin } from '../../dma/memory.js';
import type { DmaIommuTrace, DmaRow } from '../../events/iommu.js';
import { hex, hexAddress } from '../../events/numbers.js';
import type { Player } from '../../replay/dmaIommu/player.js';
import type { DmaOutcome, DmaSession } from '../../replay/dmaIommu/session.js';
import type { Columns, RowColumns } from './columns.js';
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

function crcWord(crc: number | undefined): string {
  return crc === undefined || Number.isNaN(crc) ? '' : crc.toString(16).padStart(8, '0');
}

/** The number in a state column; none where the trace does not record it. */
function state(name: string, value: number): Columns {
  return Number.isNaN(value) ? {} : { [name]: String(value) };
}

function copies(name: string, { copies: times, bytes }: DmaRow['toBounce']): Columns {
  return Number.isNaN(times) ? {} : { [name]: `${times}:${bytes}` };
}

function dmaWords(row: DmaRow): string {
  if (row.failed) return 'error';
  return row.dma
    .map(({ page, low, length }) => {
      const address = hexAddress(page, 4096, low);
      return Number.isNaN(length) ? address : `${address}+${length}`;
    })
    .join(';');
}

function physWords(row: DmaRow): string {
  return row.phys.map(({ phys, length }) => `${hex(phys)}+${length}`).join(';');
}

/** Whether a row tells what was asked and nothing of what came of it. */
function isRequestAlone(row: DmaRow): boolean {
  const { dma, failed, result, granules, slots, warn } = row;
  const hasResult = failed || dma.length > 0 || result !== '';
  return !hasResult && [granules, slots, warn].every(Number.isNaN);
}

function recordedColumns(row: DmaRow): Columns {
  if (isRequestAlone(row)) return {};
  return {
    dma: dmaWords(row),
    result: row.result,
    ...(row.op === 'alloc' && { phys: physWords(row) }),
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

function replayedState({ row, player }: DmaOutcome, withLeaked: boolean): Columns {
  const { effects, allocator } = player.system;
  const { warnings, strayFills, strayCopies } = effects;
  return {
    granules: String(player.devices[row.device].table.mapped),
    slots: String(allocator.used),
    // It takes a walk of the whole page table.
    ...(withLeaked && { leaked: String(leakedBytes(player, row.device)) }),
    to_bounce: `${effects.copiesIn}:${effects.bytesIn}`,
    from_bounce: `${effects.copiesOut}:${effects.bytesOut}`,
    arch: cacheWords(effects.cacheSyncs),
    warn: String(warnings + 1000 * strayFills + 100000 * strayCopies),
  };
}

function replayedColumns(outcome: DmaOutcome, withLeaked: boolean): Columns {
  const { played } = outcome;
  const { dma, result, phys, crc } = played;
  return {
    dma,
    result,
    ...(phys !== undefined && { phys }),
    ...(played.hangs ? STATE_OF_HANG : replayedState(outcome, withLeaked)),
    crc: crcWord(crc),
  };
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
  session.observers.push({
    onRow(outcome) {
      const { row, timers } = outcome;
      const { line, op } = row;
      log.add(timers, (n) => devices[timers[n].device].name);
      const recorded = recordedColumns(row);
      const replayed = replayedColumns(outcome, withLeaked && !Number.isNaN(row.leaked));
      if (op !== 'fq_timeout') {
        const missed = log.missed();
        const timer = missed === undefined ? [] : ['', missed];
        onRow({ line, op, ...withTimer(recorded, replayed, timer) });
        return;
      }
      const words = timerWords(op, row.time, row.cpu, devices[row.device].name);
      onRow({ line, op, ...withTimer(recorded, replayed, [words, log.take(op)]) });
    },
  });
}

function withTimer(
  recorded: Columns,
  replayed: Columns,
  [was, is]: readonly string[],
): Pick<RowColumns, 'recorded' | 'replayed'> {
  if (was === undefined) return { recorded, replayed };
  return { recorded: { ...recorded, timer: was }, replayed: { ...replayed, timer: is } };
}
