import { availableParallelism } from 'node:os';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { EXPECT_SUFFIX, type ExpectedCase } from '../corpus/expectation.js';
import {
  type CheckResult,
  caseResult,
  checkResult,
  type TraceResult,
  traceResult,
  withoutCases,
} from '../corpus/result.js';
import { inShard, parseShard, type Shard } from '../corpus/shard.js';
import { casesFor, type StandIn } from '../corpus/standIn.js';
import { UserError } from '../events/errors.js';
import { placeIommuRelease } from '../kernel/iommuSelect.js';
import { placeRelease } from '../kernel/select.js';
import { requirePlacement } from '../pipeline/choice.js';
import { isPolicyPath } from '../pipeline/policyFile.js';
import { CHECK_RENDERERS, type CheckRenderer } from '../render/check/table.js';
import { jobOf } from './checkCase.js';
import { type CorpusFile, corpusFiles, isTrace, readExpectation } from './checkFiles.js';
import { runCheckJobs } from './checkPool.js';
import { updateExpectations } from './checkUpdate.js';
import { complain } from './eachTrace.js';
import { Exit } from './exit.js';
import { openOutput, renderOptions } from './output.js';
import { repeatable } from './pairs.js';
import { kernelNamed } from './policies.js';

interface Options {
  output: string;
  json?: boolean;
  file?: string;
  report: { renderer: CheckRenderer; file: string }[];
  jobs: number;
  shard?: Shard;
  update?: boolean;
  kernel: string[];
  against?: string;
  exact?: boolean;
}

/** A kernel that stands in for others, with its word on the command line. */
type NamedStandIn = StandIn & { word: string };

const FORMAT_NAMES = CHECK_RENDERERS.map(({ name }) => name);

/** `check PATH...`: replays of a corpus against the expectations beside its traces. */
export function checkCommand(command: Command): void {
  command
    .description(
      'Replay every trace at or below the paths that has an expectation file beside\n' +
        `it (TRACE${EXPECT_SUFFIX}), and tell where findings, addresses or bounds differ.\n` +
        'Exit status 1 where something differs, 2 where a trace or an expectation cannot\n' +
        'be used, 3 where no trace has expectations.',
    )
    .addOption(
      new Option('--output <format>', 'how to report').choices(FORMAT_NAMES).default('text'),
    )
    .option('--json', 'short for --output json')
    .option('-o, --file <file>', 'write the report to a file, complete or not at all')
    .addOption(
      repeatable(
        '--report <format=file>',
        'another report of the same check, into a file',
        parseReport,
      ),
    )
    .addOption(
      new Option('--jobs <n>', 'replays at a time')
        .argParser(parseJobs)
        .default(availableParallelism(), 'one for each processor'),
    )
    .option('--shard <i/n>', 'check the i-th of n parts of the corpus', parseShardOption)
    .addOption(
      new Option('--update', 'write what the replays show as the new expectations').conflicts([
        'output',
        'json',
        'file',
        'report',
        'against',
        'exact',
      ]),
    )
    .addOption(
      repeatable(
        '--kernel <release>',
        'replay this release or policy file instead, and tell where it does worse than is expected of\n' +
          'the newest; with --update: expect something of this release too',
        String,
      ),
    )
    .option(
      '--against <release>',
      'with --kernel: hold it against what is expected of this release',
    )
    .option('--exact', 'with --kernel: tell of every difference, addresses too')
    .action(check);
}

async function check(paths: string[], options: Options): Promise<void> {
  const standIns = standInsOf(options);
  const files = await wantedFiles(paths, options.shard);
  if (options.update) {
    process.exitCode = await updateExpectations(files, options);
    return;
  }
  const result = checkResult(await checkFiles(files, standIns, options.jobs));
  const name = options.json ? 'json' : options.output;
  const renderer = CHECK_RENDERERS.find((each) => each.name === name) ?? CHECK_RENDERERS[0];
  for (const report of [...options.report, { renderer, file: options.file }]) {
    const output = openOutput(report.file);
    await output.write(report.renderer.render(result, renderOptions(report.file)));
    await output.done();
  }
  process.exitCode = exitStatus(result);
}

