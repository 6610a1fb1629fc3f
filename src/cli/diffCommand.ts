import { type Command, Option } from 'commander';
import { type Comparison, createComparison } from '../analysis/comparison.js';
import { UserError } from '../events/errors.js';
import type { TraceInfo } from '../events/trace.js';
import { diffText, regressionsText } from '../render/diff.js';
import { diffJson } from '../render/diffJson.js';
import { diffMarkdown } from '../render/diffMarkdown.js';
import {
  findingsDiffJson,
  findingsDiffMarkdown,
  findingsDiffText,
} from '../render/findingsDiff.js';
import type { Session } from '../replay/session.js';
import { areDifferent, type DiffReport, diffReports, regressionsOf } from '../report/diffReport.js';
import { compareFindings, type FindingComparison } from '../report/findingComparison.js';
import { diffFindings, haveDifferentFindings, isWorse } from '../report/findingsDiff.js';
import { type ReportWatch, watchForReport } from '../report/watch.js';
import type { Source } from '../source/open.js';
import { eachTrace } from './eachTrace.js';
import { Exit, worstExit } from './exit.js';
import { byKind } from './iommu/byKind.js';
import { diffIommu } from './iommu/diff.js';
import {
  addReplayOptions,
  addSideOptions,
  type BothSidesOptions,
  type OutputOptions,
  type ReplayOptions,
  type SideOptions,
  sideOf,
} from './options.js';
import { type Output, renderOptions } from './output.js';
import {
  chooseReleases,
  type ReleaseChoice,
  replayTrace,
  strictProblem,
  tellLosses,
  unlessIncomplete,
  type Variant,
} from './run.js';

interface Options extends ReplayOptions, OutputOptions, BothSidesOptions {
  by: 'addresses' | 'findings';
  output: string;
  onlyRegressions?: boolean;
}

/** Differences, and findings of a rule, that a result lists. */
const KEPT = 1000;

/** Rows of allocations that a comparison needs. */
const NO_ROWS = { first: 0, last: 0 };

/** `diff TRACE... --old R1 --new R2`: what another release, or another pool, makes of a trace. */
export function diffCommand(command: Command): void {
  command.description(
    'Replay traces on two sides, which differ in release, pools or search, and show where they part\n' +
      'first and why, which differences stand by themselves and what follows from them, which findings\n' +
      'vanish and appear, and what changes in failures, fragmentation and slots searched.\n' +
      'With --by findings two traces of one workload are compared, each replayed by itself.',
  );
  addSideOptions(command, 'old', 'old');
  addSideOptions(command, 'new', 'new');
  addReplayOptions(command)
    .addOption(
      new Option('--by <what>', 'compare the answers to one trace, or the findings of two')
        .choices(['addresses', 'findings'])
        .default('addresses'),
    )
    .option(
      '--only-regressions',
      'only errors and warnings that the new side has and the old one has not; exit status 1 for those alone',
    )
    .addOption(
      new Option('--output <format>', 'how to tell; markdown for a mail or a pull request')
        .choices(['text', 'json', 'markdown'])
        .default('text'),
    )
    .option('--json', 'one JSON object per trace and line')
    .option('-o, --file <file>', 'write the result to a file, complete or not at all')
    .action((paths: string[], options: Options) =>
      options.by === 'findings'
        ? compareTraces(paths, options)
        : eachTrace(
            paths,
            options.file,
            byKind(
              options,
              (input, output) => diffIommu(input, output, options),
              (path, output, source) => compareSides(path, options, output, source),
            ),
          ),
    );
}

/** Watches both sides; the new one, whose batches come first, is attached first. */
interface Sides {
  comparison: Comparison;
  findings: FindingComparison;
  attach: (session: Session) => ReportWatch;
}

function watchSides(): Sides {
  const sessions: Session[] = [];
  const comparison = createComparison(KEPT, () => ({ new: sessions[0], old: sessions[1] }));
  const findings = compareFindings(KEPT);
  const attach = (session: Session): ReportWatch => {
    const side = sessions.push(session) === 1 ? 'new' : 'old';
    session.observers.push(comparison[side], findings[side].observer);
    return watchForReport(session, NO_ROWS, findings[side].watch);
  };
  return { comparison, findings, attach };
}

