import type { Observer } from '../replay/outcome.js';
import type { Session } from '../replay/session.js';
import { createAlignmentCheck } from './alignment.js';
import { createFailureCheck } from './failure.js';
import { createFaultCheck } from './faults.js';
import type { FindingLog } from './finding.js';
import { createLifetimeCheck } from './lifetime.js';
import { createOwnershipCheck } from './ownership.js';

/** A family of rules: watches a session and adds to its findings. */
export type Check = (session: Session, log: FindingLog) => Observer;

/** Every family, in the order in which findings of one event are told. */
export const CHECKS: readonly Check[] = [
  createFailureCheck,
  createAlignmentCheck,
  createFaultCheck,
  createOwnershipCheck,
  createLifetimeCheck,
];
