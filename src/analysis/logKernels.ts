import type { LogOrder } from '../events/logOrder.js';
import type { Release } from '../kernel/release.js';
import { placeRelease } from '../kernel/select.js';

/** A kernel of a log. */
export interface LogKernel {
  /** A release's name, or the kernel's own where it is none that is known. */
  name: string | undefined;
  release: Release | undefined;
  reason: string | undefined;
}

/** Boots that are told apart: more are a log made to exhaust memory. */
const KEPT_BOOTS = 4096;

const UNNAMED: LogKernel = {
  name: undefined,
  release: undefined,
  reason: 'the log does not name it; --kernel does',
};

/** Which kernel each part of a log is of. */
export interface LogKernels {
  /** A boot begins, with a banner, or ends, in a log that runs backwards. */
  boot(banner: string): void;
  /** A warning names its kernel. */
  name(name: string): void;
  /** Banners until now: what kernelOf() takes. */
  banners(): number;
  /** The kernel of what stands behind so many banners; to be asked when the log has ended. */
  kernelOf(banners: number): LogKernel;
  /** The newest, which the verdict on the log is about. */
  newest(): LogKernel;
}

/** @param told by the user: outweighs whatever the log says */
export function createLogKernels(order: LogOrder, told: LogKernel | undefined): LogKernels {
  const boots: LogKernel[] = [];
  const placed = new Map<string, LogKernel>();
  let named: string | undefined;

  function place(banner: string, where: string): LogKernel {
    let kernel = placed.get(banner);
    if (kernel === undefined) {
      const placement = placeRelease(banner);
      const why = placement?.reason === undefined ? '' : `, ${placement.reason}`;
      const own = banner.startsWith('Linux version ') ? banner.split(' ')[2] : banner;
      kernel = {
        name: placement?.release?.name ?? own,
        release: placement?.release,
        reason: `${where}${why}`,
      };
      placed.set(banner, kernel);
    }
    return kernel;
  }

  function onlyOne(): LogKernel | undefined {
    if (told !== undefined) return told;
    if (boots.length > 1) return undefined;
    return (
      boots[0] ?? (named === undefined ? UNNAMED : place(named, 'named by a warning in the log'))
    );
  }

  return {
    boot(banner) {
      if (boots.length < KEPT_BOOTS) boots.push(place(banner, 'the one that booted'));
    },
    name(name) {
      named = name;
    },
    banners: () => boots.length,
    kernelOf(banners) {
      const one = onlyOne();
      if (one !== undefined) return one;
      if (order.newestFirst()) return boots[Math.min(banners, boots.length - 1)];
      return boots[banners - 1] ?? UNNAMED;
    },
    newest: () => onlyOne() ?? boots[order.newestFirst() ? 0 : boots.length - 1],
  };
}
