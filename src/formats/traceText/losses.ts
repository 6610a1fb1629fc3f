import type { TraceInfo } from '../../events/trace.js';

/** Gathers what shows that records are missing. */
export interface LossLog {
  /** A line that is no record: a header or a word about lost events. @returns whether it was one */
  readLine(text: string, line: number): boolean;
  /** A return whose entry is missing. */
  returnWithoutEntry(line: number): void;
  /** Calls whose return is missing. */
  entryWithoutReturn(line: number, count: number): void;
  /** The time of a record. */
  seeTime(line: number, time: number): void;
  /** `swiotlb_bounced` announces a map; it cannot be lost as kprobes can. */
  announceMap(): void;
  /** A map was recorded. */
  seeMap(line: number): void;
  /** A list of buffers that was not printed whole. */
  truncatedList(line: number): void;
  /** A list of buffers of which some were bounced, and that failed all the same. */
  failedList(line: number): void;
  /** Tells what was gathered. */
  end(): void;
}

/** Clocks of different CPUs may differ a little; another recording starts far back. */
const BACKWARDS = 0.5;

const HEADER = /entries-in-buffer\/entries-written: (\d{1,15})\/(\d{1,15})/;
const LOST = /\bCPU:? ?\d{1,5} \[(?:LOST )?(?:(\d{1,15}) )?EVENTS?(?: DROPPED)?\]/;
const PERF_LOST = /PERF_RECORD_LOST(?:_SAMPLES)? lost (\d{1,15})|lost (\d{1,15}) (?:events|chunks)/;

/** Writes what it learns into `info.losses`. */
export function createLossLog(info: TraceInfo): LossLog {
  const returns = { count: 0, line: 0 };
  const entries = { count: 0, line: 0 };
  const backwards = { count: 0, line: 0 };
  const lost = { count: 0, line: 0, known: true };
  const lists = { count: 0, line: 0 };
  const failedLists = { count: 0, line: 0 };
  let lastTime = 0;
  let firstMap = 0;
  let announced = 0;
  let maps = 0;

  function seen(tally: { count: number; line: number }, line: number, count = 1): void {
    if (tally.count === 0) tally.line = line;
    tally.count += count;
  }

  return {
    readLine(text, line) {
      const header = HEADER.exec(text);
      if (header !== null) {
        const missing = Number(header[2]) - Number(header[1]);
        if (missing > 0) {
          info.losses.push({
            line,
            events: missing,
            message: `the ring buffer was too small: ${missing} of ${header[2]} records were overwritten`,
          });
        }
        return true;
      }
      const match = LOST.exec(text) ?? PERF_LOST.exec(text);
      if (match === null) return false;
      const count = match[1] ?? match[2];
      lost.known &&= count !== undefined;
      seen(lost, line, Number(count ?? 1));
      return true;
    },
    returnWithoutEntry: (line) => seen(returns, line),
    entryWithoutReturn: (line, count) => seen(entries, line, count),
    truncatedList: (line) => seen(lists, line),
    failedList: (line) => seen(failedLists, line),
    seeTime(line, time) {
      if (time < lastTime - BACKWARDS) seen(backwards, line);
      lastTime = time;
    },
    announceMap() {
      if (firstMap > 0) announced++;
    },
    seeMap(line) {
      if (firstMap === 0) firstMap = line;
      else maps++;
    },
    end() {
      const tell = (
        { count, line }: { count: number; line: number },
        message: string,
        isCounted = true,
      ): void => {
        if (count > 0) info.losses.push({ line, events: isCounted ? count : undefined, message });
      };
      if (lost.known) tell(lost, `the tracer says that it lost ${lost.count} records`);
      else tell(lost, 'the tracer says that it lost records', false);
      tell(
        returns,
        `${returns.count} calls return that were not seen to begin: probe hits were lost`,
      );
      tell(
        entries,
        `${entries.count} calls began and were not seen to return: probe hits were lost`,
      );
      tell(lists, `${lists.count} lists of mapped buffers were not printed whole`);
      tell(
        failedLists,
        `${failedLists.count} lists of buffers could not be mapped: which slots they had meanwhile is not recorded`,
        false,
      );
      tell(
        backwards,
        `time runs backwards ${backwards.count} times: several recordings in one file, or clocks that differ`,
      );
      // The last one may be announced and not yet made.
      const missing = announced - maps - 1;
      if (maps > 0 && missing > 0) {
        info.losses.push({
          line: firstMap,
          events: missing,
          message: `swiotlb_bounced announces ${missing} maps more than were recorded: probe hits were lost`,
        });
      }
    },
  };
}
