import { IO_TLB_SEGSIZE, IO_TLB_SIZE, roundUpPowerOfTwo } from '../kernel/constants.js';
import type { Release } from '../kernel/release.js';

/** What a kernel is told about its default pool at boot. */
export interface BootRequest {
  /** Slots asked for. */
  nslabs: number;
  /** Areas asked for, or the number of possible CPUs where the command line gives none. */
  areas: number;
  /** How often memory for the pool is not to be had. */
  failures: number;
}

/** What it makes of that; undefined where no pool is set up. */
export type BootResult = { nslabs: number; areas: number } | undefined;

/** Slots of the default pool without a word on the command line: 64 MiB. */
export const DEFAULT_NSLABS = (64 << 20) / IO_TLB_SIZE;

/** IO_TLB_MIN_SLABS: below 1 MiB no kernel goes on halving. */
const MIN_NSLABS = (1 << 20) / IO_TLB_SIZE;

/** Bytes of the largest pool that a confidential guest gets by itself (SZ_1G). */
const MAX_GUEST_BYTES = 2 ** 30;

function wholeSegments(nslabs: number): number {
  return Math.ceil(nslabs / IO_TLB_SEGSIZE) * IO_TLB_SEGSIZE;
}

/**
 * Slots that a confidential guest asks for by itself: 6 % of its memory, at least 64 MiB and at most
 * 1 GiB (mem_encrypt_setup_arch()).
 * @param memory bytes of the guest's memory
 */
export function guestNslabs(memory: number): number {
  const bytes = Math.floor((memory * 6) / 100);
  const clamped = Math.min(Math.max(bytes, DEFAULT_NSLABS * IO_TLB_SIZE), MAX_GUEST_BYTES);
  return wholeSegments(Math.floor(Math.ceil(clamped / IO_TLB_SIZE)));
}

/** limit_nareas(): no more areas than segments, from v6.6 on. */
function limitAreas(release: Release, areas: number, nslabs: number): number {
  const segments = Math.floor(nslabs / IO_TLB_SEGSIZE);
  return release.boot.limitsAreas && segments < areas ? segments : areas;
}

/**
 * The default pool that a release sets up at boot (setup_io_tlb_npages(), swiotlb_adjust_nareas(),
 * swiotlb_init_remap()): whole segments; with areas, powers of two, a segment for each at least.
 */
export function setUpAtBoot(release: Release, request: BootRequest): BootResult {
  const asked = wholeSegments(request.nslabs);
  if (!release.hasAreas) return request.failures > 0 ? undefined : { nslabs: asked, areas: 1 };

  let areas = roundUpPowerOfTwo(Math.max(1, request.areas));
  let nslabs = roundUpPowerOfTwo(Math.max(asked, IO_TLB_SEGSIZE * areas));
  if (nslabs < release.boot.leastNslabs) return undefined;
  areas = limitAreas(release, areas, nslabs);
  for (let failure = 0; failure < request.failures; failure++) {
    if (!release.boot.halves || nslabs <= MIN_NSLABS) return undefined;
    nslabs = wholeSegments(nslabs >>> 1);
    areas = limitAreas(release, areas, nslabs);
  }
  return { nslabs, areas };
}
