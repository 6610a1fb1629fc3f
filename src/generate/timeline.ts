/** What happens when: a binary heap over columns. Equal times come in an order that depends on the calls alone. */
export interface Timeline {
  /** Things to come. */
  length: number;
  /** @param time nanoseconds */
  add(time: number, what: number): void;
  /** Time of the next thing; Infinity where there is none. */
  nextTime(): number;
  /** Takes the next thing off; only where there is one. */
  take(): number;
}

/** An empty timeline. */
export function createTimeline(): Timeline {
  let times = new Float64Array(256);
  let whats = new Int32Array(256);

  function grow(): void {
    const moreTimes = new Float64Array(2 * times.length);
    const moreWhats = new Int32Array(2 * times.length);
    moreTimes.set(times);
    moreWhats.set(whats);
    times = moreTimes;
    whats = moreWhats;
  }

  /** Puts a thing where its parent is no later, from a hole at `at` upwards. */
  function rise(hole: number, time: number, what: number): void {
    let at = hole;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (times[parent] <= time) break;
      times[at] = times[parent];
      whats[at] = whats[parent];
      at = parent;
    }
    times[at] = time;
    whats[at] = what;
  }

  const timeline: Timeline = {
    length: 0,
    add(time, what) {
      if (timeline.length === times.length) grow();
      rise(timeline.length++, time, what);
    },
    nextTime: () => (timeline.length === 0 ? Number.POSITIVE_INFINITY : times[0]),
    take() {
      const taken = whats[0];
      const last = --timeline.length;
      let hole = 0;
      for (let child = 1; child < last; child = 2 * hole + 1) {
        if (child + 1 < last && times[child + 1] < times[child]) child++;
        times[hole] = times[child];
        whats[hole] = whats[child];
        hole = child;
      }
      if (last > 0) rise(hole, times[last], whats[last]);
      return taken;
    },
  };
  return timeline;
}
