import { causeOfFailure, type FailureCause } from '../../analysis/cause.js';
import { causeOfNoAddress } from '../../analysis/iommu/addressCause.js';
import type { Refusal } from '../../dma/system.js';
import { hex } from '../../events/numbers.js';
import { lastPfnFor, roundCachedSize } from '../../iommu/iovaDomain.js';
import type { DmaSession } from '../../replay/dmaIommu/session.js';
import { KEPT_PER_RULE } from '../finding.js';
import type { RuleId } from '../rules.js';
import { sizeWords } from '../words.js';
import type { DmaCheck } from './checks.js';
import { callWords, findingAt } from './words.js';

/** A refusal with what proves it. */
interface Proved {
  rule: RuleId;
  cause: string;
  /** What became of the call, in words. */
  words: string;
}

/** A proof costs a look at all ranges of a domain: it stands with findings that are kept. */
const UNPROVED = { cause: 'no-address', reason: () => '' };

/** `exhausted: it needs 4 slots, ...`; without the figures where they are not wanted. */
function causeWords({ cause, reason }: FailureCause<string>, isWanted: boolean): string {
  return isWanted ? `${cause}: ${reason()}` : cause;
}

function poolFull(
  { release, player: { system } }: DmaSession,
  { device, size }: Refusal,
  isWanted: boolean,
): Proved {
  const asked = { answer: system.answer, device: device.bouncer, size, allocSize: size };
  const why = causeOfFailure(release.swiotlb, asked);
  const words = `failed to bounce ${sizeWords(size)}: ${causeWords(why, isWanted)}`;
  return { rule: 'pool-full', cause: why.cause, words };
}

function noAddress({ device, size }: Refusal, isWanted: boolean): Proved {
  const { domain, table, dmaMask } = device;
  const count = roundCachedSize(size / table.granule);
  const why = isWanted
    ? causeOfNoAddress(domain, count, lastPfnFor(domain, dmaMask), true)
    : UNPROVED;
  const words = `found no device addresses: ${causeWords(why, isWanted)}`;
  return { rule: 'map-failed', cause: why.cause, words };
}

/** The other ways to fail, which the call itself shows. */
function plainWords(
  { release }: DmaSession,
  { why, device, size }: Refusal,
  stride: number,
): string {
  const granule = sizeWords(device.table.granule);
  switch (why) {
    case 'endless':
      return `never returns in ${release.name}: no slot fits, and with stride ${stride} the search does not come back to its start`;
    case 'no-pages':
      return `failed: the memory that the trace declares has no ${sizeWords(size)} left for it`;
    case 'wide-align-mask':
      return `failed: ${release.name} refuses min_align_mask ${hex(device.minAlignMask)}, wider than a granule of ${granule}`;
    default:
      return (
        `failed: the bounce buffer does not keep its offset in a granule of ${granule}, as` +
        ` min_align_mask ${hex(device.table.granule - 1)} would make it, and cannot be linked`
      );
  }
}

/**
 * `pool-full`, `endless-search` and `map-failed`: each call that mapped nothing, with the cause that the
 * state of pool and device addresses proved when it was refused. Collisions have a rule of their own.
 */
export const createFailureCheck: DmaCheck = (session, tell) => {
  const { system } = session.player;
  let told = 0;
  let proved: Proved | undefined;

  function prove(refusal: Refusal): Proved {
    const { why } = refusal;
    const isWanted = told < KEPT_PER_RULE;
    if (why === 'no-slots') return poolFull(session, refusal, isWanted);
    if (why === 'no-address') return noAddress(refusal, isWanted);
    const words = plainWords(session, refusal, system.answer.plan.stride);
    return { rule: why === 'endless' ? 'endless-search' : 'map-failed', cause: why, words };
  }

  // While all is as the call found it: of a list, what came before the refusal is unmapped afterwards.
  system.onRefusal = (refusal) => {
    proved ??= prove(refusal);
  };

  return {
    onRow(outcome) {
      if (proved === undefined) return;
      const { rule, cause, words } = proved;
      proved = undefined;
      outcome.cause = cause;
      told++;
      const { row } = outcome;
      const message = `${callWords(row)} ${words}`;
      tell(findingAt(session, row, rule, { address: undefined, message }));
    },
  };
};
