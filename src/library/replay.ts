import { watchIommu } from '../analysis/iommuMappings.js';
import { watchMismatches } from '../analysis/mismatches.js';
import { UserError } from '../events/errors.js';
import type { IommuRecord } from '../events/iommuRecords.js';
import { chooseReleases, type PlacedRelease } from '../pipeline/choice.js';
import type { Policy } from '../pipeline/policy.js';
import { isPolicyPath } from '../pipeline/policyFile.js';
import { policyRelease } from '../pipeline/policyRelease.js';
import { type Replayed, replayFeed } from '../pipeline/replaying.js';
import type { Session } from '../replay/session.js';
import { type PlainReport, plainReport } from '../report/plain.js';
import { watchForReport } from '../report/watch.js';
import { feedOf } from './input.js';
import type { MachineOptions } from './options.js';
import { definePolicy } from './policy.js';
import { settingsOf } from './settings.js';
import type { Trace, TraceInput } from './trace.js';
import type { Verification } from './verification.js';
import { KEPT_MISMATCHES, verificationOf } from './verifying.js';

/** How a trace is verified. */
export interface VerifyOptions extends MachineOptions {
  /**
   * Whose allocator to run: a release as `--kernel` takes it, `recorded`, `latest`, or a policy.
   * Default: `recorded` where known, else the newest that gives every recorded address, else `latest`.
   */
  kernel?: string | Policy;
}

/** How a trace is replayed. */
export interface ReplayOptions extends VerifyOptions {
  /** False leaves the list of allocations out of the report. */
  allocations?: boolean;
}

/**
 * Replays a trace, and reports: findings, allocations, fragmentation, usage.
 * @throws UserError for a trace that cannot be understood, and for options that make no sense
 */
export async function replay(
  input: TraceInput | Trace,
  options: ReplayOptions = {},
): Promise<PlainReport> {
  const keepRows = options.allocations === false ? { first: 0, last: 0 } : undefined;
  const pageTables = watchIommu();
  const replayed = await replayInput(
    input,
    options,
    (session) => watchForReport(session, keepRows),
    pageTables.see,
  );
  const { info, trace, runs, kernelReason } = replayed;
  const iommu = pageTables.facts();
  const report = {
    ...runs[0].watch.report(trace, info, kernelReason),
    ...(iommu && { iommu }),
  };
  return plainReport(report, keepRows === undefined ? [...report.allocations.rows()] : undefined);
}

/**
 * Replays a trace, and compares every recorded address, and its `#expect` lines, with the model's.
 * @throws UserError as replay() does
 */
export async function verify(
  input: TraceInput | Trace,
  options: VerifyOptions = {},
): Promise<Verification> {
  const replayed = await replayInput(input, options, (session) => {
    const watch = watchMismatches(KEPT_MISMATCHES);
    session.observers.push(watch);
    return watch;
  });
  return verificationOf(replayed);
}

async function replayInput<W>(
  input: TraceInput | Trace,
  options: VerifyOptions,
  attach: (session: Session) => W,
  onIommu?: (record: IommuRecord) => void,
): Promise<Replayed<W>> {
  const kernel = kernelOf(options.kernel);
  const feed = await feedOf(input, options);
  const replayed = await replayFeed(
    feed,
    settingsOf(options),
    (info) => chooseReleases(kernel, info),
    attach,
    onIommu,
  );
  if (replayed.runs.length > 0) return replayed;
  throw new UserError(
    `${feed.path}: tells of an IOMMU's page tables alone: there is nothing to replay`,
  );
}

/** A path is no kernel here: to run a file is to be asked for in so many words. */
function kernelOf(kernel: string | Policy | undefined): string | PlacedRelease | undefined {
  if (kernel === undefined) return undefined;
  if (typeof kernel !== 'string') return policyRelease(definePolicy(kernel));
  if (isPolicyPath(kernel)) {
    throw new UserError(`${kernel}: a policy file is loaded with loadPolicy(), which runs it`);
  }
  return kernel;
}
