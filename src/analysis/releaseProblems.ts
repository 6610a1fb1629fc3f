import { hex } from '../events/numbers.js';
import type { TraceInfo } from '../events/trace.js';
import { MAX_ALLOCATION_BYTES } from '../kernel/constants.js';
import { combinedMask } from '../kernel/plan.js';
import type { Release } from '../kernel/release.js';
import { placeRelease } from '../kernel/select.js';
import type { LogProblem, RefusalGroup } from './diagnosis.js';
import { KNOWN_PROBLEMS, type KnownId } from './knownProblems.js';
import { mappingLimit } from './refusalVerdict.js';

/** The mask of NVMe and storvsc, the commonest. */
const USUAL_MASK = 0xfff;

/**
 * Faults of releases themselves that the log gives a reason to look at: a refusal that they would
 * explain, or a pool that they touch.
 * @param newest the release that the pools are of
 */
export function releaseProblems(
  newest: Release | undefined,
  info: TraceInfo,
  groups: readonly RefusalGroup[],
): LogProblem[] {
  const problems: LogProblem[] = [];
  function add(
    id: KnownId,
    { line, count, device }: Pick<LogProblem, 'line' | 'count' | 'device'>,
    message: string,
  ): void {
    const before = problems.find((problem) => problem.id === id && problem.device === device);
    if (before !== undefined) {
      before.count += count;
      return;
    }
    const known = { affected: undefined, fixedBy: undefined, ...KNOWN_PROBLEMS[id] };
    problems.push({ id, line, count, suppressed: 0, device, message, ...known });
  }
  const restricted = info.pools.find((pool) => pool.restricted);
  if (newest?.masks === combinedMask && restricted !== undefined) {
    add(
      'double-allocation',
      { line: undefined, count: 1, device: undefined },
      `${newest.name} may hand out pages of the restricted pool ${restricted.name} at ${hex(restricted.base)} twice (CVE-2024-35814)`,
    );
  }
  for (const group of groups) {
    const { size, device, verdict, firstLine, count } = group;
    const release = verdict === 'not-full' ? releaseOf(group) : undefined;
    if (release === undefined) continue;
    const place = { line: firstLine, count, device };
    if (release.masks === combinedMask && size >= (info.pageSize ?? 4096)) {
      add(
        'page-bits-compared',
        place,
        `${release.name} wants the page bits of the slot to be those of the buffer, and refuses ${size} bytes where it finds none such`,
      );
    }
    const told = release.maxMappingSize(USUAL_MASK);
    const limit = mappingLimit(release, USUAL_MASK);
    if (told === MAX_ALLOCATION_BYTES && size > limit) {
      add(
        'max-mapping-size',
        place,
        `${release.name} tells drivers 256 KiB, but a device with a min_align_mask (0xfff: NVMe, storvsc) gets 252 KiB at most: ${size} bytes were refused`,
      );
    }
  }
  return problems;
}

/** The release of a group's kernel, whose name is a release's own where it is one that is known. */
function releaseOf({ kernel }: RefusalGroup): Release | undefined {
  return kernel === undefined ? undefined : placeRelease(kernel)?.release;
}
