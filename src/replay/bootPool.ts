import { UserError } from '../events/errors.js';
import { MAX_NSLABS, parseMask } from '../events/numbers.js';
import type { Assumption, TraceInfo } from '../events/trace.js';
import type { Release } from '../kernel/release.js';
import { DEFAULT_NSLABS, guestNslabs, setUpAtBoot } from '../swiotlb/setup.js';
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
 * `swiotlb=` as setup_io_tlb_npages() takes it, SLOTS[,AREAS][,force], with words for what a kernel
 * finds out by itself: `default` or `guest=MEMORY` for SLOTS, and `halved=N` at the end.
 * @throws UserError for anything else
 */
export function parseBootParameter(text: string): BootParameter {
  const [first, ...rest] = text.split(',');
  const parameter: BootParameter = { text, nslabs: DEFAULT_NSLABS, areas: undefined, failures: 0 };
  if (first.startsWith('guest=')) parameter.nslabs = guestNslabs(sizeOf(first.slice(6)));
  else if (first !== 'default') parameter.nslabs = numberBelow(MAX_NSLABS, first);
  if (rest.length > 0 && /^\d/.test(rest[0])) {
    parameter.areas = numberBelow(4097, rest.shift() as string);
  }
  for (const word of rest) {
    if (word.startsWith('halved=')) parameter.failures = numberBelow(64, word.slice(7));
    else if (word === 'noforce') throw new UserError('With noforce there is no pool.');
    else if (word !== 'force') throw new UserError(`"${word}" is not force or halved=N.`);
  }
  return parameter;
}

/** A size in bytes, with K, M, G or T behind it. */
function sizeOf(text: string): number {
  const parts = /^(\d{1,12})([KMGT]?)$/i.exec(text);
  if (parts === null) throw new UserError(`"${text}" is not a size such as 16G.`);
  return Number(parts[1]) * 1024 ** ' KMGT'.indexOf(parts[2].toUpperCase() || ' ');
}

function numberBelow(limit: number, text: string): number {
  const value = parseMask(text);
  if (value < limit) return value;
  throw new UserError(`"${text}" is not a number below 0x${limit.toString(16)}.`);
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
