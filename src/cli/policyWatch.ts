import { Worker } from 'node:worker_threads';
import type { PolicyFunction, PolicyWatch } from '../pipeline/policy.js';

/** What the watchdog is started with: plain data, shared where it changes. */
export interface Watched {
  /** The policy, as the user named it. */
  file: string;
  /** By `Beat`. */
  beat: Int32Array;
}

/** What stands where in the shared memory. */
export const Beat = {
  /** Counts calls. */
  calls: 0,
  /** One more than the number in CALLS of the function that is running; 0 for none. */
  running: 1,
  /** Line of the request that it is for; 0 for none. */
  line: 2,
} as const;

/** What may be running. */
export const CALLS: readonly (PolicyFunction | 'load')[] = [
  'load',
  'size',
  'plan',
  'coherentAlignMask',
];

/**
 * Watches a policy from another thread: JavaScript that never ends leaves its own thread no way to say
 * so. Loading the file counts as the first call, and is over at `onReturn`.
 */
export function watchPolicy(file: string): PolicyWatch {
  const beat = new Int32Array(new SharedArrayBuffer(12));
  const watched: Watched = { file, beat };
  new Worker(new URL('./policyWatchdog.js', import.meta.url), { workerData: watched }).unref();
  const call = (name: (typeof CALLS)[number], line: number): void => {
    beat[Beat.line] = line;
    beat[Beat.running] = CALLS.indexOf(name) + 1;
    Atomics.add(beat, Beat.calls, 1);
  };
  call('load', 0);
  return {
    onCall: (_, name, line) => call(name, line),
    onReturn() {
      Atomics.store(beat, Beat.running, 0);
    },
  };
}
