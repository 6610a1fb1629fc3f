import { type Command, Option } from 'commander';
import { UserError } from '../events/errors.js';
import { diffText, regressionsText } from '../render/diff.js';
import { diffJson } from '../render/diffJson.js';
import { diffMarkdown } from '../render/diffMarkdown.js';
import {
  findingsDiffJson,
  findingsDiffMarkdown,
  findingsDiffText,
} from '../render/findingsDiff.js';
import { areDifferent, type DiffReport, regressionsOf } from '../report/diffReport.js';
import { diffFindings, haveDifferentFindings, isWorse } from '../report/findingsDiff.js';
import { watchForComparison, watchForReport } from '../report/watch.js';
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
  sideOf,
} from './options.js';
import { type Output, renderOptions } from './output.js';
import { chooseReleases, replayTrace, strictProblem, tellLosses, unlessIncomplete } from './run.js';
import { chooseSides, diffOfSides, variantOf, watchAsOne, watchSides } from './sides.js';

interface Options extends ReplayOptions, OutputOptions, BothSidesOptions {
  by: 'addresses' | 'findings';
  output: string;
  onlyRegressions?: boolean;
}

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

async function compareSides(
  path: string,
  options: Options,
  output: Output,
  opened: Source,
): Promise<number> {
  const sides = watchSides(watchForComparison);
  const onParting = watchAsOne(sides);
  const replayed = await replayTrace(
    path,
    options,
    (known) => ({ ...chooseSides(options, known), onParting }),
    sides.attach,
    { opened },
  );
  const diff = diffOfSides(replayed, sides, options);
  const { info } = replayed;
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
