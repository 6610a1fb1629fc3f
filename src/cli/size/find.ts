import { IO_TLB_SEGSIZE } from '../../kernel/constants.js';
import type { Release } from '../../kernel/release.js';
import {
  poolSize,
  type SizeAnswer,
  type SweepPoint,
  sizeAnswer,
  sortAnswers,
  sweepPoint,
  type Unanswered,
} from '../../report/sizeReport.js';
import type { Load } from '../../sizing/load.js';
import { combine, type Evaluate, type Smallest, smallestPool } from '../../sizing/search.js';
import { areaCounts, bootParameterOf, bootSteps, SEGMENT_STEPS } from '../../sizing/steps.js';
import type { FailedRequest } from '../../sizing/trial.js';
import type { Workload } from '../../sizing/workload.js';
import { setUpAtBoot } from '../../swiotlb/setup.js';
import type { UsedPool } from './pools.js';
import type { SweepRange } from './sweepOption.js';

/** How much larger the burst is that an answer tells of. */
const BURST = 1.5;

/** Answers by pool and number of areas. */
export interface Found {
  answers: SizeAnswer[];
  unanswered: Unanswered[];
  neverServed: FailedRequest[];
  never: number;
}

/** Searches the smallest pools, all at once. */
export async function findSizes(
  release: Release,
  pools: readonly UsedPool[],
  load: Load,
  cpus: number,
  evaluate: Evaluate,
): Promise<Found> {
  const found: Found = { answers: [], unanswered: [], neverServed: [], never: 0 };
  const results = await Promise.all(
    pools.flatMap((pool) =>
      countsFor(release, pool, cpus).map(async (areas) => ({
        pool,
        areas,
        ...(await search(release, pool, areas, load, evaluate)),
      })),
    ),
  );
  for (const { pool, areas, smallest, burst } of results) {
    if (smallest.nslabs === undefined) {
      found.unanswered.push({ pool, areas, failsAt: smallest.failsAt });
    } else {
      found.answers.push(
        sizeAnswer(pool, areas, smallest, burst, (nslabs) =>
          parameter(release, pool, nslabs, areas),
        ),
      );
    }
  }
  for (const pool of pools)
    addNeverServed(
      results.find((each) => each.pool === pool),
      found,
    );
  sortAnswers(found.answers);
  return found;
}

/** What no pool serves is the same whatever the areas. */
function addNeverServed(
  result: { smallest: Smallest | { nslabs: undefined } } | undefined,
  found: Found,
): void {
  if (result?.smallest.nslabs === undefined) return;
  const { trial } = result.smallest as Smallest;
  found.neverServed.push(...trial.firstNever);
  found.never += trial.never;
}

async function search(
  release: Release,
  pool: UsedPool,
  areas: number,
  load: Load,
  evaluate: Evaluate,
) {
  const steps = pool.restricted ? SEGMENT_STEPS : bootSteps(release, areas);
  const sizing = { release, pools: pool.indexes, areas, steps };
  const [smallest, burst] = await Promise.all([
    smallestPool({ ...sizing, load }, evaluate),
    smallestPool({ ...sizing, load: { ...load, scale: load.scale * BURST } }, evaluate),
  ]);
  return { smallest, burst };
}

/** A region of the device tree has one area, whatever the release. */
function countsFor(release: Release, { restricted, areas }: UsedPool, cpus: number): number[] {
  return restricted ? [1] : areaCounts(release, Math.max(cpus, areas));
}

function parameter(
  release: Release,
  { restricted }: UsedPool,
  nslabs: number,
  areas: number,
): string | undefined {
  return restricted ? undefined : bootParameterOf(release, nslabs, areas);
}

/** A pool that a sweep tries. */
interface Point {
  release: Release;
  pool: UsedPool;
  asked: { nslabs: number; areas: number };
  nslabs: number;
  areas: number;
}

/** The points of a sweep, in the order of its lists; a kernel sets up no pool for some. */
export function sweepPoints(
  releases: readonly Release[],
  range: SweepRange,
  pools: readonly UsedPool[],
  cpus: number,
): Point[] {
  const points: Point[] = [];
  for (const pool of pools) {
    for (const release of releases) {
      for (const areas of areasOf(release, range, pool, cpus)) {
        for (const nslabs of range.nslabs ?? []) {
          const asked = { nslabs, areas };
          const made = pool.restricted
            ? { nslabs: Math.ceil(nslabs / IO_TLB_SEGSIZE) * IO_TLB_SEGSIZE, areas: 1 }
            : setUpAtBoot(release, { ...asked, failures: 0 });
          if (made !== undefined) points.push({ release, pool, asked, ...made });
        }
      }
    }
  }
  return points;
}

function areasOf(
  release: Release,
  range: SweepRange,
  pool: UsedPool,
  cpus: number,
): readonly number[] {
  return pool.restricted ? [1] : (range.areas ?? countsFor(release, pool, cpus));
}

/** Tries every point of a sweep to the end of the workloads. */
export function trySweep(
  points: readonly Point[],
  workloads: readonly Workload[],
  load: Load,
  evaluate: Evaluate,
): Promise<SweepPoint[]> {
  const requests = workloads.reduce((sum, each) => sum + each.requests, 0);
  return Promise.all(
    points.map(async ({ release, pool, asked, nslabs, areas }) => {
      const trials = await Promise.all(
        pool.indexes.flatMap((index, workload) =>
          index === undefined
            ? []
            : [
                evaluate({
                  workload,
                  kernel: release.name,
                  pool: { pool: index, nslabs, areas },
                  load,
                  stopsAtFailure: false,
                }),
              ],
        ),
      );
      const size = poolSize(nslabs, areas, parameter(release, pool, nslabs, areas));
      return sweepPoint({ pool, kernel: release.name, asked, requests }, size, combine(trials));
    }),
  );
}
