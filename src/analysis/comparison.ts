import { OP_NAMES, Op } from '../events/batch.js';
import { IO_TLB_SHIFT, IO_TLB_SIZE, slotsOf } from '../kernel/constants.js';
import { nslotsOf, offsetOf } from '../replay/allocations.js';
import {
  createForeteller,
  emptyForetold,
  type Foreteller,
  type Synchrony,
} from '../replay/foretell.js';
import { Match, type Observer, type Outcome } from '../replay/outcome.js';
import type { Session } from '../replay/session.js';
import type { MapAnswer } from '../swiotlb/allocator.js';
import { createAnswerQueue, firstSlot, slotCount } from './answerQueue.js';
import { type Divergence, explainDivergence } from './divergence.js';

/** A request that two replays of one trace answered differently; an address is undefined where it was refused. */
export interface DifferentAnswer {
  line: number;
  op: string;
  device: string;
  /** Bytes asked for. */
  size: number;
  old: number | undefined;
  new: number | undefined;
  /** Line of the difference that this one follows from, its own where it follows from none; undefined if not known. */
  origin: number | undefined;
}

/** What a release does differently by itself. */
export type DifferenceKind =
  /** It gives another address, or refuses. */
  | 'address'
  /** It gives the same address, and takes other slots for it. */
  | 'slots'
  /** It would give another address, had earlier differences not made up for that. */
  | 'hidden'
  /** It gives back another number of slots. */
  | 'release';

/** A difference that the state in which the request was met does not explain. */
export interface IndependentDifference {
  kind: DifferenceKind;
  line: number;
  op: string;
  device: string;
  size: number;
  /** What both sides gave; undefined where refused. */
  old: number | undefined;
  new: number | undefined;
  /** Slots that the old side took or gave back, and that the new one would from the same state; 0 where refused. */
  oldSlots: number;
  newSlots: number;
  /** Different addresses up to the next independent difference. */
  followed: number;
}

/** Requests of one device that two replays answered differently. */
export interface DeviceDifferences {
  device: string;
  /** Requests with another address. */
  different: number;
  /** Of those, the ones that stand by themselves. */
  alone: number;
}

/** Two replays of one trace, request by request. The new side is replayed first, batch by batch. */
export interface Comparison {
  /** To observe the replay of the new side, whose batches come first. */
  new: Observer;
  /** To observe the old side. */
  old: Observer;
  /** As long as it is set the old side stands for both, and what the new one is seen to do is the same. */
  isOne: boolean;
  requests: number;
  /** Requests with another address. */
  different: number;
  /** Independent differences of every kind, and those of kind `address`. */
  independent: number;
  differentAlone: number;
  /** Different addresses that follow from an independent difference before them. */
  following: number;
  /** Different addresses of which that is not known. */
  unexplained: number;
  /** More than one device has had events. */
  hasManyDevices: boolean;
  /** Whose addresses they are; by the session's number of the device, with holes. */
  devices: DeviceDifferences[];
  /** The first requests that were answered differently. */
  first: DifferentAnswer[];
  /** The first independent differences. */
  origins: IndependentDifference[];
  /** Undefined where they never part. */
  divergence: Divergence | undefined;
  /** The worst over all devices. */
  synchrony: Synchrony;
  /** Allocations of the old side that have no place in the new side's pools. */
  unplaced: number;
}

const SYNCHRONIES: readonly Synchrony[] = ['exact', 'mirrored', 'impossible'];

const served = (address: number): number | undefined =>
  Number.isNaN(address) ? undefined : address;

/**
 * A comparison of two sessions that keeps the first `keep` differences.
 *
 * Up to the first difference both sides are in one state. From there on the new side is asked about
 * every request from the old side's state as well: what it answers differently there it does by
 * itself, and every other difference follows from those before.
 * @param sessions asked for once events come
 */
