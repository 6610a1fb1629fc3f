import { causeOfFailure } from '../analysis/cause.js';
import { OP_NAMES } from '../events/batch.js';
import type { Observer } from '../replay/outcome.js';
import type { Session } from '../replay/session.js';
import { addFinding, type FindingLog } from './finding.js';
import { sizeWords } from './words.js';

/** `pool-full`: each refused request, with the cause that the pool's state proves. */
export function createFailureCheck(session: Session, log: FindingLog): Observer {
  return {
    onRequest(outcome) {
      if (outcome.allocation >= 0) return;
      const { cause, reason } = causeOfFailure(session.options.release, outcome);
      outcome.cause = cause;
      addFinding(log, 'pool-full', () => ({
        line: outcome.line,
        device: outcome.device.name,
        message: `${OP_NAMES[outcome.op]} of ${sizeWords(outcome.size)} failed: ${cause}: ${reason}`,
        address: undefined,
        related: [],
      }));
    },
  };
}
