import { UserError } from '../../events/errors.js';
import { workloadTrace } from '../../render/size/workloadTrace.js';
import type { Load } from '../../sizing/load.js';
import { openOutput } from '../output.js';
import type { Workloads } from './read.js';

/**
 * Writes what was tried as a trace.
 * @throws UserError for several traces that were not merged
 */
export async function writeWorkload(
  { workloads, release }: Workloads,
  load: Load,
  file: string,
): Promise<void> {
  if (workloads.length > 1) {
    throw new UserError('--workload writes one workload: give one trace, or --merge');
  }
  const output = openOutput(file);
  try {
    for (const piece of workloadTrace(workloads[0], release.name, load)) await output.write(piece);
    await output.done();
  } catch (error) {
    output.abandon();
    throw error;
  }
}
