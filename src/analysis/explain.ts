import { OP_NAMES, Op } from '../events/batch.js';
import { hex } from '../events/numbers.js';
import { maskFormula, sizeFormula } from '../kernel/formulas.js';
import type { SearchPlan } from '../kernel/plan.js';
import type { Release } from '../kernel/release.js';
import { eachLive, lineOf, nslotsOf, slotOf } from '../replay/allocations.js';
import type { Observer, Outcome } from '../replay/outcome.js';
import type { Session } from '../replay/session.js';
import { type Allocator, areaRoom } from '../swiotlb/allocator.js';
import type { Pool } from '../swiotlb/pool.js';
import { type Searcher, searchLinear } from '../swiotlb/search.js';
import { type AddressWindow, spansBoundary } from '../swiotlb/window.js';
import { type Cause, causeOfFailure } from './cause.js';

/** Candidates in a row that the same thing ruled out. */
export interface CandidateRun {
  /** First and last candidate of the run, in the order of the search. */
  first: number;
  last: number;
  count: number;
  /** What ruled them out; undefined for the slot that was taken. */
  reason: string | undefined;
  /** For slots in use the lines of their allocations; for runs too short their lengths. The first few. */
  details: number[];
}

/** The search of one area. */
export interface AreaSearch {
  pool: string;
  area: number;
  /** Where its index stood. */
  index: number;
  /** Slots that the area had left, as it counts them. */
  room: number;
  /** Empty where the area was given up before a look. */
  candidates: CandidateRun[];
}

/** Why one request got its slot, or none. */
export interface Explanation {
  line: number;
  kernel: string;
  op: string;
  device: string;
  cpu: number;
  origAddr: number;
  size: number;
  allocSize: number;
  allocAlignMask: number;
  minAlignMask: number;
  plan: SearchPlan;
  formulas: string[];
  areas: AreaSearch[];
  /** Slots examined, as the searcher counts. */
  examined: number;
  /** Undefined where it was refused. */
  result: { slot: number; nslots: number; address: number } | undefined;
  cause: { cause: Cause | 'endless-search'; reason: string } | undefined;
}

/** Watches a session for the request of one line. */
export interface ExplainWatch extends Observer {
  /** Undefined until the line has come by, or if no request stands there. */
  explanation: Explanation | undefined;
}

/** Details that a run keeps. */
const KEPT_DETAILS = 4;

/** Why a slot cannot be taken for a plan; the reason is undefined if it can. */
function ruledOut(
  pool: Pool,
  slot: number,
  plan: SearchPlan,
  window: AddressWindow,
  owner: (slot: number) => number | undefined,
): { reason: string | undefined; detail?: number | undefined } {
  const address = (window.low + slot * 2048) | 0;
  if ((address & plan.clearMask) !== 0) {
    return { reason: `address is not clear under ${hex(plan.clearMask >>> 0)}` };
  }
  if ((address & plan.matchMask) !== plan.matchBits) {
    return { reason: `address is not orig_addr's under ${hex(plan.matchMask >>> 0)}` };
  }
  const free = pool.list[slot];
  if (free === 0) return { reason: 'in use', detail: owner(slot) };
  if (free < plan.nslots) return { reason: 'too few free from here on', detail: free };
  if (spansBoundary(window, slot, plan.nslots)) {
    return { reason: "crosses the device's segment boundary" };
  }
  return { reason: undefined };
}

/** Who holds a slot, for candidates in use: the line of the allocation. */
function ownerOf({ allocations }: Session, pool: Pool): (slot: number) => number | undefined {
  const ownerLine = new Map<number, number>();
  eachLive(allocations, (number) => {
    if (allocations.pool[number] !== pool) return;
    for (let n = 0; n < nslotsOf(allocations, number); n++) {
      ownerLine.set(slotOf(allocations, number) + n, lineOf(allocations, number));
    }
  });
  return (slot) => ownerLine.get(slot);
}

