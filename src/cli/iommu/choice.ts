import { UserError } from '../../events/errors.js';
import type { DmaIommuTrace, IommuKernelLine, IovaTrace } from '../../events/iommu.js';
import { emptyTraceInfo } from '../../events/trace.js';
import type { IommuFormat } from '../../formats/iommuRead.js';
import type { IommuRelease } from '../../kernel/iommuRelease.js';
import {
  electableIommuReleases,
  latestIommuRelease,
  nearestIommuReleases,
  placeIommuRelease,
  withLargeGranules,
} from '../../kernel/iommuSelect.js';
import type { PlacedRelease } from '../../pipeline/choice.js';
import { readBeside } from '../../pipeline/feed.js';
import type { PoolOverride } from '../../replay/geometry.js';
import { refusedGranule } from '../../replay/iommuOverrides.js';
import { kernelNamed } from '../policies.js';

/** Which releases a trace is replayed in. */
export interface IommuChoice {
  releases: IommuRelease[];
  /** Why, where the name that was given does not say it. */
  reason: string | undefined;
  /** Releases that would stop at boot are replayed as if granules larger than a page were allowed. */
  allowsLargeGranules?: boolean;
  /** What else is said of the pool, for each of the releases. */
  pools?: readonly (readonly PoolOverride[])[];
  /** Only the newest that gives every recorded row is wanted; the last if none does. */
  elects?: boolean;
}

/** The release of that name and, where the name does not say it, why it is that; or a message that helps. */
function requireIommuRelease(name: string): {
  release: IommuRelease;
  reason: string | undefined;
} {
  if (name === 'latest') return { release: latestIommuRelease(), reason: undefined };
  const kernel = kernelNamed(name);
  if (typeof kernel !== 'string') return { release: withBouncer(kernel), reason: undefined };
  const placed = placeIommuRelease(name);
  if (placed?.release !== undefined) return placed;
  const near = nearestIommuReleases(name);
  throw new UserError(
    `unknown kernel ${name}: ${placed === undefined ? '' : `${placed.reason}; `}the nearest whose IOMMU code can` +
      ` be replayed ${near.length === 1 ? 'is' : 'are'} ${near.join(', ')}; any tag from v5.10 on, a stable` +
      ' version, or v5.14+s1 to v5.14+s1-5 will do',
  );
}

/** The IOMMU code of a policy's base, with bounce buffers from the policy. */
function withBouncer({ release: swiotlb }: PlacedRelease): IommuRelease {
  const base = requireIommuRelease(swiotlb.name.replace(/\+.*/, '')).release;
  return { ...base, name: swiotlb.name, kind: 'patched', swiotlb };
}

/**
 * The release that `--kernel` names, or that its absence means: the recorded one, or the newest that
 * gives every recorded row where nothing names that.
 */
export function chooseIommuRelease(
  name: string | undefined,
  { version }: IommuKernelLine,
  format: IommuFormat,
): IommuChoice {
  if (name !== undefined && name !== 'recorded') {
    const { release, reason } = requireIommuRelease(name);
    return { releases: [release], reason };
  }
  if (version === '') {
    if (name === undefined) {
      const releases = electableIommuReleases(format === 'dma-iommu');
      return { releases, reason: undefined, elects: true };
    }
    const beside = format === 'iova-text' ? ', or give the boot log with --dmesg' : '';
    throw new UserError(`the trace does not name its kernel: choose one with --kernel${beside}`);
  }
  const placed = placeIommuRelease(version);
  if (placed?.release !== undefined) {
    const named = 'the one that the trace names';
    const reason = placed.reason === undefined ? named : `${named}, ${placed.reason}`;
    return { releases: [placed.release], reason };
  }
  const why = placed === undefined ? '' : `: ${placed.reason}`;
  const near = nearestIommuReleases(version).join(', ');
  throw new UserError(
    `the trace was recorded on ${version}, which cannot be replayed${why}: choose one with --kernel, such as ${near}`,
  );
}

/** The kernel that a boot log names; empty for none. */
export async function kernelOf(path: string): Promise<string> {
  const info = emptyTraceInfo();
  await readBeside(path, info);
  return info.kernel ?? '';
}

/**
 * A release that boots with these granules.
 * @throws UserError where it does not, and the choice does not help
 */
export function bootable(
  trace: IovaTrace | DmaIommuTrace,
  granules: readonly number[],
  release: IommuRelease,
  { allowsLargeGranules, elects }: IommuChoice,
): IommuRelease {
  const granule = refusedGranule(trace, granules, release);
  if (granule === undefined) return release;
  if (allowsLargeGranules || elects) return withLargeGranules(release);
  throw new UserError(
    `${release.name} stops at boot with an IOMMU granule of ${granule} and pages of ${trace.kernel.pageSize} bytes:` +
      ` --kernel ${release.name}+large-granules replays what was proposed for that`,
  );
}
