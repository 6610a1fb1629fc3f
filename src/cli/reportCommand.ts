import { type Command, Option } from 'commander';
import { watchIommu } from '../analysis/iommuMappings.js';
import { UserError } from '../events/errors.js';
import { renderDiffHtml } from '../render/html/diffPage.js';
import { renderHtml } from '../render/html/page.js';
import { PLOTS, renderPlot } from '../render/html/plot.js';
import { areDifferent } from '../report/diffReport.js';
import { watchForReport } from '../report/watch.js';
import { eachTrace } from './eachTrace.js';
import { Exit } from './exit.js';
import { addReplayOptions, addSideOptions, sideOf } from './options.js';
import { type Output, openOutput, renderOptions } from './output.js';
import { addFailOn, type FailOn, verdict } from './replayCommand.js';
import { chooseReleases, replayTrace, strictProblem, tellLosses, unlessIncomplete } from './run.js';
import { chooseSides, diffOfSides, hasOwn, type SidesOptions, watchSides } from './sides.js';

interface Options extends SidesOptions {
  html?: string;
  plot?: string;
  file?: string;
  failOn: FailOn;
}

/** Rows of allocations that a page shows. */
const ROWS = { first: 100, last: 20 };
const NO_ROWS = { first: 0, last: 0 };

/** `report TRACE --html FILE`: a page with pictures, or one picture. */
export function reportCommand(command: Command): void {
  command
    .description(
      'Replay a trace and write one page that opens from disk and needs nothing beside itself: verdict,\n' +
        'slots in use over time, a map of time by slot, findings, failures, fragmentation, devices.\n' +
        'With --old and --new, or what else sets two sides apart, both stand side by side.',
    )
    .option('--html <file>', 'the page; - writes it to standard output')
    .addOption(new Option('--plot <what>', 'one picture as SVG').choices(Object.keys(PLOTS)))
    .option('-o, --file <file>', 'where --plot goes, complete or not at all; else standard output');
  addSideOptions(command, 'old', 'old');
  addSideOptions(command, 'new', 'new');
  addFailOn(addReplayOptions(command)).action((path: string, options: Options) => {
    const page = options.html === '-' ? undefined : options.html;
    const file = options.html === undefined ? options.file : page;
    return eachTrace([path], file, (path, output) => write(path, options, output));
  });
}

async function write(path: string, options: Options, output: Output): Promise<number> {
  if (options.html === undefined && options.plot === undefined) {
    throw new UserError('what is drawn? Give --html FILE or --plot WHAT');
  }
  if (options.html === '-' && options.plot !== undefined && options.file === undefined) {
    throw new UserError('--html - and --plot would go both to standard output: give -o FILE');
  }
  const sides = [sideOf(options, 'old'), sideOf(options, 'new')];
  if (!sides.some(hasOwn)) return writeOne(path, options, output);
  if (options.plot !== undefined) {
    throw new UserError('--plot draws one replay: give --kernel instead of --old and --new');
  }
  return writeBoth(path, options, output);
}

async function writeOne(path: string, options: Options, output: Output): Promise<number> {
  const pageTables = watchIommu();
  const { runs, info, trace, kernelReason } = await replayTrace(
    path,
    options,
    (known) => chooseReleases(options.kernel, known),
    (session) => watchForReport(session, ROWS, undefined, true),
    { onIommu: pageTables.see },
  );
  if (runs.length === 0) {
    throw new UserError(
      `${path}: holds an IOMMU's page tables alone, of which there is nothing to draw`,
    );
  }
  const iommu = pageTables.facts();
  const report = { ...runs[0].watch.report(trace, info, kernelReason), ...(iommu && { iommu }) };
  if (options.html !== undefined) {
    for (const piece of renderHtml(report, renderOptions(options.html))) await output.write(piece);
  }
  if (options.plot !== undefined) {
    const svg = renderPlot(report, options.plot);
    if (options.html === undefined) await output.write(svg);
    else await writeBeside(options.file, svg);
  }
  return strictProblem(options, path, info) ?? verdict(report, options.failOn);
}

/** A picture beside the page. */
async function writeBeside(file: string | undefined, text: string): Promise<void> {
  const output = openOutput(file);
  try {
    await output.write(text);
    await output.done();
  } catch (error) {
    output.abandon();
    throw error;
  }
}

async function writeBoth(path: string, options: Options, output: Output): Promise<number> {
  const sides = watchSides((session, watchFinding) =>
    watchForReport(session, NO_ROWS, watchFinding, true),
  );
  const replayed = await replayTrace(
    path,
    options,
    (known) => chooseSides(options, known),
    sides.attach,
  );
  const diff = diffOfSides(replayed, sides, options);
  for (const piece of renderDiffHtml(diff)) await output.write(piece);
  const { info } = replayed;
  tellLosses(path, info);
  const status = areDifferent(diff) ? Exit.found : Exit.ok;
  return strictProblem(options, path, info) ?? unlessIncomplete(status, info);
}
