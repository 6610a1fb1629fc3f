/** What `import ... from 'swiotlb-replay'` gives: docs/library.md. */

export { UserError } from '../events/errors.js';
export type {
  Policy,
  PolicyPlan,
  PolicyRequest,
  PolicySize,
  SizedPolicyRequest,
} from '../pipeline/policy.js';
export { loadPolicy } from '../pipeline/policyFile.js';
export type { PlainReport as Report } from '../report/plain.js';
export type { DeviceOptions, PoolOptions, TraceOptions } from './options.js';
export { definePolicy } from './policy.js';
export { type ReleaseInfo, releases } from './releases.js';
export { type ReplayOptions, replay, type VerifyOptions, verify } from './replay.js';
export { readTrace, type Trace, type TraceEvent, type TraceInput } from './trace.js';
export type { Verification } from './verification.js';
