import { causeOfFailure } from '../analysis/cause.js';
import { OP_NAMES } from '../events/batch.js';
import type { Observer, Outcome } from '../replay/outcome.js';
import type { Session } from '../replay/session.js';
import { addFinding, type Finding, type FindingLog } from './finding.js';
import { sizeWords } from './words.js';

/** `pool-full`: each refused request, with the cause that the pool's state proves; `endless-search`. */
export function createFailureCheck(session: Session, log: FindingLog): Observer {
  return {
    onRefusal(outcome) {
      if (outcome.answer.refusal === 'endless') {
        addFinding(log, 'endless-search', () => endless(session, outcome));
        return;
      }
      const { cause, reason } = causeOfFailure(session.options.release, outcome);
      outcome.cause = cause;
      addFinding(log, 'pool-full', () => ({
        line: outcome.line,
        device: outcome.device.name,
        message: `${OP_NAMES[outcome.op]} of ${sizeWords(outcome.size)} failed: ${cause}: ${reason()}`,
        address: undefined,
        related: [],
      }));
    },
  };
}

/** The walk of v5.12 to v6.2 ends only on its start index, which steps of one slot can make it miss. */
function endless(session: Session, outcome: Outcome): Omit<Finding, 'rule' | 'level'> {
  const { stride } = outcome.answer.plan;
  return {
    line: outcome.line,
    device: outcome.device.name,
    message:
      `${OP_NAMES[outcome.op]} of ${sizeWords(outcome.size)} never returns in ${session.options.release.name}:` +
      ` no slot fits, and with stride ${stride} the search does not come back to its start`,
    address: undefined,
    related: [],
  };
}
