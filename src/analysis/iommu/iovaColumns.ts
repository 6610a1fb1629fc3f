import type { IovaRow, IovaTrace } from '../../events/iommu.js';
import { hex } from '../../events/numbers.js';
import type { IovaOutcome, IovaSession } from '../../replay/iova/session.js';
import type { Columns, RowColumns } from './columns.js';
import { createTimerLog, timerWords } from './timerColumns.js';

/** A pfn as the trace writes it; NO_PFN is a failure. */
function pfnWord(pfn: number): string {
  return pfn < 0 ? 'fail' : hex(pfn);
}

/** What an allocating or freeing row records; nothing for rows without a result. */
function recordedResult({ failed, pfn }: IovaRow): { iova?: string } {
  if (failed) return { iova: 'fail' };
  return Number.isNaN(pfn) ? {} : { iova: hex(pfn) };
}

function isRecordedResult({ failed, pfn: recorded }: IovaRow, pfn: number): boolean {
  // A row without a result, and one of the model without any, have nothing to differ in.
  if (Number.isNaN(pfn)) return true;
  return failed ? pfn < 0 : Number.isNaN(recorded) || recorded === pfn;
}

/** Tells every row of a session with its recorded and its replayed columns. */
export function watchIovaColumns(
  session: IovaSession,
  { domains }: IovaTrace,
  onRow: (columns: RowColumns) => void,
): void {
  const log = createTimerLog();
  let outcome: IovaOutcome;
  /** What a row records of a timer, and what the model ran; undefined where there is none. */
  let timer: { recorded: string; replayed: string } | undefined;
  let isTimer = false;

  function withTimer(columns: Columns, side: 'recorded' | 'replayed'): Columns {
    return timer === undefined ? columns : { ...columns, timer: timer[side] };
  }

  const columns: RowColumns = {
    line: 0,
    op: '',
    isRecorded: false,
    isReproduced: false,
    recorded: () => withTimer(isTimer ? {} : recordedResult(outcome.row), 'recorded'),
    replayed() {
      const hasResult = !isTimer && !Number.isNaN(outcome.pfn);
      return withTimer(hasResult ? { iova: pfnWord(outcome.pfn) } : {}, 'replayed');
    },
  };

  function timerOf({ row }: IovaOutcome): typeof timer {
    const { op, size, flags, pfn, time, cpu, domain } = row;
    if (op !== 'fq_timeout' && op !== 'depot_work') {
      const missed = log.missed();
      return missed === undefined ? undefined : { recorded: '', replayed: missed };
    }
    const depot = op === 'depot_work' ? { class: size, before: flags, after: pfn } : undefined;
    const words = timerWords(op, time, cpu, domains[domain].name, depot);
    return { recorded: words, replayed: log.take(op) };
  }

  session.observers.push({
    onRow(now) {
      const { row, pfn, timers } = now;
      outcome = now;
      if (timers.length > 0) log.add(timers, (n) => domains[timers[n].domain].name);
      timer = timerOf(now);
      isTimer = row.op === 'fq_timeout' || row.op === 'depot_work';
      columns.line = row.line;
      columns.op = row.op;
      columns.isRecorded = timer !== undefined || row.failed || !Number.isNaN(row.pfn);
      columns.isReproduced =
        timer?.recorded === timer?.replayed && (isTimer || isRecordedResult(row, pfn));
      onRow(columns);
    },
  });
}
