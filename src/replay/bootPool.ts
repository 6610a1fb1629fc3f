import { UserError } from '../events/errors.js';
import type { Assumption, TraceInfo } from '../events/trace.js';
import type { Release } from '../kernel/release.js';
import { setUpAtBoot } from '../swiotlb/setup.js';
import type { PoolOverride } from './geometry.js';

/** The default pool as the command line of a kernel asks for it. */
export interface BootParameter {
  /** As the user wrote it. */
  text: string;
  nslabs: number;
  /** Undefined: one for each possible CPU. */
  areas: number | undefined;
  /** How often memory is not to be had. */
  failures: number;
}

/**
 * The default pool that a release makes of a boot parameter.
 * @param assumptions told what became of the parameter
 * @throws UserError where no pool would be set up
 */
export function bootPool(
  release: Release,
  parameter: BootParameter,
  info: TraceInfo,
  assumptions: Assumption[],
): PoolOverride {
  const { text, nslabs, areas, failures } = parameter;
  const declared = info.pools.find(({ restricted }) => !restricted);
  const asked = areas ?? declared?.areas ?? 1;
  const result = setUpAtBoot(release, { nslabs, areas: asked, failures });
  if (result === undefined) {
    throw new UserError(`swiotlb=${text}: ${release.name} sets up no pool, or does not boot`);
  }
  const unsaid = areas === undefined ? ', as many areas as the trace has being asked for' : '';
  assumptions.push({
    line: undefined,
    message: `swiotlb=${text} makes ${result.nslabs} slots in ${result.areas} areas on ${release.name}${unsaid}`,
  });
  return declared === undefined ? result : { name: declared.name, ...result };
}
