import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { causeOfFailure } from '../../src/analysis/cause.js';
import { Op } from '../../src/events/batch.js';
import type { Observer, Outcome } from '../../src/replay/outcome.js';
import type { Session } from '../../src/replay/session.js';
import { RELEASE_NAMES, scenarios, traceOf } from '../replay/generating.js';
import { replay } from '../support/replaying.js';
import {
  anyPoolServes,
  demandOf,
  freeSlots,
  hasRoom,
  type OraclePool,
  type OracleRequest,
  roomySlots,
  searchedAreas,
} from './searchOracle.js';

function oraclePool(outcome: Outcome): OraclePool {
  const { base, nslabs, areas, list, areaUsed } = outcome.device.allocator.pool;
  return {
    base,
    nslabs,
    areas,
    isFree: (slot) => list[slot] !== 0,
    usedIn: (area) => areaUsed[area],
  };
}

function oracleRequest(outcome: Outcome): OracleRequest {
  const { op, origAddr, size, allocSize, allocAlignMask, device } = outcome;
  const { minAlignMask, segBoundaryMask } = device;
  const isAlloc = op === Op.alloc;
  return { isAlloc, origAddr, size, allocSize, allocAlignMask, minAlignMask, segBoundaryMask };
}

/** What the trace's events show to be untrue of a refusal's cause; undefined where it is true. */
function untruth(session: Session, outcome: Outcome): string | undefined {
  const release = session.options.release.name;
  const { cause, reason: words } = causeOfFailure(session.options.release, outcome);
  const reason = words();
  if (cause !== outcome.cause) return `the check says ${outcome.cause}, the analysis ${cause}`;
  const request = oracleRequest(outcome);
  if (release !== 'v6.12' && request.size > request.allocSize) {
    return cause === 'unsatisfiable' ? undefined : `${cause}, but mapping_size > alloc_size`;
  }
  const pool = oraclePool(outcome);
  const demand = demandOf(release, pool.base, request);
  const { nslots } = demand;
  const servable = anyPoolServes(demand);
  if (!servable) {
    const most = 262144 - Math.ceil(request.minAlignMask / 2048) * 2048;
    const wanted = nslots > 128 || request.size > most ? 'too-large' : 'unsatisfiable';
    return cause === wanted ? undefined : `${cause}, but no pool could serve it: ${wanted}`;
  }
  const free = freeSlots(pool);
  if (free < nslots) return cause === 'exhausted' ? undefined : `${cause}, but ${free} are free`;
  const searched = searchedAreas(pool, nslots);
  if (searched.length === 0) return cause === 'area-skew' ? undefined : `${cause}, but no area`;
  const roomy = roomySlots(pool, nslots);
  if (roomy.length === 0) return cause === 'fragmented' ? undefined : `${cause}, but no room`;
  const aligned = roomy.filter(demand.isAligned);
  if (aligned.length === 0) return cause === 'alignment' ? undefined : `${cause}, but no aligned`;
  const fitting = aligned.filter((slot) => !demand.crossesBoundary(slot));
  if (fitting.length === 0) return cause === 'boundary' ? undefined : `${cause}, but boundary`;
  const named = Number(/^slot (\d+) /.exec(reason)?.[1]);
  if (cause !== 'alignment' || !fitting.includes(named)) {
    return `${cause}: ${reason}, but ${fitting} would do`;
  }
  return undefined;
}

/** Every refusal of a generated trace whose cause is not the true one. */
async function untruths(release: string, trace: string): Promise<string[]> {
  const found: string[] = [];
  await replay(release, trace, {
    observe: (session: Session): Observer => ({
      onRequest(outcome) {
        if (outcome.answer.slot >= 0) return;
        const problem = untruth(session, outcome);
        if (problem !== undefined) found.push(`line ${outcome.line}: ${problem}`);
      },
    }),
  });
  return found;
}

describe('the cause of a refusal', () => {
  // v6.8 frees neighbours of misaligned pages, after which its books show nothing true any more.
  it.each(RELEASE_NAMES)('is the one that brute force finds in %s', async (release) => {
    await fc.assert(
      fc.asyncProperty(scenarios, async (scenario) => {
        const trace = traceOf(scenario, { allocs: release !== 'v6.8', releaseAll: false });
        expect(await untruths(release, trace)).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });
});

describe('the oracle itself', () => {
  const request: OracleRequest = {
    isAlloc: false,
    origAddr: 0x100800,
    size: 4096,
    allocSize: 4096,
    allocAlignMask: 0,
    minAlignMask: 0,
    segBoundaryMask: Number.POSITIVE_INFINITY,
  };

  it('knows that v6.8 compares the page bits and v6.9 clears them (spec Q3)', () => {
    const aligned = (release: string) =>
      [0, 1, 2, 3].filter(demandOf(release, 0x80000000, request).isAligned);
    expect(aligned('v6.8')).toEqual([1, 3]);
    expect(aligned('v6.9')).toEqual([0, 2]);
  });

  it('knows that v6.9 and v6.10 pad and round differently (spec Q6)', () => {
    const masked = { ...request, size: 100, allocAlignMask: 0xfff, minAlignMask: 0xfff };
    const padded = { ...masked, origAddr: 0x1234a10 };
    expect(demandOf('v6.9', 0x80000000, padded).nslots).toBe(4);
    expect(demandOf('v6.12', 0x80000000, padded).nslots).toBe(2);
  });

  it('lets no run cross the end of a segment', () => {
    const pool = { base: 0, nslabs: 256, areas: 1, isFree: () => true, usedIn: () => 0 };
    expect(hasRoom(pool, 120, 8)).toBe(true);
    expect(hasRoom(pool, 120, 9)).toBe(false);
  });
});
