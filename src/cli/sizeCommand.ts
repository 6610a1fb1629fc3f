import { availableParallelism } from 'node:os';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { UserError } from '../events/errors.js';
import type { Release } from '../kernel/release.js';
import { SIZE_RENDERERS } from '../render/size/table.js';
import { type SizeReport, sizingAssumptions } from '../report/sizeReport.js';
import { cpusOf, type Load } from '../sizing/load.js';
import type { MergeBy } from '../sizing/merge.js';
import { complainOf } from './eachTrace.js';
import { Exit } from './exit.js';
import { addReplayOptions, type ReplayOptions } from './options.js';
import { openOutput, renderOptions } from './output.js';
import { showProgress } from './progress.js';
import { requireRelease } from './run.js';
import { findSizes, sweepPoints, trySweep } from './size/find.js';
import { type UsedPool, usedPools } from './size/pools.js';
import { readWorkloads, type Workloads } from './size/read.js';
import { MAX_POINTS, parseSweep, type SweepRange } from './size/sweepOption.js';
import { startTrials } from './size/trials.js';
import { writeWorkload } from './size/workloadFile.js';

interface Options extends ReplayOptions {
  merge?: MergeBy | true;
  scale: number;
  cpus?: number;
  sweep?: SweepRange;
  jobs: number;
  output: string;
  json?: boolean;
  file?: string;
  workload?: string;
}

/** `size TRACE...`: the smallest pool in which no request fails. */
export function sizeCommand(command: Command): void {
  command.description(
    'Find, for each number of areas, the smallest pool in which no request of a trace fails, by exact\n' +
      'replays: it fits, and one step smaller a request fails. Of several traces each must fit by itself.\n' +
      'Exit status 0 where there is an answer, 1 where no pool is large enough, 3 where the trace is\n' +
      'incomplete.',
  );
  addReplayOptions(command)
    .addOption(
      new Option(
        '--merge [how]',
        'traces as one load: by the clock that their times are of, or as if they had started at once',
      ).choices(['clock', 'start']),
    )
    .option('--scale <n>', 'lay the load over itself: 2 is twice every request', parseScale, 1)
    .option('--cpus <n>', 'spread the load over so many CPUs', parseCpus)
    .option(
      '--sweep <K=V,...>',
      'a table instead: nslabs= areas= kernel=, with lists A|B and ranges A..B, A..B*2, A..B+128',
      parseSweep,
    )
    .addOption(
      new Option('--jobs <n>', 'replays at a time')
        .argParser(parseJobs)
        .default(availableParallelism(), 'one for each processor'),
    )
    .addOption(
      new Option('--output <format>', 'how to report; csv and heatmap are for --sweep')
        .choices(SIZE_RENDERERS.map(({ name }) => name))
        .default('text'),
    )
    .option('--json', 'short for --output json')
    .option('-o, --file <file>', 'write the result to a file, complete or not at all')
    .option('--workload <file>', 'write what was tried as a trace too, to replay it by yourself')
    .action((paths: string[], options: Options) => size(paths, options));
}

async function size(paths: string[], options: Options): Promise<void> {
  const output = openOutput(options.file);
  try {
    const renderer = rendererOf(options);
    const merge = options.merge === true ? 'clock' : options.merge;
    const read = await readWorkloads(paths, options, merge);
    const report = await work(paths, read, options);
    await output.write(renderer.render(report, renderOptions(options.file)));
    if (options.workload !== undefined) await writeWorkload(read, report.load, options.workload);
    await output.done();
    process.exitCode = read.problem ?? statusOf(report);
  } catch (error) {
    output.abandon();
    if (!(error instanceof UserError)) throw error;
    complainOf(error);
    process.exitCode = Exit.unusable;
  }
}

/** @throws UserError for options that contradict each other */
function rendererOf({ output, json, sweep, swiotlb }: Options) {
  const renderer = SIZE_RENDERERS.find(({ name }) => name === (json ? 'json' : output));
  if (renderer === undefined || (renderer.needsSweep && sweep === undefined)) {
    throw new UserError(`--output ${output} is for a table: say with --sweep which pools it has`);
  }
  if (swiotlb !== undefined) {
    throw new UserError('--swiotlb is what this command finds; --sweep nslabs=... tries sizes');
  }
  return renderer;
}

