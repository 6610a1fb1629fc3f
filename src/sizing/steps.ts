import { IO_TLB_SEGSIZE, IO_TLB_SIZE } from '../kernel/constants.js';
import type { Release } from '../kernel/release.js';
import { setUpAtBoot } from '../swiotlb/setup.js';

/** Slots of the largest pool that is tried: 4 GiB, all that devices of 32 bits reach. */
export const LARGEST_NSLABS = 2 ** 32 / IO_TLB_SIZE;

/** The sizes that a pool can have, smallest first, as steps from one to the next. */
export interface Steps {
  /** The smallest size; undefined where a release sets up no pool of so many areas. */
  first: number | undefined;
  /** The next larger size; undefined beyond the largest that is tried. */
  next(nslabs: number): number | undefined;
  /** Sizes are powers of two, so that there are few. */
  isDoubling: boolean;
}

/** Sizes of a region of the device tree, and of the default pool before v6.0: whole segments. */
export const SEGMENT_STEPS: Steps = {
  first: IO_TLB_SEGSIZE,
  next: (nslabs) => withinReach(nslabs + IO_TLB_SEGSIZE),
  isDoubling: false,
};

/** Sizes that the boot code of a release makes of any parameter with so many areas. */
export function bootSteps(release: Release, areas: number): Steps {
  if (!release.hasAreas) return SEGMENT_STEPS;
  const next = (nslabs: number): number | undefined => {
    for (let asked = nslabs; asked <= LARGEST_NSLABS; asked *= 2) {
      const made = setUpAtBoot(release, { nslabs: asked, areas, failures: 0 });
      if (made?.areas === areas && made.nslabs > nslabs) return withinReach(made.nslabs);
    }
    return undefined;
  };
  return { first: next(IO_TLB_SEGSIZE / 2), next: (nslabs) => next(nslabs), isDoubling: true };
}

function withinReach(nslabs: number): number | undefined {
  return nslabs <= LARGEST_NSLABS ? nslabs : undefined;
}

/** Area counts that a release can be asked for on so many CPUs: powers of two, as the kernel rounds. */
export function areaCounts(release: Release, cpus: number): number[] {
  const counts = [1];
  while (release.hasAreas && counts[counts.length - 1] < cpus) {
    counts.push(counts[counts.length - 1] * 2);
  }
  return counts;
}

/** What `swiotlb=` must say for a default pool of that size. */
export function bootParameterOf(release: Release, nslabs: number, areas: number): string {
  return release.hasAreas ? `${nslabs},${areas}` : String(nslabs);
}
