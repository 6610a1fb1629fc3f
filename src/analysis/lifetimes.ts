import type { Outcome } from '../replay/outcome.js';
import type { DeviceBook } from './deviceBooks.js';
import { addValue, createLogHistogram } from './logHistogram.js';

/** Measures how long allocations live, by the trace's times, or by events where the first has no time. */
export interface Lifetimes {
  /** Once for each event, before all else. */
  tick(outcome: Outcome): void;
  /** The outcome's allocation begins. */
  begin(outcome: Outcome): void;
  /** It ends, and counts for its device. */
  end(outcome: Outcome, book: DeviceBook): void;
  /** Whether the first event had a time; false before it. */
  hasTimes(): boolean;
  /** Ticks, or events, of a unit of the clock. */
  unit(): number;
  /**
   * How long ago a live allocation began, in units of the clock: never below 0, and without a time
   * it counts as new.
   * @param lastTime the last that the trace told
   */
  ageOf(number: number, lastTime: number): number;
}

/** Times are counted in these, so that lifetimes are whole numbers: nanoseconds, where times are seconds. */
const TICKS = 1e9;

/** Devices whose lifetimes are kept, so that a trace of nothing but devices does not fill memory. */
const MOST_HISTOGRAMS = 1024;

/** A clock at which nothing lives. An event costs two look-ups. */
export function watchLifetimes(): Lifetimes {
  let events = 0;
  let histograms = 0;
  let hasTimes = false;
  /** When the event is; in a column, since a number with a fraction in a variable would cost an object. */
  const now = new Float64Array(1);
  /** When an allocation began, by its number. */
  let begun = new Float64Array(1024);

  function grow(length: number): void {
    const larger = new Float64Array(Math.max(length, begun.length * 2));
    larger.set(begun);
    begun = larger;
  }

  return {
    tick({ time }) {
      if (events++ === 0) hasTimes = !Number.isNaN(time);
      if (hasTimes) now[0] = time;
      else now[0] = events;
    },
    begin({ allocation }) {
      if (allocation >= begun.length) grow(allocation + 1);
      begun[allocation] = now[0];
    },
    end({ allocation }, book) {
      const lived = now[0] - begun[allocation];
      if (Number.isNaN(lived)) return;
      if (book.lifetimes === undefined) {
        if (histograms === MOST_HISTOGRAMS) return;
        histograms++;
        book.lifetimes = createLogHistogram();
      }
      // The records of several CPUs need not stand in the order of their clocks.
      addValue(book.lifetimes, hasTimes ? Math.max(0, Math.round(lived * TICKS)) : lived);
    },
    hasTimes: () => hasTimes,
    unit: () => (hasTimes ? TICKS : 1),
    ageOf(number, lastTime) {
      return Math.max(0, (hasTimes ? lastTime : events) - begun[number]) || 0;
    },
  };
}