async function compareSides(
  path: string,
  options: Options,
  output: Output,
  opened: Source,
): Promise<number> {
  const { comparison, findings, attach } = watchSides();
  const { runs, info, trace } = await replayTrace(
    path,
    options,
    (known) => chooseSides(options, known),
    attach,
    { opened },
  );
  findings.finish();
  const [fresh, old] = runs.map(({ watch }) => watch.report(trace, info, undefined));
  const names = {
    old: options.oldSearch === options.newSearch ? 'old' : (options.oldSearch ?? 'old'),
    new: options.oldSearch === options.newSearch ? 'new' : (options.newSearch ?? 'new'),
  };
  const diff = diffReports(old, fresh, comparison, findings, names);
  await output.write(rendering(diff, options));
  tellLosses(path, info);
  const isFound = options.onlyRegressions
    ? regressionsOf(diff).counts.size > 0
    : areDifferent(diff);
  const status = isFound ? Exit.found : Exit.ok;
  return strictProblem(options, path, info) ?? unlessIncomplete(status, info);
}

function rendering(diff: DiffReport, options: Options): string {
  const onlyRegressions = options.onlyRegressions ?? false;
  switch (options.json ? 'json' : options.output) {
    case 'json':
      return diffJson(diff, onlyRegressions);
    case 'markdown':
      return diffMarkdown(diff, onlyRegressions);
    default: {
      const text = onlyRegressions ? regressionsText : diffText;
      return text(diff, renderOptions(options.file));
    }
  }
}

/**
 * The new side's release and the old side's, in that order.
 * @throws UserError where the options do not say what is compared
 */
function chooseSides(options: Options, info: TraceInfo): ReleaseChoice {
  if (options.kernel === undefined && (options.old === undefined) !== (options.new === undefined)) {
    throw new UserError(
      'which releases are compared? Give --old and --new, or --kernel for the side without one',
    );
  }
  const sides = [sideOf(options, 'new'), sideOf(options, 'old')];
  const [fresh, old] = sides.map(({ release }) => releaseOf(release ?? options.kernel, info));
  const hasOwn = ({ pool, swiotlb, search }: SideOptions): boolean =>
    pool.length > 0 || swiotlb !== undefined || search !== undefined;
  if (options.old === undefined && options.new === undefined && !sides.some(hasOwn)) {
    throw new UserError(
      'what is compared? Give --old and --new, or pools: --new-swiotlb 65536,8, --new-pool nslabs=65536',
    );
  }
  const variants = sides.map((side) => variantOf(side, options));
  return { releases: [fresh, old], variants, reason: undefined, elect: false };
}

function releaseOf(name: string | undefined, info: TraceInfo): ReleaseChoice['releases'][0] {
  const { releases, elect } = chooseReleases(name, info);
  if (elect) {
    throw new UserError('the trace does not name its kernel: give --old and --new, or --kernel');
  }
  return releases[0];
}

/** A side's pools come after those of both, and so on top. */
function variantOf({ pool, swiotlb, search }: SideOptions, options: ReplayOptions): Variant {
  return {
    pool: pool.length > 0 ? [...options.pool, ...pool] : options.pool,
    ...(swiotlb !== undefined && { swiotlb }),
    ...(search !== undefined && { search }),
  };
}

/** `diff OLD NEW --by findings`. */
function compareTraces(paths: string[], options: Options): Promise<void> {
  return eachTrace([paths.join(' ')], options.file, async (_, output) => {
    const [oldPath, newPath] = paths;
    if (paths.length !== 2 || oldPath === newPath) {
      throw new UserError('--by findings compares two traces: give the old one and the new one');
    }
    const old = await replayAlone(oldPath, options, 'old');
    const fresh = await replayAlone(newPath, options, 'new');
    const diff = diffFindings(old.report, fresh.report);
    const onlyRegressions = options.onlyRegressions ?? false;
    const format = options.json ? 'json' : options.output;
    if (format === 'json') await output.write(findingsDiffJson(diff, onlyRegressions));
    else if (format === 'markdown') await output.write(findingsDiffMarkdown(diff, onlyRegressions));
    else {
      const text = findingsDiffText(diff, onlyRegressions, renderOptions(options.file));
      await output.write(text);
    }
    const isFound = onlyRegressions ? isWorse(diff) : haveDifferentFindings(diff);
    return worstExit(isFound ? Exit.found : Exit.ok, worstExit(old.status, fresh.status));
  });
}

/** Replays one of two traces as its side says. */
async function replayAlone(path: string, options: Options, name: 'old' | 'new') {
  const side = sideOf(options, name);
  const own = { ...options, ...variantOf(side, options) };
  const { runs, info, trace, kernelReason } = await replayTrace(
    path,
    own,
    (known) => chooseReleases(side.release ?? options.kernel, known),
    (session) => watchForReport(session, NO_ROWS),
  );
  tellLosses(path, info);
  return {
    report: runs[0].watch.report(trace, info, kernelReason),
    status: strictProblem(options, path, info) ?? unlessIncomplete(Exit.ok, info),
  };
}
