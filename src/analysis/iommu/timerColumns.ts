import type { TimerEvent } from '../../iommu/iovaDomain.js';

/** Timers of a model that rows of a trace may record. */
export interface TimerLog {
  /** Takes what ran before a row; `names` are of the domains or devices. */
  add(timers: readonly TimerEvent[], nameOf: (n: number) => string): void;
  /** For a row that records a timer: what the model ran in its place. */
  take(op: string): string;
  /** For any other row: timers of a kind that the trace records, and did not. */
  missed(): string | undefined;
}

/** Which row of a trace tells of a timer. */
function opOf({ kind }: TimerEvent): string {
  return kind === 'flush-timeout' ? 'fq_timeout' : 'depot_work';
}

/** A timer in words: which, when, on which CPU, and what it did. */
export function timerWords(
  op: string,
  time: number,
  cpu: number,
  name: string,
  work?: { class: number; before: number; after: number },
): string {
  const at = `${op} at ${(time / 1000).toFixed(3)} on CPU ${cpu} of ${name}`;
  return work === undefined ? at : `${at}, class ${work.class}, ${work.before} to ${work.after}`;
}

/** Pairs the timers of a model with the rows that record them, in their order. */
export function createTimerLog(): TimerLog {
  /** Recorders differ in which timers they write rows for: a kind counts once there was such a row. */
  const recorded = new Set<string>();
  let pending: { op: string; words: string }[] = [];
  return {
    add(timers, nameOf) {
      timers.forEach((event, n) => {
        const op = opOf(event);
        const work = event.kind === 'depot-work' ? event : undefined;
        pending.push({ op, words: timerWords(op, event.time, event.cpu, nameOf(n), work) });
      });
    },
    take(op) {
      recorded.add(op);
      const at = pending.findIndex((timer) => timer.op === op);
      return at < 0 ? '' : pending.splice(at, 1)[0].words;
    },
    missed() {
      if (pending.length === 0) return undefined;
      const missed = pending.filter(({ op }) => recorded.has(op));
      pending = [];
      return missed.length === 0 ? undefined : missed.map(({ words }) => words).join('; ');
    },
  };
}
