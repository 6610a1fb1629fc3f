import { UserError } from '../events/errors.js';
import type { TraceInfo } from '../events/trace.js';
import type { Release } from '../kernel/release.js';
import {
  candidateReleases,
  latestRelease,
  nearestReleases,
  placeRelease,
} from '../kernel/select.js';
import type { BootParameter } from '../replay/bootPool.js';
import type { PoolOverride } from '../replay/geometry.js';

/** A release, and why it is that one, where the name that was given does not say so. */
export interface PlacedRelease {
  release: Release;
  reason: string | undefined;
}

/** Which releases a trace is replayed in. */
export interface ReleaseChoice {
  releases: Release[];
  /** Why, where the name that was given does not say it; undefined while candidates are tried. */
  reason: string | undefined;
  /** What else sets each of the releases apart; undefined where nothing does. */
  variants?: readonly Variant[];
  /** Drop releases as soon as they differ from the record; the newest that never does is wanted. */
  elect: boolean;
  /**
   * The releases are the new side and the old one of a comparison, which may be replayed as one. Told
   * where they part: never, if the old side's replay is the new side's as well.
   */
  onParting?: () => void;
}

/** What one of several replays of a trace may have for itself. */
export interface Variant {
  pool?: PoolOverride[];
  swiotlb?: BootParameter;
  search?: string;
}

/** The release of that name, or a message that helps. */
export function requirePlacement(name: string): PlacedRelease {
  if (name === 'latest') return { release: latestRelease(), reason: undefined };
  const placement = placeRelease(name);
  if (placement?.release !== undefined) return placement;
  const why = placement === undefined ? '' : `${placement.reason}; `;
  throw new UserError(
    `unknown kernel ${name}: ${why}the nearest that can be replayed ${are(nearestReleases(name))};` +
      ' `swiotlb-replay kernels` lists all',
  );
}

function are(names: string[]): string {
  return `${names.length === 1 ? 'is' : 'are'} ${names.join(' and ')}`;
}

/**
 * The release that is asked for, or that is meant for a trace where none is.
 * @param kernel a release, its name, `latest`, or `recorded` for the one that the trace names
 */
export function chooseReleases(
  kernel: string | PlacedRelease | undefined,
  info: TraceInfo,
): ReleaseChoice {
  if (kernel !== undefined && kernel !== 'recorded') {
    const { release, reason } = typeof kernel === 'string' ? requirePlacement(kernel) : kernel;
    return { releases: [release], reason, elect: false };
  }
  if (info.kernel !== undefined) {
    const placement = placeRelease(info.kernel);
    if (placement?.release === undefined) {
      const why = placement === undefined ? '' : `: ${placement.reason}`;
      throw new UserError(
        `the trace was recorded on ${info.kernel}, which cannot be replayed${why};` +
          ` choose one with --kernel: the nearest ${are(nearestReleases(info.kernel))}`,
      );
    }
    const named = 'the one that the trace names';
    const reason = placement.reason === undefined ? named : `${named}, ${placement.reason}`;
    return { releases: [placement.release], reason, elect: false };
  }
  if (kernel === 'recorded') {
    throw new UserError('the trace does not name its kernel: choose one with --kernel');
  }
  return { releases: candidateReleases(), reason: undefined, elect: true };
}

/** The release whose results a trace records, as far as that is known. */
export function recordedRelease(
  info: TraceInfo,
  { releases, elect }: ReleaseChoice,
): Release | undefined {
  const named = info.kernel === undefined ? undefined : placeRelease(info.kernel)?.release;
  return named ?? (releases.length === 1 && !elect ? releases[0] : undefined);
}
