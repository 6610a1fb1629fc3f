/** Whether a log runs forwards, or newest first as some journals are shown. */
export interface LogOrder {
  /** Notes the time of the next record, if it has one. */
  see(time: number | undefined): void;
  /** As far as the records until now show. */
  newestFirst(): boolean;
}

/**
 * Tells the order of a log from the times of its records. A boot makes the clock jump back once, so
 * that it is the majority of the steps that counts.
 */
export function createLogOrder(): LogOrder {
  let last: number | undefined;
  let up = 0;
  let down = 0;
  return {
    see(time) {
      if (time === undefined) return;
      if (last !== undefined && time > last) up++;
      if (last !== undefined && time < last) down++;
      last = time;
    },
    newestFirst: () => down > up,
  };
}
