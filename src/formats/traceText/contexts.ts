import type { Call } from './calls.js';

/** What runs: a task, or a softirq or hardirq that interrupted it. */
const Level = { task: 0, softirq: 1, hardirq: 2 } as const;

/** Calls in flight of one task, those of interrupts on top of it included. */
export interface Context {
  /** Maps and allocs, the innermost last. */
  requests: Call[];
  /** Unmaps and frees that have not ended, the innermost last. */
  releases: Call[];
  /** The line of the last event at each level; 0 before the first. */
  lastLine: [number, number, number];
  /** The unmap at each level that ended with nothing but the next event there would show. */
  endless: [Call | undefined, Call | undefined, Call | undefined];
  /** Line of a swiotlb_bounced whose map has not been seen; 0 for none. */
  bounced: number;
}

/** The contexts of a trace. The idle task is one on each CPU. */
export type Contexts = Map<number, Context>;

/** What tells contexts apart. */
export function contextKey(pid: number, cpu: number): number {
  return pid === 0 ? -cpu - 1 : pid;
}

/** The context in which a record was made. */
export function contextOf(contexts: Contexts, pid: number, cpu: number): Context {
  const key = contextKey(pid, cpu);
  let context = contexts.get(key);
  if (context === undefined) {
    context = {
      requests: [],
      releases: [],
      lastLine: [0, 0, 0],
      endless: [undefined, undefined, undefined],
      bounced: 0,
    };
    contexts.set(key, context);
  }
  return context;
}

/** The level that the hardirq/softirq column of the flags tells. */
export function levelOf(column: number): 0 | 1 | 2 {
  const letter = column | 0x20;
  if (letter === 0x73) return Level.softirq;
  return letter === 0x68 ? Level.hardirq : Level.task;
}

/** A kprobe that is hit by its breakpoint runs as an NMI does: what it interrupted is not told. */
export function isNmi(column: number): boolean {
  return (column | 0x20) === 0x7a;
}

/**
 * Takes the calls that began before a line out of a context: their returns are not awaited any more.
 * @returns the maps and allocs among them that were still open
 */
export function dropBegun(context: Context, line: number): Call[] {
  const { requests, releases } = context;
  if (releases.length > 0 && releases[0].line < line) {
    context.releases = releases.filter((call) => call.line >= line);
  }
  if (requests.length === 0 || requests[0].line >= line) return [];
  context.requests = requests.filter((call) => call.line >= line);
  return requests.filter((call) => call.line < line && call.isOpen);
}
