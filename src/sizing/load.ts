/** What is made of a workload before it is tried. */
export interface Load {
  /**
   * How often the workload is laid over itself, 1 or more: 2 doubles every request; 1.5 every second
   * one, spread evenly.
   */
  scale: number;
  /** CPUs that its requests are spread over; undefined for those that were recorded. */
  cpus: number | undefined;
}

/** The golden ratio's fraction: its multiples are spread evenly, and keep step with no pattern of a trace. */
const SPREAD = (Math.sqrt(5) - 1) / 2;

/** How many copies of a request are made, by its place in the workload; the same in every trial. */
export function copiesAt({ scale }: Load, event: number): number {
  const whole = Math.floor(scale);
  if (scale === whole) return whole;
  return (event * SPREAD) % 1 < scale - whole ? whole + 1 : whole;
}

/** The most copies that a request can have. */
export function mostCopies({ scale }: Load): number {
  return Math.ceil(scale);
}

/** The number of CPUs that a load runs on. */
export function cpusOf({ cpus }: Load, recorded: number): number {
  return cpus ?? recorded;
}

/**
 * Which CPU makes a request that was recorded on another. Onto fewer CPUs they are folded; onto more,
 * the requests of each are dealt out in turns, to it and to those that come a multiple of the recorded
 * CPUs behind it.
 * @param recorded CPUs of the trace
 */
export function createCpuMap({ cpus }: Load, recorded: number): (cpu: number) => number {
  if (cpus === undefined || cpus === recorded) return (cpu) => cpu;
  if (cpus < recorded) return (cpu) => cpu % cpus;
  const turns = new Int32Array(recorded);
  return (cpu) => {
    const mine = Math.ceil((cpus - cpu) / recorded);
    const turn = turns[cpu];
    turns[cpu] = turn + 1 < mine ? turn + 1 : 0;
    return cpu + turn * recorded;
  };
}
