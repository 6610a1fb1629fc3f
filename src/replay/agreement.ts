import { type EventBatch, Look, Op, Recorded } from '../events/batch.js';
import type { PoolDeclaration, TraceInfo } from '../events/trace.js';
import { IO_TLB_SEGSIZE, IO_TLB_SIZE } from '../kernel/constants.js';
import { emptyPlan, emptyRequest } from '../kernel/plan.js';
import { leadToTheSame } from '../kernel/samePlan.js';
import type { MapAnswer } from '../swiotlb/allocator.js';
import { planAlloc, planMap } from '../swiotlb/calls.js';
import type { SessionDevice, SessionOptions } from './devices.js';
import { emptyForetold, foretell, type Question } from './foretell.js';
import { resolvePools } from './geometry.js';
import type { Session } from './session.js';

/** One session that stands for two releases as long as both certainly answer the same. */
export interface Agreement {
  /**
   * Replays a batch up to the first request that the other release may answer differently.
   * @returns the number of that request, which is not replayed; the batch's length if there is none
   */
  run(batch: EventBatch): number;
  /** How many candidates more the other release has examined. */
  examinedMore: number;
}

/** Slots in 4 GiB, from which on some releases' offsets overflow. */
const WRAPPING_SLOTS = 2 ** 32 / IO_TLB_SIZE;

/**
 * Whether two sides may agree at all: they differ in nothing but their releases, and those in what
 * they make of single requests. What a release from a file does is not known well enough, and nor
 * are dynamic pools.
 */
export function mayAgree({ dynamic }: TraceInfo, a: SessionOptions, b: SessionOptions): boolean {
  return (
    !dynamic &&
    a.release.policyOf === undefined &&
    b.release.policyOf === undefined &&
    a.release.believesUnmapSize === b.release.believesUnmapSize &&
    a.pageSize === b.pageSize &&
    a.search === b.search &&
    a.devices === b.devices &&
    a.pools.length === b.pools.length &&
    a.pools.every((pool, n) => pool === b.pools[n])
  );
}

/**
 * An agreement of a session and another release that replays the same trace.
 * @param info the trace's declarations, which grow
 * @param session fresh, and replayed by the agreement alone
 * @param other with the session's own pools and devices; see mayAgree()
 */
