import { Op } from '../events/batch.js';
import { hex } from '../events/numbers.js';
import { roundUpPowerOfTwo } from '../kernel/constants.js';
import type { Observer, Outcome } from '../replay/outcome.js';
import type { Session } from '../replay/session.js';
import { addFinding, type FindingLog } from './finding.js';
import type { RuleId } from './rules.js';
import { sizeWords } from './words.js';

function allocWords({ size, answer }: Outcome): string {
  return `alloc of ${sizeWords(size)} at ${hex(answer.address)}`;
}

/** The rules about the low bits of a result. Hot path: bit tests first, words only for a finding. */
export function createAlignmentCheck(session: Session, log: FindingLog): Observer {
  const { pageSize, release } = session.options;
  const pageMask = pageSize - 1;

  function add(rule: RuleId, outcome: Outcome, message: string): void {
    addFinding(log, rule, () => ({
      line: outcome.line,
      device: outcome.device.name,
      message,
      address: outcome.answer.address,
      related: [],
    }));
  }

  function checkPages(outcome: Outcome): void {
    const { address } = outcome.answer;
    const low = address | 0;
    if ((low & pageMask) !== 0) {
      const inPage = low & pageMask;
      add(
        'page-alignment',
        outcome,
        `${allocWords(outcome)} is handed out from ${hex(address - inPage)} on, ${inPage} bytes too low`,
      );
    }
    const order = roundUpPowerOfTwo(Math.max(outcome.size, pageSize));
    if ((low & (order - 1)) !== 0) {
      add(
        'natural-alignment',
        outcome,
        `${allocWords(outcome)} is not aligned to its page order, ${sizeWords(order)}`,
      );
    }
  }

  /** From a page up a map without masks starts on a page; 0eee5ae10256 lost that, 14cebf689a78 gave it back. */
  function checkPageSized(outcome: Outcome): void {
    const { answer, device, size } = outcome;
    if (answer.plan.totalSize < pageSize) return;
    if (device.minAlignMask !== 0 || outcome.allocAlignMask !== 0) return;
    if (((answer.address | 0) & pageMask) === 0) return;
    add(
      'page-alignment',
      outcome,
      `map of ${sizeWords(size)} at ${hex(answer.address)} does not start on a page,` +
        ` as ${release.name} means a request of a page or more to do`,
    );
  }

  function checkMasks(outcome: Outcome): void {
    const { answer, device, origAddr, allocAlignMask } = outcome;
    const start = answer.address - answer.plan.offset;
    const unclear = ((start | 0) & allocAlignMask) >>> 0;
    if (unclear !== 0) {
      add(
        'alloc-alignment',
        outcome,
        `map at ${hex(answer.address)}: its first slot, ${hex(start)}, has bits ${hex(unclear)}` +
          ` of alloc_align_mask ${hex(allocAlignMask)} set`,
      );
    }
    const differing = (((answer.address | 0) ^ (origAddr | 0)) & device.minAlignMask) >>> 0;
    if (differing !== 0) {
      add(
        'min-align-mask',
        outcome,
        `map at ${hex(answer.address)} differs from orig_addr ${hex(origAddr)} in bits ${hex(differing)}` +
          ` of min_align_mask ${hex(device.minAlignMask)}`,
      );
    }
  }

  return {
    onRequest(outcome) {
      if (outcome.allocation < 0) return;
      if (outcome.op === Op.alloc) {
        checkPages(outcome);
      } else {
        checkPageSized(outcome);
        checkMasks(outcome);
      }
    },
  };
}
