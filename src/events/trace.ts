/** What a trace says besides its events; formats fill it while they read. */
export interface TraceInfo {
  /** `#kernel version=`: whose results are recorded. */
  kernel: string | undefined;
  /** PAGE_SIZE in bytes. */
  pageSize: number | undefined;
  /** CONFIG_SWIOTLB_DYNAMIC was set. */
  dynamic: boolean;
  pools: PoolDeclaration[];
  /** What the recorded kernel was booted with as `swiotlb=`, such as `512,4,force`; from a boot log. */
  swiotlbParameter?: string;
  /** Areas of the default pool, from a boot log that does not say where the pool lies. */
  bootAreas?: number;
  /** Slots of the default pool as debugfs counts them, for a trace that tells its base alone. */
  defaultNslabs?: number;
  /** Every device that was declared or seen, by the number that events use. */
  devices: DeviceDeclaration[];
  expectations: Expectation[];
  /** What was inferred rather than read. */
  assumptions: Assumption[];
  /** Lines that look like events and could not be used. */
  problems: ProblemLog;
  /** Every event stands where it took effect; else its `slack` says how far off that can be. */
  orderIsExact: boolean;
  /**
   * The events were caught by probes, which can miss calls: a buffer whose slots are taken again has
   * been released all the same. False for formats that hold every call, or show a kernel's own fault.
   */
  mayLackEvents: boolean;
  /**
   * The trace tells of requests alone, by the nature of its format: a buffer whose slots are taken
   * again (Flag.slots) has been released.
   */
  omitsReleases: boolean;
  /** What shows that the trace is not whole; every verdict on it is unsafe. */
  losses: Loss[];
  /** Lines that are no events at all: other output, comments, blank lines. */
  otherLines: number;
  /** Lines that are the rest of a record that a mailer or terminal wrapped. */
  joinedLines: number;
}

/** How far a pool's start indexes are known. */
export type IndexKnowledge =
  /** The trace gives them. */
  | 'given'
  /** The trace is silent: 0, unless the first recorded address of an area shows otherwise. */
  | 'default'
  /** The trace starts in the middle: the first recorded address of an area tells. */
  | 'unknown';

/** A pool as the trace declares it. */
export interface PoolDeclaration {
  name: string;
  /** Physical address, bytes. */
  base: number;
  /** Slots. */
  nslabs: number;
  areas: number;
  /** Start index of each area; missing ones are 0. */
  startIndexes: number[];
  indexKnowledge: IndexKnowledge;
  restricted: boolean;
}

/** Where a pool lies, and whether it is its devices' own. */
export type PoolPlace = Pick<PoolDeclaration, 'name' | 'base' | 'nslabs' | 'restricted'>;

/** A device as the trace declares it; what is undefined has the kernel's default. */
export interface DeviceDeclaration {
  name: string;
  minAlignMask?: number;
  /** Infinity means no boundary. */
  segBoundaryMask?: number;
  /** Bits of physical address that the device reaches; Infinity for all 64. */
  dmaMask?: number;
  /** Name of the pool; the default pool, or else the only one, where missing. */
  pool?: string;
}

/** One `#expect` line: the allocator's state at the end. */
export interface Expectation {
  line: number;
  pool?: string;
  used?: number;
  usedHiwater?: number;
  /** Start index per area. */
  index?: number[];
}

/** Something that a verdict rests on and that the trace does not say. */
export interface Assumption {
  /** Where it was inferred from; undefined for a mere default. */
  line: number | undefined;
  message: string;
}

/** Evidence that events are missing from the trace. */
export interface Loss {
  /** Where it shows; undefined where no line does. */
  line: number | undefined;
  /** How many are missing; undefined where that is not known. */
  events: number | undefined;
  message: string;
}

/** A line that could not be used. */
export interface Problem {
  line: number;
  /** What is wrong with it and what to do. */
  message: string;
  /** The offending text as it stands in the trace, cut to a readable length; not made harmless. */
  text: string;
}

/** Problems, all counted, the first few kept. */
export interface ProblemLog {
  count: number;
  first: Problem[];
}

/** How many problems are kept word by word. */
const KEPT_PROBLEMS = 10;

/** How much of an offending text is kept, in characters. */
const KEPT_TEXT = 160;

/** A trace about which nothing is known yet. */
export function emptyTraceInfo(): TraceInfo {
  return {
    kernel: undefined,
    pageSize: undefined,
    dynamic: false,
    pools: [],
    devices: [],
    expectations: [],
    assumptions: [],
    orderIsExact: true,
    mayLackEvents: false,
    omitsReleases: false,
    losses: [],
    problems: { count: 0, first: [] },
    otherLines: 0,
    joinedLines: 0,
  };
}

/** Counts a line that could not be used, and keeps it if it is among the first. */
export function logProblem(log: ProblemLog, line: number, message: string, text: string): void {
  log.count++;
  if (log.first.length < KEPT_PROBLEMS) {
    log.first.push({ line, message, text: shorten(text) });
  }
}

/** Text cut to a length that a terminal line can show. */
export function shorten(text: string, length = KEPT_TEXT): string {
  return text.length <= length ? text : `${text.slice(0, length)}...`;
}
