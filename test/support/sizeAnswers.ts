import { expect } from 'vitest';
import { swiotlbReplay } from './cli.js';

/** An answer of `size --json`, as far as a test asks for a replay of it. */
export interface Answer {
  pool: string;
  restricted: boolean;
  areas: number;
  nslabs: number;
  parameter: string | null;
  peakSlots: number;
  failsAt: { nslabs: number; line: number } | null;
}

/** What a replay in a pool of that size shows. */
export interface Shown {
  failed: number;
  /** Line of the first request that failed. */
  line: number | undefined;
  peak: number;
}

/** Replays a trace in the pool of an answer, or in a smaller one, as a reader would who doubts it. */
function replayIn(
  file: string,
  kernel: string,
  { pool, restricted, parameter }: Answer,
  nslabs: number,
): Shown {
  const geometry = restricted
    ? ['--pool', `name=${pool},nslabs=${nslabs},areas=1,index=0`]
    : [
        '--swiotlb',
        String(parameter).replace(/^\d+/, String(nslabs)),
        '--pool',
        `name=${pool},index=0`,
      ];
  const { stdout } = swiotlbReplay([
    'replay',
    file,
    '--kernel',
    kernel,
    ...geometry,
    '--json',
    '--no-allocations',
  ]);
  const { summary, pools, findings } = JSON.parse(stdout);
  const failures = findings.filter(
    ({ rule, message }: { rule: string; message: string }) =>
      /^(pool-full|endless-search)$/.test(rule) &&
      !/ failed: (too-large|unsatisfiable)/.test(message),
  );
  const { usedHiwater } = pools.find(({ name }: { name: string }) => name === pool);
  return { failed: summary.failed, line: failures[0]?.line, peak: usedHiwater };
}

/**
 * Holds each answer against replays: all is served at its size, and one step smaller a request fails.
 * @param workload the file of --workload, where buffers live as the trials had it
 * @param isSame the trace itself shows the same, as no request in it was refused and no pool grew
 */
export function expectConfirmed(
  found: { kernel: string; answers: Answer[]; neverServedCount: number },
  trace: string,
  workload: string,
  isSame: boolean,
): void {
  for (const answer of found.answers) {
    const { nslabs, failsAt, peakSlots } = answer;
    const fits = replayIn(workload, found.kernel, answer, nslabs);
    expect(fits).toEqual({ failed: found.neverServedCount, line: undefined, peak: peakSlots });
    if (failsAt !== null) {
      const fails = replayIn(workload, found.kernel, answer, failsAt.nslabs);
      expect(fails.failed).toBeGreaterThan(found.neverServedCount);
    }
    const itself = replayIn(trace, found.kernel, answer, nslabs);
    expect(itself.line).toBeUndefined();
    if (isSame && failsAt !== null) {
      expect(replayIn(trace, found.kernel, answer, failsAt.nslabs).line).toBe(failsAt.line);
    }
  }
}
