import type { Release } from '../kernel/release.js';
import { emptyReleased, type MapAnswer, type Refusal } from '../swiotlb/allocator.js';
import { takeRecorded, unmapSingle } from '../swiotlb/calls.js';
import type { Pool } from '../swiotlb/pool.js';
import type { Outcome } from './outcome.js';

/** What the model answered to a request before it went on from where the trace says. */
export interface OwnAnswer {
  /** NaN where refused. */
  address: number;
  refusal: Refusal | undefined;
}

/** A start index that a request has moved. */
export interface MovedIndex {
  pool: Pool;
  area: number;
  before: number;
}

/** The start index that an answered request has moved, refused or not; undefined where it moved none. */
export function movedIndex(answer: MapAnswer): MovedIndex | undefined {
  const taken = answer.refusal === 'unaligned-page' ? answer.givenBack : answer;
  const { pool, slot } = taken;
  if (pool === undefined || slot < 0) return undefined;
  return { pool, area: Math.floor(slot / pool.areaNslabs), before: answer.indexBefore };
}

/**
 * Undoes the model's answer to a request, and takes the slots that the trace records.
 * @returns what the model had answered
 */
export function followRecord(
  release: Release,
  { device, recordedAddr, answer }: Outcome,
): OwnAnswer {
  const own: OwnAnswer = { address: answer.address, refusal: answer.refusal };
  const moved = movedIndex(answer);
  if (answer.slot >= 0) unmapSingle(device, answer.address, undefined, emptyReleased());
  if (moved !== undefined) moved.pool.areaIndex[moved.area] = moved.before;
  answer.transient = undefined;
  takeRecorded(release, device, recordedAddr, answer);
  return own;
}
