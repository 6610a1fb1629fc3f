import { UserError } from '../../events/errors.js';
import type { Assumption, Loss, TraceInfo } from '../../events/trace.js';
import type { Release } from '../../kernel/release.js';
import { type MergeBy, mergeWorkloads } from '../../sizing/merge.js';
import { recordWorkload } from '../../sizing/record.js';
import type { Workload } from '../../sizing/workload.js';
import type { ReplayOptions } from '../options.js';
import { chooseReleases, replayTrace, strictProblem } from '../run.js';

/** Traces that have been read. */
export interface Workloads {
  /** One where they were merged. */
  workloads: Workload[];
  release: Release;
  kernelReason: string | undefined;
  losses: Loss[];
  /** What reading the traces rests on. */
  assumptions: Assumption[];
  /** Exit status 2, where --strict makes lines that were not understood an error. */
  problem: number | undefined;
}

/**
 * Reads each trace once, as a workload.
 * @throws UserError where traces cannot be sized together
 */
export async function readWorkloads(
  paths: readonly string[],
  options: ReplayOptions,
  merge: MergeBy | undefined,
): Promise<Workloads> {
  const read: ReadOne[] = [];
  for (const path of paths) read.push(await readOne(path, options, merge !== undefined));
  const [{ release, kernelReason }] = read;
  const other = read.findIndex((each) => each.release.name !== release.name);
  if (other >= 0) {
    throw new UserError(
      `${paths[0]} is of ${release.name}, and ${paths[other]} of ${read[other].release.name}:` +
        ' say with --kernel whose pool is to be sized',
    );
  }
  const workloads = read.map(({ workload }) => workload);
  return {
    workloads: merge === undefined ? workloads : [mergeWorkloads(workloads, merge)],
    release,
    kernelReason,
    losses: read.flatMap(({ info }) => info.losses),
    assumptions: read.flatMap(({ info }) => info.assumptions),
    problem: read
      .map(({ info }, n) => strictProblem(options, paths[n], info))
      .find((status) => status !== undefined),
  };
}

interface ReadOne {
  workload: Workload;
  release: Release;
  kernelReason: string | undefined;
  info: TraceInfo;
}

async function readOne(path: string, options: ReplayOptions, withTime: boolean): Promise<ReadOne> {
  const { runs, info, trace, kernelReason } = await replayTrace(
    path,
    options,
    (known) => chooseReleases(options.kernel, known),
    (session) => {
      const recorder = recordWorkload(session, withTime);
      session.observers.push(recorder.observer);
      return recorder;
    },
  );
  const [{ session, watch }] = runs;
  const { format, lines, events } = trace;
  const { losses } = info;
  const isRecordedKernel =
    (options.kernel === undefined || options.kernel === 'recorded') && options.pool.length === 0;
  const workload = watch.finish({ path, format, lines, events, losses, isRecordedKernel });
  return { workload, release: session.options.release, kernelReason, info };
}
