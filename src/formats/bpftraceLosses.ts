import type { Loss, TraceInfo } from '../events/trace.js';

/** What shows that lines of bpftrace are missing or out of order, gathered as it is seen. */
export interface BpftraceLosses {
  /** A line that is no event: bpftrace says among them what it lost. */
  readLine(text: string, line: number): void;
  /** A map returned whose entry was missed: neither its arguments nor its device are known. */
  orphan(line: number): void;
  /** The time of a line. */
  seeTime(line: number, ns: number): void;
}

/** `Lost 123 events`, as bpftrace prints it when its buffers are full. */
const LOST = /^(?:WARNING: )?Lost (\d{1,15}) events?\b/;

/** Keeps one entry of `info.losses` for each way of losing, with its count up to date. */
export function createBpftraceLosses(info: TraceInfo): BpftraceLosses {
  const lost = tally((n) => `bpftrace says that it lost ${n} events: give its buffers more`);
  const orphans = tally((n) => `${n} maps returned whose entry the probes missed`);
  const backwards = tally(
    (n) =>
      `time runs backwards ${n} times: bpftrace prints CPU by CPU, and nobody sorted its lines` +
      ' by their second field',
    true,
  );
  let last = 0;

  function tally(words: (count: number) => string, unknown = false) {
    let loss: Loss | undefined;
    let count = 0;
    return (line: number, more: number): void => {
      if (loss === undefined) {
        loss = { line, events: undefined, message: '' };
        info.losses.push(loss);
      }
      count += more;
      loss.events = unknown ? undefined : count;
      loss.message = words(count);
    };
  }

  return {
    readLine(text, line) {
      const match = LOST.exec(text);
      if (match !== null && Number(match[1]) > 0) lost(line, Number(match[1]));
    },
    orphan: (line) => orphans(line, 1),
    seeTime(line, ns) {
      if (ns < last) backwards(line, 1);
      last = ns;
    },
  };
}