/** Searches, or sweeps, on all processors. */
async function work(
  paths: readonly string[],
  read: Workloads,
  options: Options,
): Promise<SizeReport> {
  const { workloads, release } = read;
  const load: Load = { scale: options.scale, cpus: options.cpus };
  const cpus = cpusOf(load, Math.max(...workloads.map((workload) => workload.cpus)));
  const pools = usedPools(workloads);
  const bySegments = ({ restricted }: UsedPool): boolean => restricted || !release.hasAreas;
  const releases = options.sweep?.kernel?.map(requireRelease) ?? [release];
  const points = options.sweep && pointsOf(options.sweep, releases, pools, cpus);
  const total = points && points.length * workloads.length;
  let tried = 0;
  const progress = showProgress({ done: () => tried, total, unit: 'pools' }, process.stderr);
  const trials = startTrials(workloads, releases, options.jobs, () => {
    tried++;
    progress.tick();
  });
  try {
    const nothing = { answers: [], unanswered: [], neverServed: [], never: 0 };
    const found =
      points === undefined
        ? await findSizes(release, pools, load, cpus, trials.evaluate)
        : { ...nothing, sweep: await trySweep(points, workloads, load, trials.evaluate) };
    return {
      sweep: undefined,
      ...found,
      ...headOf(paths, read, load, cpus, points === undefined && pools.some(bySegments)),
    };
  } finally {
    await trials.end();
    progress.end();
  }
}

function pointsOf(
  sweep: SweepRange,
  releases: readonly Release[],
  pools: readonly UsedPool[],
  cpus: number,
): ReturnType<typeof sweepPoints> {
  const points = sweepPoints(releases, sweep, pools, cpus);
  if (points.length === 0) throw new UserError('--sweep: no kernel sets up any of these pools');
  if (points.length > MAX_POINTS) {
    throw new UserError(
      `--sweep: ${points.length} pools are more than the ${MAX_POINTS} of a table`,
    );
  }
  return points;
}

function headOf(
  paths: readonly string[],
  read: Workloads,
  load: Load,
  cpus: number,
  isHalving: boolean,
) {
  const { workloads, release, kernelReason, losses, assumptions } = read;
  const tallies = workloads.map(({ heldTally }) => heldTally);
  const sum = (of: (tally: (typeof tallies)[0]) => number): number =>
    tallies.reduce((total, tally) => total + of(tally), 0);
  return {
    path: paths.join(' '),
    traces: workloads.flatMap(({ traces }) => traces),
    merged: workloads.length < paths.length,
    kernel: release.name,
    kernelReason,
    pageSize: workloads[0].pageSize,
    requests: workloads.reduce((total, { requests }) => total + requests, 0),
    load,
    cpus,
    heldTally: {
      requests: sum(({ requests }) => requests),
      untilRetry: sum(({ untilRetry }) => untilRetry),
      medianLifetime: sum(({ medianLifetime }) => medianLifetime),
      forever: sum(({ forever }) => forever),
    },
    assumptions: [...assumptions, ...sizingAssumptions(workloads, load, isHalving)],
    losses,
  };
}

function statusOf({ unanswered, losses }: SizeReport): number {
  if (unanswered.length > 0) return Exit.found;
  return losses.length > 0 ? Exit.unproved : Exit.ok;
}

function parseScale(text: string): number {
  const scale = /^\d{1,4}(\.\d{1,3})?$/.test(text) ? Number(text) : 0;
  if (scale < 1 || scale > 64) throw new InvalidArgumentError('It is a number from 1 to 64.');
  return scale;
}

function parseCpus(text: string): number {
  const cpus = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (cpus < 1 || cpus > 4096) throw new InvalidArgumentError('It is a number from 1 to 4096.');
  return cpus;
}

function parseJobs(text: string): number {
  if (!/^[1-9]\d{0,2}$/.test(text)) throw new InvalidArgumentError('It is a number from 1 to 999.');
  return Number(text);
}