export function createAgreement(
  info: TraceInfo,
  session: Session,
  other: SessionOptions,
): Agreement {
  const { options, devices, allocators } = session;
  const { pageSize, release: own } = options;
  const { release } = other;
  const followsLook = (options.followsLook ?? false) || (other.followsLook ?? false);
  const hasSamePlans = own.size === release.size && own.masks === release.masks;
  const servesSamePages =
    (own.coherentAlignMask === undefined) === (release.coherentAlignMask === undefined) &&
    own.refusesUnalignedPages === release.refusesUnalignedPages;
  const request = emptyRequest();
  const [ownPlan, plan] = [emptyPlan(), emptyPlan()];
  const [ownAnswer, answer] = [emptyForetold(), emptyForetold()];
  let pools = 0;
  let areAlike = true;

  /** Whether no pool that is set up is such that the releases treat it differently as a whole. */
  function poolsAreAlike(): boolean {
    if (pools < allocators.length) {
      pools = allocators.length;
      areAlike &&= resolvePools(info, options.pools).every(isAlike);
    }
    return areAlike;
  }

  function isAlike({ base, nslabs, areas }: PoolDeclaration): boolean {
    return (
      base % IO_TLB_SIZE === 0 &&
      (own.hasAreas === release.hasAreas || areas === 1) &&
      (own.clampsTail === release.clampsTail || nslabs % IO_TLB_SEGSIZE === 0) &&
      (own.wrapsSlotOffset === release.wrapsSlotOffset || nslabs <= WRAPPING_SLOTS)
    );
  }

  /** Whether no search is needed to know that both answer the same. Hot path. */
  function isCertain(batch: EventBatch, n: number, minAlignMask: number): boolean {
    if (followsLook && batch.look[n] !== Look.whole) return false;
    const size = batch.size[n];
    if (own.maxMappingSize !== release.maxMappingSize) {
      const max = own.maxMappingSize(minAlignMask);
      // A refusal may have another cause.
      if (size > Math.min(max, release.maxMappingSize(minAlignMask))) return false;
    }
    request.mappingSize = size;
    request.minAlignMask = minAlignMask;
    if (batch.op[n] === Op.alloc) {
      if (!servesSamePages) return false;
      if (hasSamePlans && own.coherentAlignMask === release.coherentAlignMask) return true;
      planAlloc(own, pageSize, request, ownPlan);
      planAlloc(release, pageSize, request, plan);
    } else {
      const allocSize = Number.isNaN(batch.allocSize[n]) ? size : batch.allocSize[n];
      if (own.takesAllocSize !== release.takesAllocSize && size > allocSize) return false;
      if (hasSamePlans) return true;
      request.allocSize = allocSize;
      request.origAddr = batch.origAddr[n];
      request.allocAlignMask = batch.allocAlignMask[n];
      planMap(own, pageSize, request, ownPlan);
      planMap(release, pageSize, request, plan);
    }
    return leadToTheSame(ownPlan, plan);
  }

  /** Whether both answer the same from the session's state, and store the same. */
  function isSame(batch: EventBatch, n: number, { device, startIndex }: SessionDevice): boolean {
    if (followsLook && batch.look[n] !== Look.whole) return false;
    // The plan has a part in finding out where searches start.
    if (batch.recorded[n] === Recorded.address && !startIndex.done) return false;
    const question = questionOf(batch, n);
    foretell(options, question, device, Number.NaN, ownAnswer);
    // Of what both refuse the causes may differ.
    if (ownAnswer.slot < 0) return false;
    foretell(other, question, device, Number.NaN, answer);
    if (!isSameAnswer(ownAnswer, answer)) return false;
    agreement.examinedMore += answer.examined - ownAnswer.examined;
    return true;
  }

  const agreement: Agreement = {
    examinedMore: 0,
    run(batch) {
      let from = 0;
      if (!areAlike) return 0;
      for (let n = 0; n < batch.length; n++) {
        const op = batch.op[n];
        if (op !== Op.map && op !== Op.alloc) continue;
        const number = batch.device[n];
        let at = devices.list[number];
        if (at === undefined) {
          session.run(batch, from, n);
          from = n;
          at = devices.list[number] ?? devices.declare(number);
          if (!poolsAreAlike()) return n;
        }
        if (isCertain(batch, n, at.device.minAlignMask)) continue;
        session.run(batch, from, n);
        from = n;
        if (!isSame(batch, n, at)) return n;
      }
      session.run(batch, from, batch.length);
      poolsAreAlike();
      return batch.length;
    },
  };
  return agreement;
}

function questionOf(batch: EventBatch, n: number): Question {
  const op = batch.op[n];
  const size = batch.size[n];
  return {
    line: batch.line[n],
    op,
    cpu: batch.cpu[n],
    origAddr: op === Op.map ? batch.origAddr[n] : 0,
    size,
    allocSize: Number.isNaN(batch.allocSize[n]) ? size : batch.allocSize[n],
    allocAlignMask: batch.allocAlignMask[n],
    look: Look.whole,
    recordedAddr: batch.tlbAddr[n],
  };
}

function isSameAnswer(a: MapAnswer, b: MapAnswer): boolean {
  return (
    a.refusal === b.refusal &&
    a.pool === b.pool &&
    a.slot === b.slot &&
    Object.is(a.address, b.address) &&
    a.plan.nslots === b.plan.nslots &&
    a.plan.offset === b.plan.offset &&
    a.plan.totalSize === b.plan.totalSize
  );
}