export function createComparison(
  keep: number,
  sessions: () => { old: Session; new: Session },
): Comparison {
  const answers = createAnswerQueue();
  const fromNew = { address: 0, slot: 0, nslots: 0, transientBase: 0 };
  const alone = emptyForetold();
  let foreteller: Foreteller | undefined;
  let asks = false;
  let firstDevice: number | undefined;
  let origin: IndependentDifference | undefined;

  const comparison: Comparison = {
    isOne: false,
    requests: 0,
    different: 0,
    independent: 0,
    differentAlone: 0,
    following: 0,
    unexplained: 0,
    hasManyDevices: false,
    devices: [],
    first: [],
    origins: [],
    divergence: undefined,
    synchrony: 'exact',
    unplaced: 0,
    new: {
      beforeRequest({ device }) {
        if (!comparison.isOne) foretellerOf().beforeNewRequest(device.allocator);
      },
      onRequest({ answer, transientBase }) {
        if (!comparison.isOne) answers.push(answer, transientBase);
      },
    },
    old: {
      beforeRequest(outcome) {
        if (comparison.isOne) return;
        answers.shift(fromNew);
        const synchrony = foretellerOf().synchronyOf(outcome);
        if (SYNCHRONIES.indexOf(synchrony) > SYNCHRONIES.indexOf(comparison.synchrony)) {
          comparison.synchrony = synchrony;
        }
        if ((asks && synchrony === 'exact') || synchrony === 'mirrored') {
          foretellerOf().ask(outcome, fromNew.transientBase, alone);
        }
      },
      onRequest(outcome) {
        comparison.requests++;
        meet(outcome);
        if (comparison.isOne) return;
        compare(outcome);
        foretellerOf().onRequest(outcome);
      },
      onRelease(outcome) {
        meet(outcome);
        if (comparison.isOne) return;
        compareRelease(outcome);
        foretellerOf().onRelease(outcome);
      },
      atEnd() {
        comparison.unplaced = foreteller?.unplaced() ?? 0;
      },
    },
  };

  function foretellerOf(): Foreteller {
    if (foreteller === undefined) {
      const { old, new: fresh } = sessions();
      foreteller = createForeteller(old, fresh);
    }
    return foreteller;
  }

  function meet({ deviceNumber }: Outcome): void {
    firstDevice ??= deviceNumber;
    if (deviceNumber !== firstDevice) comparison.hasManyDevices = true;
  }

  /** How far the new side's pool lies from the old side's, where it was moved. */
  function shiftOf({ deviceNumber, device }: Outcome): number {
    return sessions().new.device(deviceNumber).allocator.pool.base - device.allocator.pool.base;
  }

  function compare(outcome: Outcome): void {
    const address = outcome.answer.address;
    const shift = shiftOf(outcome);
    const isDifferent = !Object.is(address, fromNew.address - shift);
    const synchrony = foretellerOf().synchronyOf(outcome);
    if (!asks && !isDifferent && synchrony !== 'mirrored') {
      const sameSlots = fromNew.slot === firstSlot(outcome.answer);
      if (sameSlots && fromNew.nslots === slotCount(outcome.answer)) return;
    }
    const isNew = isDifferent || (!asks && synchrony === 'exact');
    const isFirst = isNew && comparison.divergence === undefined && synchrony !== 'impossible';
    const explained = isFirst ? explain(outcome) : undefined;
    const isIndependent = synchrony !== 'impossible' && !isSame(outcome, explained ?? alone, shift);
    asks = true;
    if (isIndependent) addOrigin(outcome, explained ?? alone, shift, isDifferent);
    if (isDifferent) addDifference(outcome, isIndependent);
  }

  /** Both sides of the first difference, and what the new side alone makes of the request. */
  function explain(outcome: Outcome): MapAnswer {
    const { old, new: fresh } = sessions();
    const { transientBase } = fromNew;
    const explained = explainDivergence(old, fresh, foretellerOf(), outcome, transientBase);
    comparison.divergence = { ...explained.divergence, given: served(fromNew.address) };
    return explained.alone;
  }

  function addOrigin(
    outcome: Outcome,
    answer: MapAnswer,
    shift: number,
    isDifferent: boolean,
  ): void {
    const isMoved = !Object.is(ownAddress(outcome), answer.address - shift);
    origin = {
      kind: isDifferent ? 'address' : isMoved ? 'hidden' : 'slots',
      line: outcome.line,
      op: OP_NAMES[outcome.op],
      device: outcome.device.name,
      size: outcome.size,
      old: served(outcome.answer.address),
      new: served(fromNew.address),
      oldSlots: slotCount(outcome.answer),
      newSlots: slotCount(answer),
      followed: 0,
    };
    keepOrigin(origin);
  }

  function keepOrigin(difference: IndependentDifference): void {
    comparison.independent++;
    if (comparison.origins.length < keep) comparison.origins.push(difference);
  }

  function addDifference(outcome: Outcome, isIndependent: boolean): void {
    comparison.different++;
    const ofDevice = differencesOf(outcome);
    ofDevice.different++;
    if (isIndependent) {
      comparison.differentAlone++;
      ofDevice.alone++;
    } else if (origin !== undefined) {
      comparison.following++;
      origin.followed++;
    } else {
      comparison.unexplained++;
    }
    if (comparison.first.length >= keep) return;
    comparison.first.push({
      line: outcome.line,
      op: OP_NAMES[outcome.op],
      device: outcome.device.name,
      size: outcome.size,
      old: served(outcome.answer.address),
      new: served(fromNew.address),
      origin: origin?.line,
    });
  }

  function differencesOf({ deviceNumber, device }: Outcome): DeviceDifferences {
    const fresh = { device: device.name, different: 0, alone: 0 };
    comparison.devices[deviceNumber] ??= fresh;
    return comparison.devices[deviceNumber];
  }

  /** Up to v5.12 an unmap gives back what its caller says, later what was stored at the map. */
  function compareRelease(outcome: Outcome): void {
    if (outcome.op !== Op.unmap || outcome.match !== Match.live) return;
    const { old, new: fresh } = sessions();
    const believes = fresh.options.release.believesUnmapSize;
    if (believes === old.options.release.believesUnmapSize) return;
    const stored = nslotsOf(old.allocations, outcome.allocation);
    const lowOffset = outcome.recordedAddr & outcome.device.minAlignMask & (IO_TLB_SIZE - 1);
    // That the old side has put whole slots in front of the buffer is not what the caller says.
    const padSlots = offsetOf(old.allocations, outcome.allocation) >>> IO_TLB_SHIFT;
    const told = padSlots + slotsOf(outcome.allocSize + lowOffset);
    const newSlots = believes && !Number.isNaN(told) ? told : stored;
    if (newSlots === outcome.released.nslots) return;
    asks = true;
    origin = {
      kind: 'release',
      line: outcome.line,
      op: OP_NAMES[outcome.op],
      device: outcome.device.name,
      size: outcome.size,
      old: outcome.recordedAddr,
      new: outcome.recordedAddr,
      oldSlots: outcome.released.nslots,
      newSlots,
      followed: 0,
    };
    keepOrigin(origin);
  }

  return comparison;
}

/** What the model answers by itself, whatever it goes on with. */
function ownAddress({ own, answer }: Outcome): number {
  return own === undefined ? answer.address : own.address;
}

/** Whether an answer is the one that a request has got, in the same slots. */
function isSame(outcome: Outcome, alone: MapAnswer, shift: number): boolean {
  const { answer, own } = outcome;
  // Where pages of transient pools lie nobody decides here.
  const areTransient = answer.pool !== undefined && answer.pool === answer.transient;
  if (areTransient && alone.pool !== undefined && alone.pool === alone.transient) {
    return slotCount(alone) === slotCount(answer);
  }
  if (!Object.is(ownAddress(outcome), alone.address - shift)) return false;
  if (own !== undefined) return true;
  return firstSlot(alone) === firstSlot(answer) && slotCount(alone) === slotCount(answer);
}
