import { UserError } from '../events/errors.js';
import type { Policy } from '../pipeline/policy.js';
import { policyRelease } from '../pipeline/policyRelease.js';
import { readPolicy } from '../pipeline/policyShape.js';

/**
 * A policy, for `kernel` of replay() and verify().
 * @throws UserError for what is missing, unknown or of the wrong kind
 */
export function definePolicy(policy: Policy): Policy {
  if (typeof policy !== 'object' || policy === null) {
    throw new UserError('a policy is an object with the members of one');
  }
  const { file, ...members } = policy;
  const read = readPolicy(members, file ?? 'the policy', 'has');
  policyRelease(read);
  return file === undefined ? read : { ...read, file };
}
