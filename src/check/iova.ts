import { causeOfNoAddress } from '../analysis/iommu/addressCause.js';
import type { IovaRow } from '../events/iommu.js';
import { lastPfnFor, roundCachedSize } from '../iommu/iovaDomain.js';
import type { IovaObserver, IovaOutcome } from '../replay/iova/session.js';
import { type Finding, KEPT_PER_RULE } from './finding.js';
import { RULES } from './rules.js';

/** What a row asked of the tree, and how it is told. */
interface Asked {
  count: number;
  lastAllowed: number;
  aligned: boolean;
}

/**
 * What a row asked for; undefined where a failure means nothing: the first try of two does not flush
 * the caches.
 */
function askedBy({ row, domain }: IovaOutcome): Asked | undefined {
  const { op, size, limit, flags } = row;
  const { granule } = domain.setup;
  const { policy, lastPfn } = domain.tree;
  const lastAllowed = Math.min(limit, lastPfn);
  switch (op) {
    case 'alloc':
      return { count: size, lastAllowed, aligned: (flags & 1) !== 0 };
    case 'alloc_fast': {
      const count = policy.roundsFastSizes ? roundCachedSize(size) : size;
      return (flags & 1) === 0 ? undefined : { count, lastAllowed, aligned: true };
    }
    case 'dma_alloc': {
      const count = roundCachedSize(Math.ceil(size / granule));
      return { count, lastAllowed: lastPfnFor(domain, limit), aligned: true };
    }
    default:
      return undefined;
  }
}

/** `alloc of 5 granules`. */
function callWords({ op, size }: IovaRow, granule: number): string {
  const count = op === 'dma_alloc' ? Math.ceil(size / granule) : size;
  return `${op} of ${count === 1 ? '1 granule' : `${count} granules`}`;
}

/** A proof costs a look at all ranges of a domain: it stands with findings that are kept. */
const UNPROVED = { cause: 'no-address', reason: () => '' };

/** `map-failed` of an IOVA trace: allocations for which no device addresses were left, with the cause. */
export function createIovaCheck(
  tell: (finding: Finding) => void,
  names: readonly { name: string }[],
) {
  let told = 0;
  const observer: IovaObserver = {
    onRow(outcome) {
      const { row, domain, pfn } = outcome;
      if (pfn >= 0 || Number.isNaN(pfn)) return;
      const asked = askedBy(outcome);
      if (asked === undefined) return;
      const { count, lastAllowed, aligned } = asked;
      const { cause, reason } =
        told++ < KEPT_PER_RULE ? causeOfNoAddress(domain, count, lastAllowed, aligned) : UNPROVED;
      outcome.cause = cause;
      tell({
        rule: 'map-failed',
        level: RULES['map-failed'].level,
        line: row.line,
        device: names[row.domain].name,
        message: `${callWords(row, domain.setup.granule)} failed: ${[cause, reason()].filter(Boolean).join(': ')}`,
        address: undefined,
        related: [],
      });
    },
  };
  return observer;
}
