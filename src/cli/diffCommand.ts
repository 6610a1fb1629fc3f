import { Command } from 'commander';
import { createComparison } from '../analysis/comparison.js';
import { diffJson, diffText } from '../render/diff.js';
import { areDifferent, diffReports } from '../report/diffReport.js';
import { watchForReport } from '../report/watch.js';
import { eachTrace } from './eachTrace.js';
import { Exit } from './exit.js';
import { byKind } from './iommu/byKind.js';
import { diffIommu } from './iommu/diff.js';
import {
  addOutputOptions,
  addReplayOptions,
  type OutputOptions,
  type ReplayOptions,
} from './options.js';
import { renderOptions } from './output.js';
import { replayTrace, requireRelease, strictProblem, tellLosses, unlessIncomplete } from './run.js';

interface Options extends ReplayOptions, OutputOptions {
  old: string;
  new: string;
}

/** Differences that a result lists. */
const KEPT = 1000;

/** `diff TRACE... --old R1 --new R2`: what another release makes of a trace. */
export function diffCommand(): Command {
  const command = new Command('diff')
    .summary('show what another release makes of a trace')
    .description(
      'Replay traces in two releases and show where their addresses differ, which findings vanish\n' +
        'and appear, and what changes in failures, fragmentation and slots searched.',
    )
    .argument('<trace...>', 'trace files; - reads standard input')
    .requiredOption('--old <release>', 'the release to compare with')
    .requiredOption('--new <release>', 'the release to look at');
  addReplayOptions(command, false);
  addOutputOptions(command).action(async (paths: string[], options: Options) => {
    await eachTrace(
      paths,
      options.file,
      byKind(
        options,
        (input, output) => diffIommu(input, output, options),
        async (path, output, source) => {
          const releases = [requireRelease(options.old), requireRelease(options.new)];
          const comparison = createComparison(KEPT);
          const sides = [comparison.old, comparison.new];
          const { runs, info, trace } = await replayTrace(
            path,
            options,
            () => ({ releases, reason: undefined, elect: false }),
            (session) => {
              session.observers.push(...sides.splice(0, 1));
              return watchForReport(session, { first: 0, last: 0 });
            },
            { opened: source },
          );
          const [old, fresh] = runs.map(({ watch }) => watch.report(trace, info, undefined));
          const diff = diffReports(old, fresh, comparison);
          await output.write(
            options.json ? diffJson(diff) : diffText(diff, renderOptions(options.file)),
          );
          tellLosses(path, info);
          const status = areDifferent(diff) ? Exit.found : Exit.ok;
          return strictProblem(options, path, info) ?? unlessIncomplete(status, info);
        },
      ),
    );
  });
  return command;
}
