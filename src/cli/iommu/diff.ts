import { createRowComparison } from '../../analysis/iommu/rowComparison.js';
import { watchColumns } from '../../analysis/iommu/watchColumns.js';
import { UserError } from '../../events/errors.js';
import { iommuDiffText } from '../../render/iommu/diff.js';
import { iommuDiffJson } from '../../render/iommu/json.js';
import { areIommuDifferent, diffIommuReports } from '../../report/iommuDiff.js';
import { watchForIommuReport } from '../../report/iommuReport.js';
import { complain } from '../eachTrace.js';
import { Exit } from '../exit.js';
import type { OutputOptions, ReplayOptions } from '../options.js';
import { type Output, renderOptions } from '../output.js';
import { requireIommuRelease } from './choice.js';
import { summaryOf, toldBy } from './replay.js';
import { type IommuInput, replayIommu, strictIommuProblem, tellGaps } from './run.js';

/** Differences that a result lists. */
const KEPT = 1000;

/** `diff` of an IOMMU trace: what another release makes of it. */
export async function diffIommu(
  input: IommuInput,
  output: Output,
  options: ReplayOptions & OutputOptions & { old?: string; new?: string },
): Promise<number> {
  const names = [options.old ?? options.kernel, options.new ?? options.kernel];
  if (names.includes(undefined) || (options.old ?? options.new) === undefined) {
    throw new UserError(
      `${input.path}: of an IOMMU trace two releases are compared: give --old and --new`,
    );
  }
  const releases = names.map((name) => requireIommuRelease(name as string).release);
  const comparison = createRowComparison(KEPT);
  const sides = [comparison.onOld, comparison.onNew];
  const { tally, runs, notes } = await replayIommu(
    input,
    options,
    () => ({ releases, reason: undefined }),
    (replay) => {
      const watch = watchForIommuReport(replay);
      for (const side of sides.splice(0, 1)) watchColumns(replay, true, side);
      return watch;
    },
  );
  const summary = summaryOf(input, tally);
  const [old, fresh] = runs.map(({ watch }) => watch.report(summary, undefined, toldBy(tally)));
  const diff = diffIommuReports(old, fresh, comparison);
  await output.write(
    options.json ? iommuDiffJson(diff) : iommuDiffText(diff, renderOptions(options.file)),
  );
  tellGaps(input.path, tally);
  for (const note of notes) complain(`${input.path}: ${note}`);
  const isProved = tally.losses.length === 0;
  const status = areIommuDifferent(diff) ? Exit.found : isProved ? Exit.ok : Exit.unproved;
  return strictIommuProblem(options, input.path, tally) ?? status;
}
