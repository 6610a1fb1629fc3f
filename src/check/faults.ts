import { OP_NAMES } from '../events/batch.js';
import { hex } from '../events/numbers.js';
import { addressOf, lineOf, nslotsOf, slotOf } from '../replay/allocations.js';
import { Match, type Observer, type Outcome } from '../replay/outcome.js';
import type { Session } from '../replay/session.js';
import type { Pool } from '../swiotlb/pool.js';
import { addFinding, type FindingLog } from './finding.js';
import type { RuleId } from './rules.js';
import { allocationWords, sizeWords, slotWords } from './words.js';

/**
 * What releases do wrong by themselves: results that run past the end of their pool (before
 * 53c87e846e33) or into another area (areas shorter than a segment, v6.2 to v6.5), and releases of
 * slots that are not the buffer's (swiotlb_free() gets the page, not the slot).
 */
export function createFaultCheck(session: Session, log: FindingLog): Observer {
  const { allocations } = session;

  function add(rule: RuleId, outcome: Outcome, where: string): void {
    const { slot, plan, address } = outcome.answer;
    const what = `${OP_NAMES[outcome.op]} of ${sizeWords(outcome.size)} at ${hex(address)}`;
    addFinding(log, rule, () => ({
      line: outcome.line,
      device: outcome.device.name,
      address,
      related: [],
      message: `${what} has ${slotWords(slot, plan.nslots)}${where}`,
    }));
  }

  /** Hot path: words only for a finding. */
  function checkExtent(outcome: Outcome, pool: Pool): void {
    const { slot, plan } = outcome.answer;
    const end = slot + plan.nslots;
    if (end > pool.nslabs) {
      add('beyond-pool', outcome, ` of a pool that ends with slot ${pool.nslabs - 1}`);
    }
    if (pool.areas === 1) return;
    const area = Math.floor(slot / pool.areaNslabs);
    const areaEnd = (area + 1) * pool.areaNslabs;
    if (end > areaEnd && area + 1 < pool.areas) {
      add('area-overrun', outcome, `, but area ${area} ends with slot ${areaEnd - 1}`);
    }
  }

  function checkRelease(outcome: Outcome): void {
    const number = outcome.allocation;
    const { released } = outcome;
    const isOwn =
      released.slot === slotOf(allocations, number) &&
      released.nslots === nslotsOf(allocations, number) &&
      released.pool === allocations.pool[number];
    if (isOwn) return;
    const verb = OP_NAMES[outcome.op];
    const gave = released.nslots === 0 ? 'nothing' : slotWords(released.slot, released.nslots);
    addFinding(log, 'wrong-free', () => ({
      line: outcome.line,
      device: outcome.device.name,
      message: `${verb} of ${hex(addressOf(allocations, number))} gives back ${gave}, not the buffer's slots`,
      address: addressOf(allocations, number),
      related: [{ line: lineOf(allocations, number), message: allocationWords(session, number) }],
    }));
  }

  return {
    onRequest(outcome) {
      if (outcome.allocation >= 0 && outcome.answer.pool) checkExtent(outcome, outcome.answer.pool);
    },
    onRelease(outcome) {
      if (outcome.match === Match.live) checkRelease(outcome);
    },
  };
}
