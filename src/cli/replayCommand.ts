import { type Command, Option } from 'commander';
import { findsFault } from '../analysis/iommuFacts.js';
import { watchIommu } from '../analysis/iommuMappings.js';
import { countLevel } from '../check/finding.js';
import { UserError } from '../events/errors.js';
import { RENDERERS, type Renderer } from '../render/table.js';
import type { Report } from '../report/report.js';
import { watchForReport } from '../report/watch.js';
import type { Source } from '../source/open.js';
import { eachTrace } from './eachTrace.js';
import { Exit } from './exit.js';
import { byKind } from './iommu/byKind.js';
import { replayIommuReport } from './iommu/replay.js';
import { addReplayOptions, type ReplayOptions } from './options.js';
import { type Output, renderOptions } from './output.js';
import { chooseReleases, replayTrace, strictProblem } from './run.js';

/** From which level on findings make the exit status 1. */
export type FailOn = 'error' | 'warning' | 'never';

interface Options extends ReplayOptions {
  output: string;
  json?: boolean;
  file?: string;
  failOn: FailOn;
  allocations: boolean;
}

/** `replay TRACE...`: the report of a trace. */
export function replayCommand(command: Command): void {
  command.description(
    'Replay traces and report returned addresses, alignment violations, double-allocated pages,\n' +
      'failures with their cause, fragmentation and usage per device.',
  );
  addReplayOptions(command)
    .addOption(
      new Option('--output <format>', 'how to report')
        .choices(RENDERERS.map(({ name }) => name))
        .default('text'),
    )
    .option('--json', 'short for --output json')
    .option('-o, --file <file>', 'write the report to a file, complete or not at all')
    .option('--no-allocations', 'leave the list of allocations out');
  addFailOn(command).action((paths: string[], options: Options) => {
    if (rendererOf(options).draws && paths.length > 1) {
      throw new UserError('one page tells of one trace: give one at a time');
    }
    return eachTrace(
      paths,
      options.file,
      byKind(
        options,
        (input, output) => replayIommuReport(input, output, options, paths.indexOf(input.path) > 0),
        (path, output, source) =>
          replayReport(path, output, source, options, paths.indexOf(path) > 0),
      ),
    );
  });
}

/** Adds `--fail-on`. */
export function addFailOn(command: Command): Command {
  return command.addOption(
    new Option('--fail-on <level>', 'the least bad finding that makes the exit status 1')
      .choices(['error', 'warning', 'never'])
      .default('error'),
  );
}

function rendererOf({ json, output }: Options): Renderer {
  const name = json ? 'json' : output;
  return RENDERERS.find((candidate) => candidate.name === name) ?? RENDERERS[0];
}

/** Replays one trace of the slot allocator, and reports. */
async function replayReport(
  path: string,
  output: Output,
  opened: Source | undefined,
  options: Options,
  isLater: boolean,
): Promise<number> {
  const renderer = rendererOf(options);
  const keepRows = options.allocations ? renderer.keepRows : { first: 0, last: 0 };
  const pageTables = watchIommu();
  const { runs, info, trace, kernelReason } = await replayTrace(
    path,
    options,
    (known) => chooseReleases(options.kernel, known),
    (session) => watchForReport(session, keepRows, undefined, renderer.draws),
    { opened, onIommu: pageTables.see },
  );
  const iommu = pageTables.facts();
  const rendering = { ...renderOptions(options.file), allocations: options.allocations };
  if (isLater && renderer.name === 'text') await output.write('\n');
  if (runs.length === 0 && iommu !== undefined) {
    const { assumptions, losses, problems } = info;
    const report = { trace, iommu, assumptions, losses, problems: problems.first };
    for (const piece of renderer.renderIommu(report, rendering)) await output.write(piece);
    const counts = new Map();
    return strictProblem(options, path, info) ?? verdict({ ...report, counts }, options.failOn);
  }
  const report = { ...runs[0].watch.report(trace, info, kernelReason), ...(iommu && { iommu }) };
  for (const piece of renderer.render(report, rendering)) await output.write(piece);
  return strictProblem(options, path, info) ?? verdict(report, options.failOn);
}

/** The exit status of a replay. */
export function verdict(
  { counts, losses, iommu }: Pick<Report, 'counts' | 'losses' | 'iommu'>,
  failOn: FailOn,
): number {
  const wrong = countLevel(counts, 'error') + (iommu && findsFault(iommu) ? 1 : 0);
  const errors = failOn === 'never' ? 0 : wrong;
  const warnings = failOn === 'warning' ? countLevel(counts, 'warning') : 0;
  if (errors + warnings > 0) return Exit.found;
  return losses.length > 0 ? Exit.unproved : Exit.ok;
}