/** Files of the corpus that this run is about; what nobody named counts only if it is a trace. */
async function wantedFiles(
  paths: readonly string[],
  shard: Shard | undefined,
): Promise<CorpusFile[]> {
  const files: CorpusFile[] = [];
  for (const file of corpusFiles(paths)) {
    if (file.isExpected || file.isNamed || (await isTrace(file.path))) files.push(file);
  }
  if (files.length === 0) throw new UserError(`${paths.join(', ')}: no traces are there to check`);
  return shard === undefined ? files : inShard(files, shard);
}

/** @throws UserError where the options contradict each other, or a kernel is not known */
function standInsOf({ kernel: words, update, against, exact }: Options): NamedStandIn[] {
  if (words.length === 0 && (against !== undefined || exact)) {
    throw new UserError('--against and --exact go with --kernel: what is held against it?');
  }
  if (update) {
    const policy = words.find(isPolicyPath);
    if (policy === undefined) return [];
    throw new UserError(`${policy}: expectations are of releases, not of policies`);
  }
  return words.map((word) => {
    const kernel = kernelNamed(word);
    const { name } = typeof kernel === 'string' ? releaseOf(kernel) : kernel.release;
    return { word, kernel: name, against, isExact: exact ?? false };
  });
}

/** The release of a name, which may be one that only IOMMU traces know. */
function releaseOf(name: string): { name: string } {
  const iommu = placeRelease(name) === undefined ? placeIommuRelease(name) : undefined;
  return iommu?.release ?? requirePlacement(name).release;
}

/** One replay of a trace. */
interface Planned {
  expected: ExpectedCase;
  standIn: NamedStandIn | undefined;
}

async function checkFiles(
  files: readonly CorpusFile[],
  standIns: readonly NamedStandIn[],
  threads: number,
): Promise<TraceResult[]> {
  const plans = files.map((file) => ({ file, ...planOf(file, standIns) }));
  const jobs = plans.flatMap(({ file, replays }) =>
    replays.map(({ expected, standIn }) => jobOf(file, expected, standIn?.word)),
  );
  const observed = await runCheckJobs(jobs, threads);
  let at = 0;
  return plans.map(
    ({ file, replays, instead }) =>
      instead ??
      traceResult(
        file.name,
        replays.map(({ expected, standIn }) => caseResult(expected, observed[at++], standIn)),
      ),
  );
}

/** The replays that a file asks for, or the result of one that asks for none. */
function planOf(
  file: CorpusFile,
  standIns: readonly NamedStandIn[],
): { replays: Planned[]; instead?: TraceResult } {
  const without = (status: 'skipped' | 'error', reason: string) => ({
    replays: [],
    instead: withoutCases(file.name, status, reason),
  });
  if (!file.isExpected) return without('skipped', `no ${EXPECT_SUFFIX} file beside it`);
  if (file.isMissing) {
    return without('error', 'its expectations are there, but the trace is not');
  }
  try {
    const { cases } = readExpectation(file);
    if (standIns.length === 0) {
      return { replays: cases.map((expected) => ({ expected, standIn: undefined })) };
    }
    const replays = standIns.flatMap((standIn) =>
      casesFor(standIn, cases).map((expected) => ({ expected, standIn })),
    );
    const [{ against }] = standIns;
    return replays.length > 0
      ? { replays }
      : without('skipped', `nothing is expected of ${against}`);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return without('error', error.message);
  }
}

function exitStatus({ summary }: CheckResult): number {
  if (summary.error > 0) return Exit.unusable;
  if (summary.failed > 0) return Exit.found;
  if (summary.passed > 0 || summary.traces === 0) return Exit.ok;
  complain('no trace has expectations, so nothing was checked; --update writes them');
  return Exit.unproved;
}

function parseReport(text: string): Options['report'][number] {
  const equals = text.indexOf('=');
  const renderer = CHECK_RENDERERS.find(({ name }) => name === text.slice(0, equals));
  if (renderer === undefined || equals === text.length - 1) {
    throw new InvalidArgumentError(
      `It is FORMAT=FILE with a FORMAT of ${FORMAT_NAMES.join(', ')}.`,
    );
  }
  return { renderer, file: text.slice(equals + 1) };
}

function parseJobs(text: string): number {
  if (!/^[1-9]\d{0,2}$/.test(text)) throw new InvalidArgumentError('It is a number from 1 to 999.');
  return Number(text);
}

function parseShardOption(text: string): Shard {
  const shard = parseShard(text);
  if (shard === undefined) throw new InvalidArgumentError('It is I/N, such as 2/4.');
  return shard;
}
