import type { IovaRow, IovaTrace } from '../../events/iommu.js';
import { hex } from '../../events/numbers.js';
import type { IovaOutcome, IovaSession } from '../../replay/iova/session.js';
import type { RowColumns } from './columns.js';
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

/** Tells every row of a session with its recorded and its replayed columns. */
export function watchIovaColumns(
  session: IovaSession,
  { domains }: IovaTrace,
  onRow: (columns: RowColumns) => void,
): void {
  const log = createTimerLog();

  function columnsOf({ row, pfn }: IovaOutcome): RowColumns {
    const { line, op } = row;
    if (op === 'fq_timeout' || op === 'depot_work') {
      const work = { class: row.size, before: row.flags, after: row.pfn };
      const { name } = domains[row.domain];
      const depot = op === 'depot_work' ? work : undefined;
      const timer = timerWords(op, row.time, row.cpu, name, depot);
      return { line, op, recorded: { timer }, replayed: { timer: log.take(op) } };
    }
    const missed = log.missed();
    const recorded = recordedResult(row);
    const replayed = Number.isNaN(pfn) ? {} : { iova: pfnWord(pfn) };
    if (missed === undefined) return { line, op, recorded, replayed };
    return {
      line,
      op,
      recorded: { ...recorded, timer: '' },
      replayed: { ...replayed, timer: missed },
    };
  }

  session.observers.push({
    onRow(outcome) {
      const { timers } = outcome;
      log.add(timers, (n) => domains[timers[n].domain].name);
      onRow(columnsOf(outcome));
    },
  });
}
