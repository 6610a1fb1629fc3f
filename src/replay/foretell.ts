import { Look, Op } from '../events/batch.js';
import { IO_TLB_SEGSIZE } from '../kernel/constants.js';
import { emptyRequest } from '../kernel/plan.js';
import {
  type Allocator,
  createDevice,
  type Device,
  emptyAnswer,
  type MapAnswer,
} from '../swiotlb/allocator.js';
import { allocPages, mapSingle } from '../swiotlb/calls.js';
import type { SessionOptions } from './devices.js';
import { createMirror, type Mirror } from './mirror.js';
import type { Outcome } from './outcome.js';
import type { Session } from './session.js';

/**
 * How well one session's state can be put under another's allocator: its own pools as they are, a
 * mirror of which slots are in use, or not at all.
 */
export type Synchrony = 'exact' | 'mirrored' | 'impossible';

/** Asks one side of a comparison what it would answer from the state of the other. */
export interface Foreteller {
  /** The device of a request as the new side sees it, over the old side's state. */
  viewOf(outcome: Outcome): Device;
  /** How well the state fits, for the device of a request. */
  synchronyOf(outcome: Outcome): Synchrony;
  /**
   * What the new side would answer; to be called before the old side takes anything.
   * @param transientBase of the new side
   * @param answer filled; it foretells, and nothing is taken
   */
  ask(outcome: Outcome, transientBase: number, answer: MapAnswer): void;
  /** To be told the allocator of every request of the new side: where its searches start. */
  beforeNewRequest(allocator: Allocator): void;
  /** Keeps mirrors up after a request. */
  onRequest(outcome: Outcome): void;
  /** Keeps mirrors up after a release. */
  onRelease(outcome: Outcome): void;
  /** Allocations that had no place in a mirror. */
  unplaced(): number;
}

/** A device's view, and what it took to make it. */
interface View {
  device: Device;
  synchrony: Synchrony;
  mirror: Mirror | undefined;
}

/** An answer for `ask`. */
export function emptyForetold(): MapAnswer {
  return { ...emptyAnswer(), foretells: true };
}

const request = emptyRequest();

/** What of an outcome tells its request. */
export type Question = Pick<
  Outcome,
  | 'line'
  | 'op'
  | 'cpu'
  | 'origAddr'
  | 'size'
  | 'allocSize'
  | 'allocAlignMask'
  | 'look'
  | 'recordedAddr'
>;

/**
 * What a release would answer to the request of an outcome.
 * @param device the outcome's, or one that sees other pools
 * @param answer filled; it foretells, and nothing is taken
 */
export function foretell(
  { release, pageSize }: SessionOptions,
  outcome: Question,
  device: Device,
  transientBase: number,
  answer: MapAnswer,
): void {
  request.line = outcome.line;
  request.origAddr = outcome.origAddr;
  request.mappingSize = outcome.size;
  request.allocSize = outcome.allocSize;
  request.allocAlignMask = outcome.allocAlignMask;
  request.minAlignMask = device.minAlignMask;
  request.cpu = outcome.cpu;
  request.transientBase = transientBase;
  request.lookAt = outcome.look === Look.lastArea ? outcome.recordedAddr : Number.NaN;
  const call = outcome.op === Op.map ? mapSingle : allocPages;
  call(release, pageSize, device, request, answer);
}

/**
 * A foreteller for two sessions of one trace.
 * @param old its observers ask
 * @param fresh has seen every device first
 */
export function createForeteller(old: Session, fresh: Session): Foreteller {
  const { release } = fresh.options;
  const views: View[] = [];
  const mirrors = new Map<Allocator, Mirror>();
  const starts = new Map<Allocator, Int32Array>();
  let lastStarted: Allocator | undefined;

  /** The free-run counters of a last, partial segment are the release's. */
  function countsAlike(nslabs: number): boolean {
    return nslabs % IO_TLB_SEGSIZE === 0 || release.clampsTail === old.options.release.clampsTail;
  }

  function synchronyOf(from: Allocator, like: Allocator): Synchrony {
    if ((from.dynamic === undefined) !== (like.dynamic === undefined)) return 'impossible';
    const [a, b] = [from.pool, like.pool];
    const isSame = a.base === b.base && a.nslabs === b.nslabs && a.areas === b.areas;
    if (isSame && countsAlike(a.nslabs)) return 'exact';
    return from.dynamic === undefined ? 'mirrored' : 'impossible';
  }

  function mirrorOf(from: Allocator, like: Allocator): Mirror {
    const mirror =
      mirrors.get(from) ?? createMirror(from, like, release.clampsTail, starts.get(like));
    mirrors.set(from, mirror);
    return mirror;
  }

  function createView(device: Device, like: Device): View {
    const { allocator } = device;
    const synchrony = synchronyOf(allocator, like.allocator);
    if (synchrony !== 'mirrored') {
      // The lists of pools stay the old side's own: pools that join there join here.
      const { search, dynamic } = like.allocator;
      const seen = { ...device, allocator: { ...allocator, search, dynamic } };
      return { device: seen, synchrony, mirror: undefined };
    }
    const mirror = mirrorOf(allocator, like.allocator);
    const { name, minAlignMask, segBoundaryMask, dmaMask } = like;
    const seen = createDevice(name, minAlignMask, segBoundaryMask, dmaMask, mirror.allocator);
    return { device: seen, synchrony, mirror };
  }

  function viewFor({ deviceNumber, device }: Outcome): View {
    views[deviceNumber] ??= createView(device, fresh.device(deviceNumber));
    return views[deviceNumber];
  }

  return {
    viewOf: (outcome) => viewFor(outcome).device,
    synchronyOf: (outcome) => viewFor(outcome).synchrony,
    ask(outcome, transientBase, answer) {
      const { device, mirror } = viewFor(outcome);
      mirror?.setStartIndexes();
      foretell(fresh.options, outcome, device, transientBase, answer);
    },
    beforeNewRequest(allocator) {
      if (allocator === lastStarted) return;
      lastStarted = allocator;
      if (!starts.has(allocator)) starts.set(allocator, allocator.pool.areaIndex.slice());
    },
    onRequest: (outcome) => viewFor(outcome).mirror?.take(outcome),
    onRelease: (outcome) => viewFor(outcome).mirror?.release(outcome),
    unplaced: () => [...mirrors.values()].reduce((sum, { unplaced }) => sum + unplaced, 0),
  };
}
