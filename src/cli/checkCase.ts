import { dirname, join } from 'node:path';
import { Command, CommanderError } from 'commander';
import { LISTED_ADDRESSES, logAddresses } from '../corpus/addresses.js';
import { type ExpectedCase, optionArguments } from '../corpus/expectation.js';
import { logIommuAddresses } from '../corpus/iommuAddresses.js';
import { type Observation, observe, observeIommu } from '../corpus/observation.js';
import { UserError } from '../events/errors.js';
import type { IommuFormat } from '../formats/iommuRead.js';
import { iommuFormatOf } from '../pipeline/feed.js';
import { watchForIommuReport } from '../report/iommuReport.js';
import { watchForReport } from '../report/watch.js';
import { openSource, type Source } from '../source/open.js';
import { refuseIommuOptions } from './iommu/byKind.js';
import { chooseIommuRelease } from './iommu/choice.js';
import { summaryOf, toldBy } from './iommu/replay.js';
import { replayIommu } from './iommu/run.js';
import { addReplayOptions, type ReplayOptions } from './options.js';
import { loadPolicies } from './policies.js';
import { chooseReleases, replayTrace } from './run.js';

/** A replay that is to be done: plain data, so that it can go to a worker. */
export interface CheckJob {
  /** As the file system knows it. */
  path: string;
  /** As messages name it. */
  name: string;
  /** Undefined for the release that the trace names, or that explains it. */
  kernel: string | undefined;
  options: ExpectedCase['options'];
  /** The command line names the kernel: it may be a policy file. */
  isStandIn: boolean;
  /** Addresses that are expected one by one. */
  listed: number;
}

/**
 * What must be replayed for a case of a trace.
 * @param standIn the kernel that the command line names instead of the case's
 */
export function jobOf(
  { path, name }: Pick<CheckJob, 'path' | 'name'>,
  { kernel, options, addresses }: Omit<ExpectedCase, 'kernel'> & Pick<CheckJob, 'kernel'>,
  standIn?: string,
): CheckJob {
  const isStandIn = standIn !== undefined;
  return {
    path,
    name,
    kernel: standIn ?? kernel,
    options,
    isStandIn,
    listed: addresses?.length ?? 0,
  };
}

/**
 * Replays a case.
 * @returns what it showed, or the message of why it cannot be replayed
 */
export async function runCheckJob(job: CheckJob): Promise<Observation | string> {
  try {
    const options = replayOptions(job);
    if (job.isStandIn) await loadPolicies({ kernel: job.kernel ?? [] });
    const source = await openSource(job.path);
    try {
      const format = iommuFormatOf(source, options.inputFormat);
      if (format !== undefined) return await observeIommuTrace(job, options, source, format);
      refuseIommuOptions(job.path, options);
      return await observeTrace(job, options, source);
    } finally {
      source.close();
    }
  } catch (error) {
    const message = (error as Error).message.replaceAll(job.path, job.name);
    if (error instanceof UserError) return message;
    return `the replay broke off: ${message}; this is a fault of swiotlb-replay: please report it`;
  }
}

/** Results that are to be kept whole. */
function kept({ listed }: CheckJob): number {
  return Math.max(LISTED_ADDRESSES, listed) + 1;
}

async function observeTrace(
  job: CheckJob,
  options: ReplayOptions,
  opened: Source,
): Promise<Observation> {
  const { runs, info, trace } = await replayTrace(
    job.path,
    options,
    (known) => chooseReleases(job.kernel, known),
    (session) => {
      const report = watchForReport(session, { first: 0, last: 0 });
      const addresses = logAddresses(kept(job));
      session.observers.push(addresses);
      return { report, addresses };
    },
    { opened },
  );
  const [{ watch }] = runs;
  return observe(watch.report.report(trace, info, undefined), watch.addresses.observed());
}

async function observeIommuTrace(
  job: CheckJob,
  options: ReplayOptions,
  source: Source,
  format: IommuFormat,
): Promise<Observation> {
  const input = { path: job.path, source, format };
  const { tally, runs } = await replayIommu(
    input,
    options,
    // A kernel that stands in for another need not have booted with its granules.
    (kernel) => ({
      ...chooseIommuRelease(job.kernel, kernel, format),
      allowsLargeGranules: job.isStandIn,
    }),
    (replay) => {
      const report = watchForIommuReport(replay);
      return { report, addresses: logIommuAddresses(replay, kept(job)) };
    },
  );
  const [{ watch }] = runs;
  const report = watch.report.report(summaryOf(input, tally), undefined, toldBy(tally));
  return observeIommu(report, watch.addresses.observed());
}

/** The options of a case, read as the command line's are. */
function replayOptions({ path, options }: CheckJob): ReplayOptions {
  const { dmesg, ...others } = options ?? {};
  const command = addReplayOptions(new Command('case'), false)
    .exitOverride()
    .configureOutput({ writeErr() {} });
  try {
    command.parse(optionArguments(others), { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    throw new UserError(`options of the case: ${error.message.replace(/^error: /, '')}`);
  }
  const parsed = command.opts<ReplayOptions>();
  if (dmesg !== undefined) parsed.dmesg = join(dirname(path), dmesg);
  return parsed;
}