/** Adds a candidate to runs of candidates. */
function addCandidate(
  runs: CandidateRun[],
  slot: number,
  { reason, detail }: ReturnType<typeof ruledOut>,
): void {
  let run = runs.at(-1);
  if (run === undefined || run.reason !== reason) {
    run = { first: slot, last: slot, count: 0, reason, details: [] };
    runs.push(run);
  }
  run.last = slot;
  run.count++;
  const isNew = detail !== undefined && !run.details.includes(detail);
  if (isNew && run.details.length < KEPT_DETAILS) run.details.push(detail);
}

/** A search that is written down. */
export interface SearchRecord {
  areas: AreaSearch[];
  /** Stands in for an allocator's own searcher; the linear one, since it looks at each slot. */
  search: Searcher;
}

/**
 * A record of the searches of one request.
 * @param originOf the session's pool that a pool is a copy of, where it is one
 */
export function recordSearch(
  session: Session,
  { pools }: Allocator,
  originOf: (pool: Pool) => Pool = (pool) => pool,
): SearchRecord {
  const owners = new Map<Pool, ReturnType<typeof ownerOf>>();
  const areas = pools.flatMap((pool) =>
    Array.from({ length: pool.areas }, (_, area) => areaSearch(pool, area)),
  );
  const search: Searcher = (pool, area, plan, window, tally) => {
    const owner = owners.get(pool) ?? ownerOf(session, originOf(pool));
    owners.set(pool, owner);
    const found = areas.find((entry) => entry.pool === pool.name && entry.area === area);
    const entry = found ?? { ...areaSearch(pool, area), candidates: [] };
    if (found === undefined) areas.push(entry);
    tally.visit = (slot) => {
      addCandidate(entry.candidates, slot, ruledOut(pool, slot, plan, window, owner));
    };
    const slot = searchLinear(pool, area, plan, window, tally);
    delete tally.visit;
    return slot;
  };
  return { areas, search };
}

/** Puts the record of a request's searches and its answer together. */
export function explainAnswer(
  release: Release,
  outcome: Outcome,
  areas: AreaSearch[],
): Explanation {
  const { answer, device } = outcome;
  const isMap = outcome.op === Op.map;
  const { policyOf } = release;
  const formulas = [
    isMap
      ? (sizeFormula(release.size) ?? `offset and total from size() of ${policyOf}`)
      : 'total = size',
    maskFormula(release.masks) ?? `clear, match and stride from plan() of ${policyOf}`,
  ];
  return {
    line: outcome.line,
    kernel: release.name,
    op: OP_NAMES[outcome.op],
    device: device.name,
    cpu: outcome.cpu,
    origAddr: outcome.origAddr,
    size: outcome.size,
    allocSize: outcome.allocSize,
    allocAlignMask: outcome.allocAlignMask,
    minAlignMask: device.minAlignMask,
    plan: { ...answer.plan },
    formulas,
    areas,
    examined: answer.examined,
    result:
      answer.slot < 0
        ? undefined
        : { slot: answer.slot, nslots: answer.plan.nslots, address: answer.address },
    cause: answer.slot < 0 ? causeOf(release, outcome) : undefined,
  };
}

function causeOf(release: Release, outcome: Outcome): Explanation['cause'] {
  if (outcome.answer.refusal === 'endless') {
    return { cause: 'endless-search', reason: 'the search does not come back to where it began' };
  }
  const { cause, reason } = causeOfFailure(release, outcome);
  return { cause, reason: reason() };
}

/** Explains the request of a line. */
export function watchExplanation(session: Session, line: number): ExplainWatch {
  let record: SearchRecord | undefined;
  let restore: () => void = () => {};

  const watch: ExplainWatch = {
    explanation: undefined,
    beforeRequest(outcome) {
      if (outcome.line !== line) return;
      const { allocator } = outcome.device;
      const { search } = allocator;
      record = recordSearch(session, allocator);
      allocator.search = record.search;
      restore = () => {
        allocator.search = search;
      };
    },
    onRequest(outcome) {
      if (outcome.line !== line || record === undefined) return;
      restore();
      watch.explanation = explainAnswer(session.options.release, outcome, record.areas);
    },
  };
  return watch;
}

function areaSearch(pool: Pool, area: number): AreaSearch {
  return {
    pool: pool.name,
    area,
    index: pool.areaIndex[area],
    room: areaRoom(pool, area),
    candidates: [],
  };
}
