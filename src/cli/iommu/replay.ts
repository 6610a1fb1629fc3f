import { UserError } from '../../events/errors.js';
import type { IommuTally } from '../../formats/iommuRead.js';
import { iommuReportJson } from '../../render/iommu/json.js';
import { iommuReportText } from '../../render/iommu/text.js';
import {
  countOfLevel,
  type IommuReport,
  type IommuTraceSummary,
  watchForIommuReport,
} from '../../report/iommuReport.js';
import { Exit } from '../exit.js';
import type { ReplayOptions } from '../options.js';
import { type Output, renderOptions } from '../output.js';
import type { FailOn } from '../replayCommand.js';
import { chooseIommuRelease } from './choice.js';
import { type IommuInput, replayIommu, strictIommuProblem } from './run.js';

interface Options extends ReplayOptions {
  output: string;
  json?: boolean;
  file?: string;
  failOn: FailOn;
}

/** What was read of a trace, for its report. */
export function summaryOf({ path, format }: IommuInput, tally: IommuTally): IommuTraceSummary {
  const { lines, rows, trace } = tally;
  return { path, format, lines, events: rows, skipped: trace.problems.count };
}

/** What reading a trace leaves to tell. */
export function toldBy({
  assumptions,
  losses,
  trace,
}: IommuTally): Pick<IommuReport, 'assumptions' | 'losses' | 'problems'> {
  return { assumptions, losses, problems: trace.problems.first };
}

/**
 * `replay` of an IOMMU trace: its report.
 * @param isFurther another report stands above it
 */
export async function replayIommuReport(
  input: IommuInput,
  output: Output,
  options: Options,
  isFurther: boolean,
): Promise<number> {
  if (!options.json && options.output === 'html') {
    throw new UserError(`${input.path}: --output html is for traces of swiotlb; use text or json`);
  }
  const { tally, runs, reason } = await replayIommu(
    input,
    options,
    (kernel) => chooseIommuRelease(options.kernel, kernel, input.format),
    watchForIommuReport,
  );
  const report = runs[0].watch.report(summaryOf(input, tally), reason, toldBy(tally));
  if (options.json || options.output === 'json') await output.write(iommuReportJson(report));
  else {
    const text = iommuReportText(report, renderOptions(options.file));
    await output.write(isFurther ? `\n${text}` : text);
  }
  return strictIommuProblem(options, input.path, tally) ?? verdict(report, options.failOn);
}

function verdict({ counts, losses }: IommuReport, failOn: FailOn): number {
  const errors = failOn === 'never' ? 0 : countOfLevel(counts, 'error');
  const warnings = failOn === 'warning' ? countOfLevel(counts, 'warning') : 0;
  if (errors + warnings > 0) return Exit.found;
  return losses.length > 0 ? Exit.unproved : Exit.ok;
}
