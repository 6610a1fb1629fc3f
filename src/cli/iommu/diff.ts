import { createRowComparison } from '../../analysis/iommu/rowComparison.js';
import { watchColumns } from '../../analysis/iommu/watchColumns.js';
import { UserError } from '../../events/errors.js';
import type { IommuKernelLine } from '../../events/iommu.js';
import { iommuDiffText } from '../../render/iommu/diff.js';
import { iommuDiffMarkdown } from '../../render/iommu/diffMarkdown.js';
import { iommuDiffJson } from '../../render/iommu/json.js';
import {
  areIommuDifferent,
  diffIommuReports,
  type IommuDiff,
  regressionsIn,
} from '../../report/iommuDiff.js';
import { watchForIommuReport } from '../../report/iommuReport.js';
import { complain } from '../eachTrace.js';
import { Exit } from '../exit.js';
import {
  type BothSidesOptions,
  type OutputOptions,
  type ReplayOptions,
  sideOf,
} from '../options.js';
import { type Output, renderOptions } from '../output.js';
import { chooseIommuRelease, type IommuChoice } from './choice.js';
import { summaryOf, toldBy } from './replay.js';
import { type IommuInput, replayIommu, strictIommuProblem, tellGaps } from './run.js';

/** Differences that a result lists. */
const KEPT = 1000;

type Options = ReplayOptions &
  OutputOptions &
  BothSidesOptions & { output: string; onlyRegressions?: boolean };

/**
 * The old side's release and the new one's, and what each has for itself.
 * @throws UserError where the options do not say what is compared
 */
function chooseSides(options: Options, input: IommuInput, kernel: IommuKernelLine): IommuChoice {
  const sides = [sideOf(options, 'old'), sideOf(options, 'new')];
  const isOne = (options.old === undefined) !== (options.new === undefined);
  if (options.kernel === undefined && isOne) {
    throw new UserError(
      'which releases are compared? Give --old and --new, or --kernel for the side without one',
    );
  }
  if (sides.some(({ swiotlb }) => swiotlb !== undefined)) {
    throw new UserError(
      '--old-swiotlb and --new-swiotlb are not for IOMMU traces, which declare their pool: --old-pool and --new-pool change it',
    );
  }
  const hasPools = sides.some(({ pool }) => pool.length > 0);
  if (hasPools && input.format !== 'dma-iommu') {
    throw new UserError(`in an ${input.format} trace nothing is bounced: it has no pool to change`);
  }
  if (options.old === undefined && options.new === undefined && !hasPools) {
    throw new UserError('what is compared? Give --old and --new, or pools: --new-pool nslabs=1024');
  }
  const releases = sides.map(({ release }) => {
    const choice = chooseIommuRelease(release ?? options.kernel, kernel, input.format);
    if (!choice.elects) return choice.releases[0];
    throw new UserError('the trace does not name its kernel: give --old and --new, or --kernel');
  });
  return { releases, reason: undefined, pools: sides.map(({ pool }) => pool) };
}

function rendering(diff: IommuDiff, options: Options): string {
  const { onlyRegressions = false } = options;
  switch (options.json ? 'json' : options.output) {
    case 'json':
      return iommuDiffJson(diff, onlyRegressions);
    case 'markdown':
      return iommuDiffMarkdown(diff, onlyRegressions);
    default:
      return iommuDiffText(diff, renderOptions(options.file), onlyRegressions);
  }
}

/** `diff` of an IOMMU trace: what another release, or another pool, makes of it. */
export async function diffIommu(
  input: IommuInput,
  output: Output,
  options: Options,
): Promise<number> {
  const comparison = createRowComparison(KEPT);
  const sides = [comparison.onOld, comparison.onNew];
  const { tally, runs, notes } = await replayIommu(
    input,
    options,
    (kernel) => chooseSides(options, input, kernel),
    (replay) => {
      const watch = watchForIommuReport(replay);
      for (const side of sides.splice(0, 1)) watchColumns(replay, true, side);
      return watch;
    },
  );
  const summary = summaryOf(input, tally);
  const [old, fresh] = runs.map(({ watch }) => watch.report(summary, undefined, toldBy(tally)));
  const diff = diffIommuReports(old, fresh, comparison);
  await output.write(rendering(diff, options));
  tellGaps(input.path, tally);
  for (const note of notes) complain(`${input.path}: ${note}`);
  const isProved = tally.losses.length === 0;
  const isFound = options.onlyRegressions
    ? regressionsIn(diff).length > 0
    : areIommuDifferent(diff);
  const status = isFound ? Exit.found : isProved ? Exit.ok : Exit.unproved;
  return strictIommuProblem(options, input.path, tally) ?? status;
}
