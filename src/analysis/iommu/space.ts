import type { IovaDomain } from '../../iommu/iovaDomain.js';

/** The device addresses of a domain at the end of a replay. Numbers are granules. */
export interface IovaSpace {
  /** In ranges that are allocated, cached, queued or reserved: now, and at most. */
  used: number;
  usedPeak: number;
  /** Free stretches that may be handed out, and the longest of them. */
  gaps: number;
  largestGap: number;
  /** The highest granule that a mapping was allowed. */
  lastAllowed: number;
}

/** A size class of a domain's caches. */
export interface CacheUsage {
  /** Granules of its ranges, at most. */
  granules: number;
  hits: number;
  misses: number;
  /** Full magazines in its depot at the end. */
  depot: number;
}

/** What a domain's caches and its flush queue did. */
export interface DomainUsage {
  space: IovaSpace;
  caches: CacheUsage[];
  /** Ranges that were queued, those that still wait, and flushes of the IOTLB. */
  queue: { queued: number; waiting: number; flushes: number };
}

/** Free stretches of a domain's addresses, from the lowest up to the highest that is allowed. */
export function eachGap(
  { tree, setup }: IovaDomain,
  lastAllowed: number,
  onGap: (pfn: number, count: number) => void,
): void {
  let free = setup.startPfn;
  for (const block of tree.ranges.blocks) {
    for (const { lo, hi } of block) {
      const gap = Math.min(lo, lastAllowed + 1) - free;
      if (gap > 0) onGap(free, gap);
      free = Math.max(free, hi + 1);
    }
  }
}

/** How broken up the free addresses of a domain are, up to the highest that is allowed. */
function iovaSpace(domain: IovaDomain, lastAllowed: number): IovaSpace {
  const { tree } = domain;
  let gaps = 0;
  let largestGap = 0;
  eachGap(domain, lastAllowed, (_, count) => {
    gaps++;
    largestGap = Math.max(largestGap, count);
  });
  return { used: tree.used, usedPeak: tree.usedPeak, gaps, largestGap, lastAllowed };
}

/** What a domain shows at the end of a replay. */
export function domainUsage(domain: IovaDomain, lastAllowed: number): DomainUsage {
  const { classes } = domain.magazines;
  const { rings, queued, started } = domain.queue;
  return {
    space: iovaSpace(domain, lastAllowed),
    caches: classes.map(({ hits, misses, depot }, n) => ({
      granules: 1 << n,
      hits,
      misses,
      depot: depot.length,
    })),
    queue: {
      queued,
      waiting: rings.reduce((sum, ring) => sum + (ring?.length ?? 0), 0),
      flushes: started,
    },
  };
}
